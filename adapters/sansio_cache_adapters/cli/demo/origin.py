"""A small API on 127.0.0.1, to try a cache on: it counts what it is asked. The standard library is all it needs."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

__all__ = ["BIG", "PORT", "ROUTES", "DemoOrigin", "running"]

BIG: Final = 3 * 1024 * 1024
PORT: Final = 8765
"""Where the manual's examples look for it."""
_HOUR: Final = {"Cache-Control": "max-age=3600"}
_SLOW: Final = 0.5

Fields = Mapping[str, str]


class Reply(NamedTuple):
    """A response to send; a list of pieces is sent piece by piece."""

    body: bytes | list[bytes]
    fields: Fields
    status: int = 200


class Arrived(NamedTuple):
    """What was asked: the last part of the path, the header fields, how often the path was asked for before, and what
    was sent.
    """  # noqa: D205

    name: str
    fields: Any
    before: int
    body: bytes = b""


def _json(value: object, fields: Fields = _HOUR, status: int = 200) -> Reply:
    return Reply(json.dumps(value).encode() + b"\n", {"Content-Type": "application/json", **fields}, status)


def _item(asked: Arrived) -> Reply:
    return _json({"item": asked.name})


def _tagged(asked: Arrived) -> Reply:
    fields = {"ETag": '"v1"', "Cache-Control": "no-cache"}
    if asked.fields.get("If-None-Match") == '"v1"':
        return Reply(b"", fields, 304)
    return _json({"tagged": True}, fields)


def _greeting(asked: Arrived) -> Reply:
    language = asked.fields.get("Accept-Language", "en")
    words = {"en": "good morning", "de": "guten Morgen", "it": "buongiorno"}
    return _json({"greeting": words.get(language, "?")}, {**_HOUR, "Vary": "Accept-Language"})


def _packed(_: Arrived) -> Reply:
    body = gzip.compress(json.dumps(["gzip"] * 1000).encode())
    return Reply(body, {**_HOUR, "Content-Encoding": "gzip", "Content-Type": "application/json"})


def _moved(_: Arrived) -> Reply:
    return Reply(b"", {**_HOUR, "Location": "/items/new"}, 301)


def _slow(_: Arrived) -> Reply:
    time.sleep(_SLOW)
    return _json({"slow": True})


def _big(_: Arrived) -> Reply:
    return Reply(bytes(BIG), {**_HOUR, "Content-Type": "application/octet-stream"})


def _secret(_: Arrived) -> Reply:
    return _json({"secret": True}, {"Cache-Control": "no-store"})


def _unsteady(asked: Arrived) -> Reply:
    if asked.before:
        return _json({"error": "out of order"}, {}, 503)
    return _json({"unsteady": True}, {"ETag": '"v1"', **_HOUR})


def _chat(asked: Arrived) -> Reply:
    try:
        question = json.loads(asked.body)["messages"][-1]["content"]
    except (ValueError, LookupError, TypeError):
        return _json({"error": 'send {"messages": [{"content": "…"}]}'}, {}, 400)
    words = [f"data: {json.dumps({'word': word})}\n\n".encode() for word in ("you", "said", question)]
    return Reply([*words, b"data: [DONE]\n\n"], {"Content-Type": "text/event-stream", "Cache-Control": "no-store"})


def _whoami(asked: Arrived) -> Reply:
    return _json({"token": asked.fields.get("Authorization", "nobody")[-4:]}, {"Cache-Control": "private, max-age=60"})


class Route(NamedTuple):
    """A path, the purpose of its response, and the response."""

    path: str
    says: str
    answer: Callable[[Arrived], Reply]
    method: str = "GET"


ROUTES: Final = (
    Route("/items/NAME", "fresh for an hour", _item),
    Route("/tagged", "stale at once, with an ETag to validate by", _tagged),
    Route("/greeting", "one answer for each Accept-Language: en, de, it", _greeting),
    Route("/packed", "compressed with gzip", _packed),
    Route("/moved", "a redirect that may be kept", _moved),
    Route("/slow", "takes half a second", _slow),
    Route("/big", "three MiB", _big),
    Route("/secret", "not to be stored", _secret),
    Route("/unsteady", "answers once, and then fails", _unsteady),
    Route("/whoami", "private: an answer for each Authorization", _whoami),
    Route("/chat", "POST: an answer word by word, as a stream of events", _chat, "POST"),
)


def _index() -> Reply:
    lines = [f"{route.path:<12} {route.says}\n" for route in ROUTES]
    return Reply("".join(lines).encode(), {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "max-age=60"})


class DemoOrigin:
    """The API's address, and how often each path was asked for.

    :ivar tell: called with the method, target and status of each request.
    """

    def __init__(self, tell: Callable[[str, str, int], object] = lambda method, target, status: None) -> None:
        self.url = ""
        self.asked: Counter[str] = Counter()
        self.tell = tell
        self._lock = threading.Lock()

    def answer(self, method: str, target: str, fields: Any, body: bytes) -> Reply:
        """The answer to a request."""
        path = urlsplit(target).path
        method = "GET" if method == "HEAD" else method
        with self._lock:
            before = self.asked[path]
            self.asked[path] += 1
        if path == "/":
            return _index()
        for route in ROUTES:
            stem, _, name = route.path.partition("NAME")
            there = path == route.path or (stem != route.path and path.startswith(stem) and len(path) > len(stem))
            if there and method == route.method:
                return route.answer(Arrived(path.removeprefix(stem) or name, fields, before, body))
        return _json({"error": "no such path: / says which there are"}, {}, 404)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    """Head and body leave together, when a request was answered."""
    server: Any

    def do_GET(self) -> None:
        """Reply."""
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        origin: DemoOrigin = self.server.origin
        answer = origin.answer(self.command, self.path, self.headers, sent)
        self.send_response_only(answer.status, HTTPStatus(answer.status).phrase)
        self.send_header("Date", self.date_time_string())
        for name, value in answer.fields.items():
            self.send_header(name, value)
        if isinstance(answer.body, list):
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.status != 304:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status != 304:
            self._send(answer.body)
        origin.tell(self.command, self.path, answer.status)

    def _send(self, body: bytes | list[bytes]) -> None:
        if isinstance(body, bytes):
            self.wfile.write(body)
            return
        for piece in (*body, b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()

    do_HEAD = do_POST = do_GET  # noqa: N815 - as the server asks for it

    def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - as the library names it
        """Do nothing: see ``DemoOrigin.tell``."""


class _Server(ThreadingHTTPServer):
    """The server; its connections end with it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, origin: DemoOrigin, port: int) -> None:
        self.origin = origin
        super().__init__(("127.0.0.1", port), _Handler)
        origin.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do nothing: clients may go away at any time."""


@contextmanager
def running(port: int = 0, origin: DemoOrigin | None = None) -> Generator[DemoOrigin]:
    """An origin that serves in threads of its own, until the block ends.

    :param port: 0 for any that is free.
    :raises OSError: the port is taken.
    """
    origin = DemoOrigin() if origin is None else origin
    server = _Server(origin, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield origin
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
