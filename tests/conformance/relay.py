"""The relay between the suite's client and a blocking session under test: one thread per connection."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from io import BufferedIOBase
from typing import Any, Protocol

from .messages import (
    Answer,
    Request,
    bad_gateway,
    body_length,
    check_length,
    parse_head,
    render_answer,
    render_request,
)

LOOPBACK = "127.0.0.1"
MAX_HEAD = 65536
BACKLOG = 512  # the suite opens a hundred connections at once


class Client(Protocol):
    """A blocking session under test; used from many threads at once."""

    def send(self, origin: str, request: Request) -> Answer:
        """The answer to `request`, made to the base URL `origin`."""
        ...


Failures = list[tuple[str, str]]
"""What the client raised: (test id, type and text of the exception)."""


@contextlib.contextmanager
def serve(client: Client, origin_port: int, failures: Failures) -> Iterator[int]:
    """The port of a relay that hands requests to `client`."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if (request := _read(self.rfile)) is None:
                return
            if request.is_suite_traffic:
                _bypass(request, origin_port, self.request)
                return
            try:
                answer = check_length(client.send(base_url(origin_port), request), request.method)
            except Exception as error:
                answer = note(failures, request, error)
            self.wfile.write(render_answer(answer, request.method))

    with _Server((LOOPBACK, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def base_url(origin_port: int) -> str:
    """The origin's address as the client under test sees it."""
    return f"http://{LOOPBACK}:{origin_port}"


def note(failures: Failures, request: Request, error: Exception) -> Answer:
    """A 502 for what the client raised, once it is noted in `failures`."""
    failures.append((request.test_id, f"{type(error).__name__}: {error}"))
    return bad_gateway(error)


class _Server(socketserver.ThreadingTCPServer):
    request_queue_size = BACKLOG
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Only the suite's client going away early comes here, and it tells of that itself.
        pass


def _read(stream: BufferedIOBase) -> Request | None:
    lines: list[bytes] = []
    while line := stream.readline(MAX_HEAD).rstrip(b"\r\n"):
        lines.append(line)
    if not lines:
        return None
    request = parse_head(b"\r\n".join(lines))
    return Request(request.method, request.target, request.fields, stream.read(body_length(request)))


def _bypass(request: Request, origin_port: int, back: socket.socket) -> None:
    with socket.create_connection((LOOPBACK, origin_port)) as origin:
        origin.sendall(render_request(request, f"{LOOPBACK}:{origin_port}"))
        while chunk := origin.recv(65536):
            back.sendall(chunk)
