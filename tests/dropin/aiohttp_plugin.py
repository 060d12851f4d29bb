"""A pytest plugin that puts ``AsyncCachedSession`` in the place of ``aiohttp.ClientSession``, for aiohttp's own tests.

``SANSIO_CACHE_DROPIN=plain`` keeps the default settings. ``=hits`` keeps all that can be kept and answers every GET
from the store: below the middlewares it is made once, read to its end (or for two
seconds), and made again.
"""

from __future__ import annotations

import asyncio
import os
import warnings
from typing import Any

import aiohttp
import aiohttp.client
import aiohttp.test_utils

from sansio_cache import AsyncCachedSession, MemoryStore
from sansio_cache_adapters.aiohttp.middleware import AiohttpCache

HITS = os.environ.get("SANSIO_CACHE_DROPIN") == "hits"
served = {"hits": 0, "others": 0}

with warnings.catch_warnings():
    warnings.simplefilter("ignore")

    class ClientSession(AsyncCachedSession):
        """As ``aiohttp.ClientSession``, each with a cache of its own."""

        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            super().__init__(*arguments, cache=MemoryStore(), cache_control=not HITS, **keywords)


def _answered_from_the_store(hop: Any) -> Any:
    async def wrapper(self: Any, wish: Any, request: Any, handler: Any) -> Any:
        response = await hop(self, wish, request, handler)
        said = getattr(response, "cache_status", "")
        # Before its body was read nothing is stored.
        if getattr(request, "method", "") != "GET" or not ("stored" in said or "body-not-read" in said):
            served["others"] += 1
            return response
        try:
            async with asyncio.timeout(2):
                await response.content.read()
        except Exception:
            response.close()
            return await hop(self, wish, request, handler)
        response.close()
        again = await hop(self, wish, request, handler)
        if again.from_cache:
            again._raw_cookie_headers = response._raw_cookie_headers
        served["hits" if again.from_cache else "others"] += 1
        return again

    return wrapper


# aiohttp's own tests let its sessions go unclosed by this name.
ClientSession.__module__ = "aiohttp.client"
where: tuple[Any, ...] = (aiohttp, aiohttp.client, aiohttp.test_utils)
for module in where:
    module.ClientSession = ClientSession
if HITS:
    cache: Any = AiohttpCache
    cache.hop = _answered_from_the_store(cache.hop)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if HITS:
        terminalreporter.write_line(f"{served['hits']} requests answered from the store, {served['others']} not")
