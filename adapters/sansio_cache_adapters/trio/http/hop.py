"""The seam of the trio client: one request goes down, one ``Hop`` comes up.

Above it are redirects, cookies, credentials and content codings, below it the pool. A cache sits in between.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from copy import copy
from typing import Protocol, Self

from anyio.lowlevel import checkpoint

from .errors import StreamClosed
from .fields import Fields

__all__ = ["Chunks", "Drained", "Hop"]


class Chunks(Protocol):
    """The raw body of a hop: content-coded as received, transfer coding removed; it can be read once.

    What a class that takes this one for its base leaves out does what is right for a body without a connection.
    """

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes: ...

    def parsed(self) -> bytes | None:
        """The next bytes if they came together with what was read last, b"" at the end; None for nothing yet."""
        return None

    async def arrived(self) -> bytes | None:
        """The next bytes if they are here already, b"" at the end, None where one would have to wait.

        For anyone who is about to close: after None, only ``aclose`` and ``abort`` may be called.
        """
        return None

    async def aclose(self) -> None:
        """Give back what the body holds. Idempotent, also after its end and after an error."""
        self.abort()

    def abort(self) -> None:
        """Drop the body and its connection at once. Idempotent; never waits, never raises."""
        return


class Hop:
    """The response to one request, before redirects, cookies and decoding: a head, and a body to come.

    Field values are str by latin-1, names and repeats as received. Anyone who has a hop must ``aclose`` it.
    """

    def __init__(self, status: int, reason: str, headers: Fields, chunks: Chunks, version: str = "HTTP/1.1") -> None:
        self.version = version
        self.status = status
        self.reason = reason
        self.headers = headers
        self.chunks = chunks

    @property
    def coding(self) -> str:
        """The content codings, as Content-Encoding has them."""
        return ", ".join(value for name, value in self.headers if name.lower() == "content-encoding")

    def at_hand(self) -> bytes | None:
        """The whole raw body if it is in memory already and nothing of it was read; then ``chunks`` are not."""
        return None

    def as_one(self) -> Awaitable[bytes] | None:
        """The whole raw body, where it comes quicker so than as ``chunks``; to be awaited instead of those."""
        return None

    def with_chunks(self, chunks: Chunks) -> Self:
        """The same hop with another body."""
        other = copy(self)
        other.chunks = chunks
        return other

    async def aclose(self) -> None:
        """Give back the connection, or close it if the body is not at its end. Idempotent."""
        await self.chunks.aclose()

    def abort(self) -> None:
        """Drop the connection at once, where nothing can be awaited. Idempotent; never waits, never raises."""
        self.chunks.abort()


class Drained(Chunks):
    """A body in memory: of a redirect that was followed, or None where it was not kept; or one read before."""

    def __init__(self, body: bytes | None) -> None:
        self._body = body

    async def __anext__(self) -> bytes:
        await checkpoint()
        if self._body is None:
            raise StreamClosed("the body of this redirect was not kept: it was long, slow or broken")
        body, self._body = self._body, b""
        if not body:
            raise StopAsyncIteration
        return body

    async def arrived(self) -> bytes | None:
        body, self._body = self._body or b"", b""
        return body
