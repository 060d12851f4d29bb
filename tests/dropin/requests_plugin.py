"""A pytest plugin that puts ``CachedSession`` in the place of ``requests.Session``, for requests' own tests.

``SANSIO_CACHE_DROPIN=plain`` keeps the default settings. ``=hits`` keeps all that can be kept and answers every GET
from the store: it is made once, read to its end, and made again.
"""

from __future__ import annotations

import os
from typing import Any

import requests
import requests.adapters
import requests.sessions

from sansio_cache import CachedSession, MemoryStore
from sansio_cache_adapters.requests import adapter as requests_adapter

HITS = os.environ.get("SANSIO_CACHE_DROPIN") == "hits"
served = {"hits": 0, "others": 0}


class Session(CachedSession):
    """As ``requests.Session()``: without arguments, each with a cache of its own."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(), cache_control=not HITS)


def _answered_from_the_store(send: Any) -> Any:
    def wrapper(self: Any, request: Any, **keywords: Any) -> Any:
        response = send(self, request, **keywords)
        said = getattr(response, "cache_status", "")
        # Before its body was read nothing is stored.
        if request.method != "GET" or not ("stored" in said or "body-not-read" in said):
            served["others"] += 1
            return response
        try:
            _ = response.content
        except requests.exceptions.ContentDecodingError:
            # Of a redirect requests passes that over.
            response.raw.read(decode_content=False)
        again = send(self, request, **keywords)
        served["hits" if again.from_cache else "others"] += 1
        return again

    return wrapper


where: tuple[Any, ...] = (requests, requests.sessions)
for module in where:
    module.Session = Session
if HITS:
    adapter: Any = requests_adapter.CacheAdapter
    adapter.send = _answered_from_the_store(adapter.send)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if HITS:
        terminalreporter.write_line(f"{served['hits']} requests answered from the store, {served['others']} not")
