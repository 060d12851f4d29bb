"""Mistakes that a type checker has to catch: each in a line that ends in ``# wrong``; and lines that are right."""

from __future__ import annotations

from datetime import timedelta

import aiohttp
import httpx2
import requests
from requests.adapters import HTTPAdapter

from sansio_cache import (
    AsyncCachedSession,
    AsyncCacheTransport,
    CacheAdapter,
    CachedSession,
    CacheMiddleware,
    CacheTransport,
    MemoryStore,
    Policy,
    SQLiteStore,
    TrioCachedSession,
    enabled,
    import_cache,
    install_cache,
)

URL = "https://example.org/"

CachedSession(expire_afer=60)  # wrong
CachedSession(expire_after=[60])  # wrong
CachedSession(cache=5)  # wrong
CachedSession(allowed_codes=200)  # wrong
CachedSession(backend="sqlite")  # wrong
CachedSession(secret_key=5)  # wrong
CachedSession(MemoryStore(), urls_expire_after=["*"])  # wrong
CachedSession().get(URL, expire_afer=60)  # wrong
CachedSession().post(URL, refresh="yes")  # wrong
CachedSession().get(URL, timeot=3)  # wrong
CachedSession.wrap(requests.Session(), stale_if_eror=True)  # wrong
CacheAdapter(ignored_parameters=5)  # wrong
CacheTransport(offlin=True)  # wrong
AsyncCacheTransport(shared="no")  # wrong
CacheMiddleware(on_bad_signature="ignore")  # wrong
install_cache(expire_aftr=60)  # wrong
enabled(vary_limit="many")  # wrong
Policy(heuristics=None)  # wrong


async def main() -> None:
    """Those of sessions that await."""
    AsyncCachedSession(expire_afer=60)  # wrong
    AsyncCachedSession(trust_emv=True)  # wrong
    async with AsyncCachedSession(cache="cache.sqlite", headers={"A": "b"}, expire_after=60) as session:
        await session.get(URL, force_refesh=True)  # wrong
        await session.get(URL, tags=5)  # wrong
        async with session.get(URL, params={"a": "1"}, expire_after=timedelta(hours=1), tags=["a"]) as response:
            print(response.from_cache, response.created_at)
    TrioCachedSession(match_header=["a"])  # wrong
    TrioCachedSession(base_url=5)  # wrong
    async with TrioCachedSession(cache=SQLiteStore("cache.sqlite"), max_redirects=3, offline=True) as other:
        await other.get(URL, only_if_cached="no")  # wrong
        print((await other.get(URL, only_if_cached=True)).from_cache)
    async with aiohttp.ClientSession() as plain:
        AsyncCachedSession.wrap(plain, expire_after=60)
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(shared=True, cache="memory:")) as client:
        await client.get(URL)


with CachedSession("cache.sqlite", expire_after=60, allowed_codes=[200, 404], secret_key=["a", b"b"]) as right:
    answer = right.get(URL, params={"a": 1}, timeout=(1, 2), expire_after=timedelta(days=1), refresh=True)
    print(answer.from_cache, answer.expires, right.post(URL, json={"a": 1}, tags=["a"]).cache_status)
    right.expire_after = 60  # wrong
    print(right.cach)  # wrong
import_cache("old.sqlite", "cache.sqlite", kind="django")  # wrong
import_cache("old.sqlite", "cache.sqlite", ignored_paramters=["a"])  # wrong
install_cache(MemoryStore(), expire_after=60, peer="me")
import_cache("old.sqlite", "cache.sqlite", kind="hishel", ignored_parameters=["a"])
CacheAdapter(HTTPAdapter(), "memory:", stale_if_error=True)
