"""A transport is made from what it is told; its cache comes with the first request, and there is one of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest
from local_origin import Origin, fresh

from sansio_cache import AsyncCacheTransport, CacheTransport, SettingError, SQLiteStore
from sansio_cache_adapters.cache.first_use import is_made

KEY = "0123456789abcdef" * 4


def test_a_transport_that_asked_nothing_is_closed_without_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with httpx2.Client(transport=CacheTransport(cache=path, secret_key=KEY)) as client:
        assert "a.sqlite, signed" in repr(client._transport)

    async def ask_nothing() -> None:
        transport = AsyncCacheTransport(cache=path, secret_key=KEY)
        await transport.aclose()
        assert not is_made(transport, "_cache")

    asyncio.run(ask_nothing())
    assert not is_made(client._transport, "_cache")
    assert not path.exists()


def test_a_store_that_was_given_is_closed_unasked(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "a.sqlite")
    store.open(signed=False)
    CacheTransport(cache=store).close()
    assert store.known_entries() is None  # it is not open


def test_transports_over_others_share_the_cache_whichever_asks_first(origin: Origin, tmp_path: Path) -> None:
    url = origin.on("/a", fresh(b"1"))
    mounts = {"all://other": httpx2.HTTPTransport()}
    with httpx2.Client(mounts=mounts) as client:
        CacheTransport.wrap(client, tmp_path / "a.sqlite")
        above = [client._transport, *client._mounts.values()]
        assert not any(is_made(each, "_cache") for each in above)
        client.get(url)
        assert client.get(url).extensions["from_cache"]
        assert len({id(each._cache) for each in above}) == 1  # type: ignore[union-attr]


def test_awaiting_transports_over_others_share_tasks_too(origin: Origin, tmp_path: Path) -> None:
    url = origin.on("/a", fresh(b"1"))

    async def ask() -> None:
        async with httpx2.AsyncClient() as client:
            AsyncCacheTransport.wrap(client, tmp_path / "a.sqlite")
            transport = client._transport
            assert isinstance(transport, AsyncCacheTransport)
            other = transport.over(httpx2.AsyncHTTPTransport())
            await client.get(url)
            assert (await other.handle_async_request(httpx2.Request("GET", url))).extensions["from_cache"]
            assert other._cache is transport._cache
            assert other._tasks is transport._tasks
            assert other._handler is not transport._handler
            await other.inner.aclose()

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("kind", "inner", "method"),
    [
        (CacheTransport, httpx2.AsyncHTTPTransport, "handle_request"),
        (AsyncCacheTransport, httpx2.HTTPTransport, "handle_async_request"),
    ],
)
def test_what_is_no_transport_is_refused_when_it_is_given(kind: type, inner: type, method: str) -> None:
    for attempt in (lambda: kind(inner()), lambda: kind().over(inner())):
        with pytest.raises(SettingError, match=f"takes a transport of httpx2 that has {method},"):
            attempt()
    with pytest.raises(SettingError, match="peer takes a str"):
        kind(peer=1)
