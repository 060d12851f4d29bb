"""aiohttp without a cache, and with aiohttp-client-cache."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from suite.clients import PIECE, AsyncioClient
from suite.contenders.secret import SECRET

if TYPE_CHECKING:
    import aiohttp

    from suite.model import Setting


class Aiohttp(AsyncioClient):
    """aiohttp as it comes."""

    session: aiohttp.ClientSession

    async def begin(self) -> None:
        import aiohttp

        self.session = aiohttp.ClientSession()

    async def get(self, url: str) -> int:
        async with self.session.get(url) as response:
            return len(await response.read())

    async def stream(self, url: str) -> int:
        total = 0
        async with self.session.get(url) as response:
            async for piece in response.content.iter_chunked(PIECE):
                total += len(piece)
        return total

    async def end(self) -> None:
        await self.session.close()


class AiohttpClientCache(Aiohttp):
    """aiohttp-client-cache on SQLite; with the secret key of its manual if asked."""

    multiplies = True

    def __init__(self, setting: Setting, *, signed: bool = False) -> None:
        super().__init__(setting)
        self.signed = signed

    async def begin(self) -> None:
        from aiohttp_client_cache.session import CachedSession

        self.session = CachedSession(cache=self.backend())

    def backend(self) -> Any:
        from aiohttp_client_cache.backends.sqlite import SQLiteBackend

        keys: dict[str, Any] = {"secret_key": SECRET} if self.signed else {}
        if self.setting.mode == "obey":
            # The origin's fields count only where the session has no time of its own.
            return SQLiteBackend(str(self.setting.folder / "cache.sqlite"), cache_control=True, **keys)
        return SQLiteBackend(str(self.setting.folder / "cache.sqlite"), expire_after=3600, **keys)

    async def get(self, url: str) -> int:
        if self.setting.mode == "validate":
            # It validates only when told to, request by request.
            refreshing: Any = self.session.get
            async with refreshing(url, refresh=True) as response:
                return len(await response.read())
        return await super().get(url)

    async def multiply(self, count: int, url: str) -> None:
        have = await self.left()
        with sqlite3.connect(self.setting.folder / "cache.sqlite") as connection:
            connection.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                " INSERT INTO responses (key, value)"
                " SELECT lower(hex(randomblob(32))), value"
                " FROM n, (SELECT * FROM responses ORDER BY rowid DESC LIMIT 1)",
                (count - have,),
            )
        connection.close()

    async def purge(self) -> None:
        session: Any = self.session
        await session.delete_expired_responses()

    async def left(self) -> int:
        session: Any = self.session
        size: int = await session.cache.responses.size()
        return size


class AiohttpClientCacheMemory(AiohttpClientCache):
    """aiohttp-client-cache on its default store, a dict."""

    def backend(self) -> Any:
        from aiohttp_client_cache.backends.base import CacheBackend

        return CacheBackend(expire_after=3600)
