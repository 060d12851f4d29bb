"""One cache for a whole script reaches the clients of httpx2 too, blocking and awaiting, made before and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import httpx2
import pytest
import requests
from local_origin import Origin, Reply, Seen

from sansio_cache import AsyncCacheTransport, CacheTransport, MemoryStore, SettingError
from sansio_cache_adapters.patch import disabled, enabled, install_cache, uninstall_cache


@pytest.fixture
def counter(origin: Origin) -> str:
    seen: list[Seen] = []

    def count(request: Seen) -> Reply:
        seen.append(request)
        return Reply(b"%d" % len(seen), fields={"Cache-Control": "max-age=60"})

    return origin.on("/counter", count)


@pytest.fixture
def installed() -> Iterator[MemoryStore]:
    store = MemoryStore()
    install_cache(store)
    yield store
    uninstall_cache()


def seen(response: httpx2.Response) -> tuple[bool, str]:
    return bool(response.extensions["from_cache"]), response.text


def test_clients_made_before_and_after_and_none_at_all(counter: str) -> None:
    with httpx2.Client() as before:
        install_cache(MemoryStore())
        try:
            assert seen(httpx2.get(counter)) == (False, "1")
            assert seen(before.get(counter)) == (True, "1")
            with httpx2.Client() as after, after.stream("GET", counter) as response:
                response.read()
                assert seen(response) == (True, "1")
            assert requests.get(counter).text == "1"
        finally:
            uninstall_cache()
        assert "from_cache" not in before.get(counter).extensions


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_clients_that_await(installed: MemoryStore, counter: str, backend: str) -> None:
    async def main() -> None:
        async with httpx2.AsyncClient() as client:
            assert [seen(await client.get(counter)) for _ in range(2)] == [(False, "1"), (True, "1")]
            async with disabled():
                assert seen(await client.get(counter)) == (False, "2")
            assert seen(await client.get(counter)) == (True, "1")

    anyio.run(main, backend=backend)


def test_what_one_request_says(installed: MemoryStore, counter: str) -> None:
    anew: dict[str, Any] = {"sansio_cache": {"force_refresh": True}}
    with httpx2.Client() as client:
        assert [client.get(counter, extensions=each).text for each in ({}, anew, {})] == ["1", "2", "2"]


def test_a_block_and_a_block_without(counter: str) -> None:
    with httpx2.Client() as client:
        with enabled(MemoryStore()):
            assert [client.get(counter).text for _ in range(2)] == ["1", "1"]
            with disabled():
                response = client.get(counter)
                assert seen(response) == (False, "2")
                assert "disabled" in response.extensions["cache_status"]
        assert client.get(counter).text == "3"


def test_a_transport_with_a_cache_keeps_its_own(installed: MemoryStore, counter: str) -> None:
    with httpx2.Client(transport=CacheTransport(cache=MemoryStore())) as client:
        client.get(counter)
    assert installed.size().entries == 0


def test_whom_the_script_talks_to_may_be_named(counter: str) -> None:
    """G10: sessions of one peer do not meet those of another."""
    store = MemoryStore()
    for peer in ("one", "two", "one"):
        install_cache(store, peer=peer)
        try:
            assert requests.get(counter).text == httpx2.get(counter).text == ("2" if peer == "two" else "1")
        finally:
            uninstall_cache()
    with pytest.raises(SettingError):
        install_cache(store, peer="")


def test_a_cache_is_put_on_a_client_that_exists(counter: str) -> None:
    with httpx2.Client(headers={"X-Mine": "1"}) as client:
        assert CacheTransport.wrap(client, MemoryStore()) is client
        assert [seen(client.get(counter)) for _ in range(2)] == [(False, "1"), (True, "1")]
        with pytest.raises(SettingError, match="has a cache already"):
            CacheTransport.wrap(client, MemoryStore())

    async def main() -> None:
        async with AsyncCacheTransport.wrap(httpx2.AsyncClient(), MemoryStore()) as other:
            assert [seen(await other.get(counter)) for _ in range(2)] == [(False, "2"), (True, "2")]

    anyio.run(main)
