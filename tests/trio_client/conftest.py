"""Real servers on real sockets, one thread per connection: what they send is what each test writes."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import trustme


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    backend: str = request.param
    return backend


class Peer:
    """One connection, seen from the server."""

    def __init__(self, server: Server, sock: socket.socket, number: int) -> None:
        self.server = server
        self.number = number  # of the connection, from 1
        self._sock = sock
        self._buffer = b""

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._sock.sendall(piece)

    def drip(self, data: bytes) -> None:
        for i in range(len(data)):
            self._sock.sendall(data[i : i + 1])

    def receive(self) -> bytes:
        return self._sock.recv(65536)

    def close(self) -> None:
        with suppress(OSError):
            self._sock.close()

    def reset(self) -> None:
        """Close with RST."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self._sock.close()

    def interrupt(self) -> None:
        """End the connection, over TLS without close_notify."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def secure(self, context: ssl.SSLContext) -> None:
        self._sock = context.wrap_socket(self._sock, server_side=True)

    def goodbye(self) -> None:
        """Send close_notify."""
        assert isinstance(self._sock, ssl.SSLSocket)
        with suppress(OSError):
            self._sock.unwrap()

    def wait_for_end(self) -> None:
        """Until the client has closed."""
        with suppress(OSError):
            while self._sock.recv(65536):
                pass

    def read_head(self) -> tuple[str, str, list[tuple[str, str]]] | None:
        while b"\r\n\r\n" not in self._buffer:
            data = self.receive()
            if not data:
                return None
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ")
        pairs = [field.split(": ", 1) for field in fields]
        return method, target, [(name, value) for name, value in pairs]

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self.receive()
            if not data:
                raise ConnectionError
            self._buffer += data
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            data = self.receive()
            if not data:
                raise ConnectionError
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def read(self) -> Seen | None:
        """The next request, or None at the end of the connection."""
        head = self.read_head()
        if head is None:
            return None
        seen = Seen(*head, connection=self.number)
        if seen.get("transfer-encoding") == "chunked":
            while size := int(self._line(), 16):
                seen.body += self._exactly(size)
                self._line()
            self._line()
        else:
            seen.body = self._exactly(int(seen.get("content-length") or 0))
        self.server.note(seen)
        return seen


class Seen:
    """A request as the server saw it."""

    def __init__(self, method: str, target: str, fields: list[tuple[str, str]], connection: int) -> None:
        self.method = method
        self.target = target
        self.fields = fields
        self.connection = connection
        self.body = b""

    def get(self, name: str) -> str | None:
        return next((value for given, value in self.fields if given.lower() == name), None)


Handler = Callable[[Peer], None]


class Server:
    """Accepts on 127.0.0.1 and runs `handler` in a thread per connection.

    `seen` holds the requests, `accepted` and `open` count connections.
    """

    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.accepted = 0
        self.open = 0
        self.errors: list[BaseException] = []
        self._handler = handler
        self._context = context
        self._changed = threading.Condition()
        self._peers: set[Peer] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self.accepted += 1
                self.open += 1
                peer = Peer(self, sock, self.accepted)
                self._peers.add(peer)
                self._changed.notify_all()
            thread = threading.Thread(target=self._serve, args=(peer,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: Peer) -> None:
        try:
            if self._context:
                peer.secure(self._context)
            self._handler(peer)
        except (OSError, ssl.SSLError):
            pass
        except BaseException as exc:
            self.errors.append(exc)
        finally:
            peer.close()
            with self._changed:
                self.open -= 1
                self._peers.discard(peer)
                self._changed.notify_all()

    def note(self, seen: Seen) -> None:
        with self._changed:
            self.seen.append(seen)
            self._changed.notify_all()

    def wait(self, condition: Callable[[Server], bool], seconds: float = 30.0) -> None:
        """Until the counts fulfil a condition; to be called in a worker thread."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), seconds), (self.accepted, self.open, self.seen)

    def stop_accepting(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def close(self) -> None:
        self.stop_accepting()
        with self._changed:
            peers = list(self._peers)
        for peer in peers:
            peer.interrupt()
        for thread in self._threads:
            thread.join(10)
        assert not self.errors, self.errors


def message(body: bytes = b"hello", status: str = "200 OK", *fields: str) -> bytes:
    """A response with Content-Length."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


class Serve:
    """The fixture: `serve(handler)` gives a running Server; the rest are handlers and messages."""

    message = staticmethod(message)

    def __init__(self) -> None:
        self.servers: list[Server] = []

    def __call__(self, handler: Handler, context: ssl.SSLContext | None = None) -> Server:
        self.servers.append(Server(handler, context))
        return self.servers[-1]

    def raw(self, *pieces: bytes) -> Server:
        """Reads one request, sends the pieces, closes."""

        def handler(peer: Peer) -> None:
            if peer.read():
                peer.send(*pieces)

        return self(handler)

    def pages(self, pages: dict[str, bytes], context: ssl.SSLContext | None = None) -> Server:
        """Keep-alive: sends for each request the bytes kept for its target, else those of "*"."""

        def handler(peer: Peer) -> None:
            while seen := peer.read():
                peer.send(pages.get(seen.target, pages.get("*", message(b"", "404 Not Found"))))

        return self(handler, context)


@pytest.fixture
def serve() -> Iterator[Any]:
    fixture = Serve()
    yield fixture
    for server in fixture.servers:
        server.close()


class Authority:
    """The fixture `tls`: a CA for tests, certificates by it and contexts that trust it."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self._stranger = trustme.CA()

    def server(
        self, host: str, *, expired: bool = False, stranger: bool = False, self_signed: bool = False
    ) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self_signed:
            # A CA's own certificate signs itself.
            lone = trustme.CA()
            with lone.private_key_pem.tempfile() as key, lone.cert_pem.tempfile() as cert:
                context.load_cert_chain(cert, key)
            return context
        issuer = self._stranger if stranger else self._ca
        past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        cert_ = issuer.issue_cert(host, not_after=past if expired else None)
        cert_.configure_cert(context)
        return context

    def client(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        return context


@pytest.fixture(scope="session")
def tls() -> Authority:
    return Authority()
