"""One body of a test for httpx2's blocking client and for its awaiting one, on asyncio and on trio.

A test is a coroutine; with the blocking client it waits for nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx2

from sansio_cache import AsyncCacheTransport, CacheTransport
from sansio_cache_adapters.stores.work import awaited

__all__ = ["COLOURS", "Client", "Colour"]

COLOURS = ("blocking", "asyncio", "trio")


class Client:
    """A client of either colour, asked alike.

    :ivar plain: httpx2's own.
    """

    def __init__(self, plain: httpx2.Client | httpx2.AsyncClient) -> None:
        self.plain = plain

    async def request(self, method: str, url: str, **given: Any) -> httpx2.Response:
        """The response, read."""
        return await awaited(self.plain.request(method, url, **given))

    async def get(self, url: str, **given: Any) -> httpx2.Response:
        """The response, read."""
        return await self.request("GET", url, **given)

    async def post(self, url: str, **given: Any) -> httpx2.Response:
        """The response, read."""
        return await self.request("POST", url, **given)

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        """The response, read."""
        return await awaited(self.plain.send(request))

    async def unread(self, url: str) -> httpx2.Response:
        """The response, of which nothing is read yet."""
        return await awaited(self.plain.send(self.plain.build_request("GET", url), stream=True))

    @asynccontextmanager
    async def stream(self, method: str, url: str, **given: Any) -> AsyncIterator[httpx2.Response]:
        """The response, to be read within the block."""
        if isinstance(self.plain, httpx2.Client):
            with self.plain.stream(method, url, **given) as response:
                yield response
        else:
            async with self.plain.stream(method, url, **given) as response:
                yield response

    async def pieces(self, response: httpx2.Response, *, raw: bool = False) -> list[bytes]:
        """The body as it comes, decoded or as received."""
        if isinstance(self.plain, httpx2.Client):
            return list(response.iter_raw() if raw else response.iter_bytes())
        return [piece async for piece in (response.aiter_raw() if raw else response.aiter_bytes())]

    async def raw_pieces(self, response: httpx2.Response) -> AsyncGenerator[bytes]:
        """The body as it comes, as received, no sooner than it is asked for."""
        if isinstance(self.plain, httpx2.Client):
            for piece in response.iter_raw():
                yield piece
        else:
            async with aclosing(response.aiter_raw()) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    yield piece

    async def first_piece(self, response: httpx2.Response) -> bytes:
        """The first piece of a body as received; no more is read."""
        async with aclosing(self.raw_pieces(response)) as pieces:
            return await anext(pieces)

    async def read(self, response: httpx2.Response) -> bytes:
        """The whole body."""
        return response.read() if isinstance(self.plain, httpx2.Client) else await response.aread()

    async def close(self) -> None:
        """Close the client."""
        await awaited(self.plain.close() if isinstance(self.plain, httpx2.Client) else self.plain.aclose())


class Colour:
    """Makes transports and clients of one colour.

    :ivar blocks: whether they are blocking ones.
    """

    def __init__(self, name: str) -> None:
        self.blocks = name == "blocking"
        self._opened: list[Client] = []

    def transport(self, inner: Any = None, /, **settings: Any) -> Any:
        """The cache before another transport."""
        return (CacheTransport if self.blocks else AsyncCacheTransport)(inner, **settings)

    def over(self, transport: Any) -> Client:
        """A client over a transport; closed after the test."""
        client = Client(httpx2.Client(transport=transport) if self.blocks else httpx2.AsyncClient(transport=transport))
        self._opened.append(client)
        return client

    def content(self, pieces: Iterable[bytes]) -> Any:
        """The content of a request, or the stream of a response, that can be read once."""
        return iter(pieces) if self.blocks else _Stream(pieces)

    async def close(self) -> None:
        """Close what was opened."""
        for each in self._opened:
            await each.close()


class _Stream(httpx2.AsyncByteStream):
    """A stream that is no generator."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration
