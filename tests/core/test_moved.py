"""Modules are still found under the names that they had before each client and store got a folder."""

from __future__ import annotations

import importlib

import pytest

MOVED = [
    ("httpx_transports", "httpx.transports"),
    ("trio_client", "trio.http.client"),
    ("trio_session", "trio.session"),
    ("trio_fast", "trio.fast_path"),
    ("aiohttp_middleware", "aiohttp.middleware"),
    ("requests_session", "requests.session"),
    ("events", "cache.events"),
    ("guard", "cache.circuit_breaker"),
    ("stores.base", "stores.protocol"),
    ("stores.sqlite_schema", "stores.sqlite.schema"),
]


@pytest.mark.parametrize(("before", "now"), MOVED, ids=[before for before, _ in MOVED])
def test_a_module_that_moved_is_the_same_module(before: str, now: str) -> None:
    found = importlib.import_module(f"sansio_cache_adapters.{before}")
    module = importlib.import_module(f"sansio_cache_adapters.{now}")
    assert found is module
    assert module.__name__ == f"sansio_cache_adapters.{now}", "it keeps its own name"
    assert module.__spec__ is not None
    assert module.__spec__.name == module.__name__


def test_what_a_moved_module_had_is_found_in_it() -> None:
    client = importlib.import_module("sansio_cache_adapters.trio_client")
    assert client._extract.__module__ == "sansio_cache_adapters.trio.http.sending"


@pytest.mark.parametrize("name", ["nothing", "trio_nothing", "stores.nothing_else", "httpx.nowhere", "stores"])
def test_what_is_nowhere_is_not_found(name: str) -> None:
    if name == "stores":
        assert importlib.import_module("sansio_cache_adapters.stores").__name__ == "sansio_cache_adapters.stores"
        return
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"sansio_cache_adapters.{name}")
