"""sansio-cache in all its clients. All is imported when a session opens: what is missing is reported as absent."""

from __future__ import annotations

from typing import Any

from suite.clients import PIECE, AsyncioClient, BlockingClient, Client, TrioClient
from suite.contenders.secret import SECRET
from suite.model import GIB, Setting


class _Ours(Client):
    """The keywords of our sessions, and what they are filled with quickly."""

    session: Any
    multiplies = True

    def __init__(
        self,
        setting: Setting,
        *,
        signed: bool = False,
        memory: bool = False,
        files: bool = False,
        digest: str = "sha256",
    ) -> None:
        super().__init__(setting)
        self.signed = signed
        self.memory = memory
        self.files = files
        self.digest = digest

    def keywords(self) -> dict[str, Any]:
        """What any of our sessions is opened with."""
        from sansio_cache import FileStore, MemoryStore, SQLiteStore

        path = str(self.setting.folder / "cache.sqlite")
        keywords: dict[str, Any] = {"body_digest": self.digest}
        if self.signed:
            keywords["secret_key"] = SECRET
        if self.memory:
            keywords["cache"] = MemoryStore()
        elif self.files:
            keywords["cache"] = FileStore(self.setting.folder / "files")
        elif self.setting.mode == "huge":
            keywords |= {"cache": SQLiteStore(path, max_bytes=4 * GIB), "max_body": 2 * GIB}
        else:
            keywords["cache"] = path
        return keywords

    async def _copy(self, stored: Any, count: int) -> None:
        from suite.contenders.copies import copy_response

        copy_response(self.session.cache.kept_under(), stored, count)


class OursRequests(_Ours, BlockingClient):
    """`CachedSession`, a requests session."""

    def begin(self) -> None:
        from sansio_cache import CachedSession

        self.session = CachedSession(**self.keywords())

    def get(self, url: str) -> int:
        return len(self.session.get(url).content)

    def stream(self, url: str) -> int:
        with self.session.get(url, stream=True) as response:
            return sum(map(len, response.iter_content(PIECE)))

    def end(self) -> None:
        self.session.close()

    async def multiply(self, count: int, url: str) -> None:
        await self._copy(self.session.cache.get(url), count - await self.left())

    async def purge(self) -> None:
        self.session.cache.delete(expired=True)

    async def left(self) -> int:
        return int(self.session.cache.size().entries)


class OursRequestsPrepared(OursRequests):
    """The same with an auth callable: each request is given to it, so that none can be remembered as a whole."""

    def begin(self) -> None:
        super().begin()
        self.session.auth = lambda prepared: prepared


class OursAiohttp(_Ours, AsyncioClient):
    """`AsyncCachedSession`, an aiohttp session."""

    async def begin(self) -> None:
        from sansio_cache import AsyncCachedSession

        self.session = AsyncCachedSession(**self.keywords())

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

    async def multiply(self, count: int, url: str) -> None:
        await self._copy(await self.session.cache.get(url), count - await self.left())

    async def purge(self) -> None:
        await self.session.cache.delete(expired=True)

    async def left(self) -> int:
        return int((await self.session.cache.size()).entries)


class OursTrio(_Ours, TrioClient):
    """`TrioCachedSession`, our own HTTP/1.1 client on trio."""

    async def begin(self) -> None:
        from sansio_cache import TrioCachedSession

        self.session = TrioCachedSession(**self.keywords())
        await self.session.__aenter__()

    async def get(self, url: str) -> int:
        return len((await self.session.get(url)).content)

    async def stream(self, url: str) -> int:
        total = 0
        async with self.session.stream("GET", url) as response:
            async for piece in response.iter_bytes():
                total += len(piece)
        return total

    async def end(self) -> None:
        await self.session.__aexit__(None, None, None)

    multiply = OursAiohttp.multiply
    purge = OursAiohttp.purge
    left = OursAiohttp.left
