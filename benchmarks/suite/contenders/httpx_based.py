"""httpx2 in its three colours, without a cache and with hishel's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.clients import PIECE, AsyncioClient, BlockingClient, TrioClient

if TYPE_CHECKING:
    import httpx2

    from suite.model import Setting


class Httpx(BlockingClient):
    """The blocking httpx2 client as it comes."""

    client: httpx2.Client

    def begin(self) -> None:
        import httpx2

        self.client = httpx2.Client()

    def get(self, url: str) -> int:
        return len(self.client.get(url).content)

    def stream(self, url: str) -> int:
        with self.client.stream("GET", url) as response:
            return sum(map(len, response.iter_bytes(PIECE)))

    def end(self) -> None:
        self.client.close()


class HishelHttpx(Httpx):
    """hishel's blocking client."""

    def begin(self) -> None:
        from hishel import SqliteStorage
        from hishel.httpx2 import CacheClient

        storage = SqliteStorage(database_path=self.setting.folder / "hishel.db", default_ttl=3600)
        self.client = CacheClient(storage=storage, rfc=self.setting.mode == "validate")


class _AsyncHttpx:
    """What the async clients of both loops do alike."""

    client: httpx2.AsyncClient
    setting: Setting

    async def begin(self) -> None:
        import httpx2

        # The default of twenty idle connections would have a hundred tasks open and close them all the time.
        self.client = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=100, max_keepalive_connections=100))

    async def get(self, url: str) -> int:
        return len((await self.client.get(url)).content)

    async def stream(self, url: str) -> int:
        total = 0
        async with self.client.stream("GET", url) as response:
            async for piece in response.aiter_bytes(PIECE):
                total += len(piece)
        return total

    async def end(self) -> None:
        await self.client.aclose()


class _AsyncHishel(_AsyncHttpx):
    """hishel's async client, whose SQLite runs in a worker thread."""

    async def begin(self) -> None:
        from hishel import AsyncSqliteStorage
        from hishel.httpx2 import AsyncCacheClient

        storage = AsyncSqliteStorage(database_path=self.setting.folder / "hishel.db", default_ttl=3600)
        self.client = AsyncCacheClient(storage=storage, rfc=self.setting.mode == "validate")


class HttpxAsyncio(_AsyncHttpx, AsyncioClient):
    """httpx2 on asyncio."""


class HttpxTrio(_AsyncHttpx, TrioClient):
    """httpx2 on trio."""


class HishelAsyncio(_AsyncHishel, AsyncioClient):
    """hishel on asyncio."""


class HishelTrio(_AsyncHishel, TrioClient):
    """hishel on trio."""
