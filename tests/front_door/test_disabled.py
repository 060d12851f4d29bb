"""``disabled()``: by ``with`` and ``async with``, and responses with which the cache had nothing to do say so."""

from __future__ import annotations

import asyncio
import contextvars
import pickle
import threading
from typing import Any

import aiohttp
import anyio
import pytest
import requests
from every_client import CLIENTS, Face, Got, play
from local_origin import Origin, fresh, redirect

from sansio_cache import AsyncCachedSession, CachedSession, MemoryStore, TrioCachedSession, disabled, enabled
from sansio_cache_adapters.cache.switches import Block

BYPASS = 'sansio-cache;fwd=bypass;fwd-status=200;detail="disabled"'


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("by", ["with", "async with"])
def test_within_a_block_nothing_is_from_the_cache(client: str, by: str, origin: Origin) -> None:
    """The idiom ``if not response.from_cache: sleep(1)`` holds there too."""
    url = origin.on("/a", fresh(b"x"))

    async def scenario(face: Face) -> None:
        await face.get(url)
        off = face.owner.disabled()
        for _ in range(2):
            if by == "with":
                with off:
                    within = await face.get(url)
            else:
                async with off:
                    within = await face.get(url)
            assert within == Got(b"x", False, BYPASS)
            assert (await face.get(url)).from_cache
        assert origin.count("/a") == 3

    play(client, scenario, cache=MemoryStore())


def test_every_attribute_is_there(origin: Origin) -> None:
    """Of the hops that led to a response too; and they travel."""
    url = origin.on("/a", redirect("/b"))
    origin.on("/b", fresh(b"x"))
    with CachedSession(MemoryStore()) as session, session.disabled():
        response = session.get(url)
        prepared = session.send(session.prepare_request(requests.Request("GET", url)))
    for each in (response, *response.history, prepared, *prepared.history, pickle.loads(pickle.dumps(response))):
        assert (each.from_cache, each.created_at, each.expires, each.is_expired) == (False, None, None, False)
        assert (each.cache_key, each.revalidated) == ("", False)
        assert "fwd=bypass" in each.cache_status


@pytest.mark.filterwarnings("error")
def test_every_attribute_is_there_in_aiohttp(origin: Origin) -> None:
    url = origin.on("/a", redirect("/b"))
    origin.on("/b", fresh(b"x"))

    async def main() -> None:
        async with AsyncCachedSession(cache=MemoryStore()) as session:
            async with session.disabled(), session.get(url) as response:
                for each in (response, *response.history):
                    assert (each.from_cache, each.created_at, each.expires, each.is_expired) == (
                        False,
                        None,
                        None,
                        False,
                    )
                    assert (each.cache_key, each.revalidated) == ("", False)
                    assert each.cache_status.endswith('detail="disabled"')
                assert await response.read() == b"x"
            async with session.get(url, headers={"Upgrade": "x"}) as response:
                assert response.cache_status.endswith('detail="upgrade"')

    asyncio.run(main())


def test_blocks_may_lie_in_each_other_and_be_left_in_any_task(origin: Origin) -> None:
    """One object serves several blocks, threads and tasks; each leaves its own."""
    url = origin.on("/a", fresh(b"x"))

    async def main() -> None:
        async with AsyncCachedSession(cache=MemoryStore()) as session:
            async with session.get(url) as response:
                await response.read()
            off, entered = session.disabled(), asyncio.Event()

            async def within() -> bool:
                async with off:
                    entered.set()
                    await asyncio.sleep(0)
                    async with off, session.get(url) as response:
                        return response.from_cache

            async def without() -> bool:
                await entered.wait()
                async with session.get(url) as response:
                    return response.from_cache

            assert await asyncio.gather(within(), without(), within()) == [False, True, False]
            async with session.get(url) as response:
                assert response.from_cache

    asyncio.run(main())


def test_a_decorated_function_runs_in_a_block(origin: Origin) -> None:
    """Blocking or not."""
    url = origin.on("/a", fresh(b"x"))
    with CachedSession(MemoryStore()) as session:
        session.get(url)

        @session.disabled()
        def blocking() -> bool:
            return session.get(url).from_cache

        @session.disabled()
        async def awaiting() -> bool:
            await asyncio.sleep(0)
            return session.get(url).from_cache

        assert [blocking(), asyncio.run(awaiting()), session.get(url).from_cache] == [False, False, True]


