"""requests without a cache, and the peers that cache for it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from suite.clients import PIECE, BlockingClient
from suite.contenders.secret import SECRET

if TYPE_CHECKING:
    import requests

    from suite.model import Setting


class Requests(BlockingClient):
    """requests as it comes."""

    session: requests.Session

    def begin(self) -> None:
        import requests

        self.session = requests.Session()

    def get(self, url: str) -> int:
        return len(self.session.get(url).content)

    def stream(self, url: str) -> int:
        with self.session.get(url, stream=True) as response:
            return sum(map(len, response.iter_content(PIECE)))

    def end(self) -> None:
        self.session.close()


class RequestsCache(Requests):
    """requests-cache on SQLite; with a write-ahead log or the signed pickles of its manual if asked."""

    multiplies = True

    def __init__(self, setting: Setting, *, wal: bool = False, signed: bool = False) -> None:
        super().__init__(setting)
        self.wal = wal
        self.signed = signed

    def begin(self) -> None:
        from requests_cache import CachedSession, safe_pickle_serializer
        from requests_cache.backends.sqlite import SQLiteCache

        serializer = safe_pickle_serializer(secret_key=SECRET) if self.signed else None
        backend = SQLiteCache(self.setting.folder / "cache.sqlite", serializer=serializer, wal=self.wal)
        if self.setting.mode in ("validate", "obey"):
            self.session = CachedSession(backend=backend, cache_control=True)
        else:
            self.session = CachedSession(backend=backend, expire_after=3600)

    async def multiply(self, count: int, url: str) -> None:
        have = await self.left()
        with sqlite3.connect(self.setting.folder / "cache.sqlite") as connection:
            connection.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                " INSERT INTO responses (key, value, expires)"
                " SELECT lower(hex(randomblob(8))), value, expires"
                " FROM n, (SELECT * FROM responses ORDER BY rowid DESC LIMIT 1)",
                (count - have,),
            )
        connection.close()

    async def purge(self) -> None:
        self._cache.delete(expired=True)

    async def left(self) -> int:
        count: int = self._cache.count()
        return count

    @property
    def _cache(self) -> Any:
        session: Any = self.session
        return session.cache


class CacheControlDict(Requests):
    """CacheControl on its default store, a dict."""

    def begin(self) -> None:
        import requests
        from cachecontrol import CacheControl

        self.session = CacheControl(requests.Session(), cache=self.store())

    def store(self) -> Any:
        from cachecontrol.cache import DictCache

        return DictCache()


class CacheControlFile(CacheControlDict):
    """CacheControl on files."""

    def store(self) -> Any:
        from cachecontrol.caches import FileCache

        return FileCache(self.setting.folder / "files")


class CacheControlSeparate(CacheControlDict):
    """CacheControl on files with the body apart, made for large bodies."""

    def store(self) -> Any:
        from cachecontrol.caches import SeparateBodyFileCache

        return SeparateBodyFileCache(self.setting.folder / "files")


class HishelRequests(Requests):
    """hishel's adapter for requests. Its default ignores the origin's fields, so validation needs RFC mode."""

    def begin(self) -> None:
        import requests
        from hishel import SqliteStorage
        from hishel.requests import CacheAdapter

        storage = SqliteStorage(database_path=self.setting.folder / "hishel.db", default_ttl=3600)
        self.session = requests.Session()
        adapter = CacheAdapter(storage=storage, rfc=self.setting.mode == "validate")
        self.session.mount("http://", adapter)
