"""A real origin on 127.0.0.1, one thread per connection, that answers what each test says."""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus

__all__ = ["Conversation", "Origin", "Reply", "Seen", "fresh", "redirect"]


@dataclass
class Seen:
    """A request as the origin saw it.

    :ivar connection: the number of its connection, from 1.
    """

    method: str
    target: str
    fields: list[tuple[str, str]]
    connection: int
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.fields if each.lower() == name.lower()]


Fields = dict[str, str] | list[tuple[str, str]]


@dataclass
class Reply:
    """A response.

    :ivar body: its content, or the pieces in which it is sent.
    :ivar framing: ``length``, ``chunked``, ``close`` (the end of the connection ends the body) or ``none``.
    :ivar length: what Content-Length says instead of the truth.
    """

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    fields: Fields = field(default_factory=dict[str, str])
    reason: str | None = None
    framing: str = "length"
    length: int | None = None

    def head(self) -> bytes:
        reason = HTTPStatus(self.status).phrase if self.reason is None else self.reason
        fields = list(self.fields.items() if isinstance(self.fields, dict) else self.fields)
        if self.framing == "chunked":
            fields.append(("Transfer-Encoding", "chunked"))
        elif self.framing == "close":
            fields.append(("Connection", "close"))
        elif self.framing == "length":
            size = len(self.body) if isinstance(self.body, bytes) else 0
            fields.append(("Content-Length", str(size if self.length is None else self.length)))
        lines = [f"HTTP/1.1 {self.status} {reason}", *(f"{name}: {value}" for name, value in fields), "", ""]
        return "\r\n".join(lines).encode("latin-1")


def fresh(body: bytes | Iterable[bytes] = b"", seconds: float = 3600, *, coded: bool = False, **more: str) -> Reply:
    """A response that stays fresh; ``coded`` sends it in gzip, ``more`` are further fields (``last_modified``)."""
    fields = {"Cache-Control": f"max-age={seconds}"}
    fields |= {name.replace("_", "-").title(): value for name, value in more.items()}
    if coded:
        assert isinstance(body, bytes)
        body = gzip.compress(body)
        fields["Content-Encoding"] = "gzip"
    return Reply(body, fields=fields)


def redirect(location: str, status: int = 302, seconds: float = 3600, **more: str) -> Reply:
    """A redirect that may be stored."""
    reply = fresh(b"moved", seconds, coded=False, location=location, **more)
    reply.status = status
    return reply


class Conversation:
    """One connection, for scripts that send what no well-behaved origin would."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.number = number
        self._sock = sock
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def reset(self) -> None:
        """Close with RST."""
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def wait_for_end(self) -> None:
        """Until the client has closed."""
        with suppress(OSError):
            while self._sock.recv(65536):
                pass

    def close(self) -> None:
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _more(self) -> None:
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionError("the client has closed")
        self._buffer += data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._more()
        taken, _, self._buffer = self._buffer.partition(mark)
        return taken

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def read(self) -> Seen:
        """The next request, its body included."""
        line, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ", 2)
        pairs = [each.partition(":") for each in lines]
        seen = Seen(method, target, [(name, value.strip()) for name, _, value in pairs], self.number)
        if (seen.get("transfer-encoding") or "").lower() == "chunked":
            while size := int(self._until(b"\r\n"), 16):
                seen.body += self._exactly(size)
                self._until(b"\r\n")
            self._until(b"\r\n")
        else:
            seen.body = self._exactly(int(seen.get("content-length") or 0))
        return seen

    def reply(self, reply: Reply, method: str) -> bool:
        """Send a response; whether the connection can go on."""
        head = reply.head()
        if method == "HEAD" or reply.status in (204, 304):
            self.send(head)
        elif isinstance(reply.body, bytes) and reply.framing != "chunked":
            self.send(head + reply.body)
        else:
            self.send(head)
            pieces = [reply.body] if isinstance(reply.body, bytes) else reply.body
            for piece in pieces:
                chunk = b"%x\r\n%s\r\n" % (len(piece), piece) if reply.framing == "chunked" else piece
                if piece:
                    self.send(chunk)
            if reply.framing == "chunked":
                self.send(b"0\r\n\r\n")
        return reply.framing in ("length", "chunked") or reply.status in (204, 304)


Answer = Reply | Callable[[Seen], Reply] | Callable[[Seen, Conversation], None]


class Origin:
    """The server. ``origin.on("/path", answer)``; a list of answers is given one after the other, the last for ever.

    An answer is a :class:`Reply`, a function of the request that returns one, or (``script``) a function of the
    request and the connection that speaks for itself, after which the connection is closed.

    :ivar seen: every request, in the order of arrival.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self._answers: dict[str, list[Reply | Callable[[Seen], Reply]]] = {}
        self._scripts: dict[str, Callable[[Seen, Conversation], None]] = {}
        self._tls = tls
        self._lock = threading.Lock()
        self._connections: list[Conversation] = []
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def on(self, path: str, *answers: Reply | Callable[[Seen], Reply]) -> str:
        """Say what a path answers; its URL."""
        self._answers[path] = list(answers)
        return self.url(path)

    def script(self, path: str, script: Callable[[Seen, Conversation], None]) -> str:
        """Let a path be answered by hand; its URL."""
        self._scripts[path] = script
        return self.url(path)

    def count(self, path: str | None = None) -> int:
        """How many requests came, for a path or at all."""
        return len(self.seen) if path is None else sum(each.path == path for each in self.seen)

    def last(self, path: str | None = None) -> Seen:
        return [each for each in self.seen if path is None or each.path == path][-1]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closing:
                    sock.close()
                    return
                number = len(self._threads) + 1
                thread = threading.Thread(target=self._serve, args=(sock, number), daemon=True)
                self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            try:
                sock = self._tls.wrap_socket(sock, server_side=True)
            except (OSError, ValueError):
                sock.close()
                return
        conversation = Conversation(sock, number)
        with self._lock:
            self._connections.append(conversation)
        with suppress(OSError):
            while self._answer(conversation):
                pass
        conversation.close()

    def _answer(self, conversation: Conversation) -> bool:
        seen = conversation.read()
        script = self._scripts.get(seen.path)
        with self._lock:
            self.seen.append(seen)
            answers = self._answers.get(seen.path, [])
            answer = answers.pop(0) if len(answers) > 1 else answers[0] if answers else Reply(status=404)
        if script is not None:
            script(seen, conversation)
            return False
        reply = answer(seen) if callable(answer) else answer
        return conversation.reply(reply, seen.method)

    def close(self) -> None:
        """Stop listening and drop every connection."""
        with self._lock:
            self._closing = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(5)
        with self._lock:
            connections, threads = list(self._connections), list(self._threads)
        for each in connections:
            each.close()
        for thread in threads:
            thread.join(5)