def test_a_block_ends_where_it_began() -> None:
    """In another context there is nothing to leave."""
    with CachedSession(MemoryStore()) as session:
        block: Block = session.disabled()
        elsewhere = contextvars.copy_context()
        elsewhere.run(block.__enter__)
        with pytest.raises(RuntimeError, match="the thread or task that entered it"):
            block.__exit__(None, None, None)
        elsewhere.run(block.__exit__, None, None, None)


def test_the_scripts_own_switches_work_both_ways(origin: Origin) -> None:
    """``enabled()`` and ``disabled()``, with what asks in them: requests in threads and tasks, existing sessions."""
    url = origin.on("/a", fresh(b"x"))

    def got() -> Any:
        return requests.get(url)

    async def main() -> None:
        async with enabled(MemoryStore()):
            assert [got().from_cache for _ in range(2)] == [False, True]
            async with disabled():
                assert (got().from_cache, got().cache_status) == (False, BYPASS)
            with disabled():
                assert not got().from_cache
            seen: list[bool] = []
            thread = threading.Thread(target=lambda: seen.append(hasattr(got(), "from_cache")))
            thread.start()
            thread.join()
            assert seen == [False], "a thread of its own is not in the block"
        assert not hasattr(got(), "from_cache")

    asyncio.run(main())
    with enabled(MemoryStore()):
        assert [got().from_cache for _ in range(2)] == [False, True]


def test_trio_says_what_bypassed(origin: Origin) -> None:
    """Also while it streams."""
    url = origin.on("/a", fresh(b"x"))

    async def main() -> None:
        session = TrioCachedSession(cache=MemoryStore())
        async with session, session.disabled(), session.stream("GET", url) as response:
            assert (response.from_cache, response.cache_status) == (False, BYPASS)

    anyio.run(main, backend="trio")


def test_answers_that_another_library_gives_in_requests_place(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests replace the sending of a session or of all adapters: their answers have the attributes too."""
    made = requests.Response()
    made.status_code = 418
    made._content = b"theirs"

    def send(self: Any, request: Any, **_: Any) -> requests.Response:
        return made

    with CachedSession(MemoryStore()) as session:
        monkeypatch.setattr(requests.Session, "send", send)
        response = session.get(origin.url("/a"))
        assert response is made
        assert (response.from_cache, response.cache_status) == (False, "sansio-cache;fwd=bypass;fwd-status=418")


def test_requests_mock() -> None:
    """Whose mocker replaces a session's own sending: the cache is bypassed. Above its adapter it works."""
    requests_mock = pytest.importorskip("requests_mock")
    with requests_mock.Mocker() as mock, CachedSession(MemoryStore()) as session:
        mock.get("http://example.org/", text="mocked", headers={"Cache-Control": "max-age=60"})
        first, second = session.get("http://example.org/"), session.get("http://example.org/")
        assert (first.text, first.from_cache, second.text) == ("mocked", False, "mocked")
        assert not second.from_cache
        with session.disabled():
            response = session.get("http://example.org/")
        assert (response.text, response.from_cache, response.cache_status) == ("mocked", False, BYPASS)

    adapter = requests_mock.Adapter()
    adapter.register_uri("GET", "http://example.org/", text="mocked", headers={"Cache-Control": "max-age=60"})
    with CachedSession(MemoryStore()) as session:
        session.mount("http://", adapter)
        assert [session.get("http://example.org/").from_cache for _ in "12"] == [False, True]


def test_responses() -> None:
    """Which replaces the sending of every HTTPAdapter."""
    responses = pytest.importorskip("responses")
    with responses.RequestsMock() as mock, CachedSession(MemoryStore()) as session:
        mock.get("http://example.org/", body="mocked", headers={"Cache-Control": "max-age=60"})
        first = session.get("http://example.org/")
        assert (first.text, first.from_cache) == ("mocked", False)
        with session.disabled():
            response = session.get("http://example.org/")
        assert (response.text, response.from_cache, response.cache_status) == ("mocked", False, BYPASS)


def test_aiohttp_replaced(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    """As tests of aiohttp programs do it: another method sends, and gives a response of aiohttp's own class."""
    url = origin.on("/a", fresh(b"theirs"))
    plain = aiohttp.ClientSession._request

    async def _request(self: Any, method: str, _: Any, **keywords: Any) -> aiohttp.ClientResponse:
        async with aiohttp.ClientSession() as other:
            return await plain(other, method, url)

    async def main() -> None:
        monkeypatch.setattr(aiohttp.ClientSession, "_request", _request)
        async with AsyncCachedSession(cache=MemoryStore()) as session, session.get("http://example.org/") as response:
            assert (response.status, response.from_cache) == (200, False)
            assert response.cache_status == "sansio-cache;fwd=bypass;fwd-status=200"

    asyncio.run(main())
