"""Validation in the background under httpx2's clients, and bodies and secrets of the stores below."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anyio import to_thread
from clock import Clock
from colours import COLOURS, Client, Colour
from httpx_answers import hit
from local_origin import Reply, Seen, fresh
from watched_origin import WatchedOrigin, tagged

from sansio_cache import BadSignature, CachedSession, KeyRequired, MemoryStore

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", COLOURS, indirect=True)]

TEXT = b"the quick brown fox " * 500


@pytest.fixture
def told() -> list[str]:
    """The kinds of events, in order."""
    return []


@pytest.fixture
async def stale(colour: Colour, store: MemoryStore, clock: Clock, told: list[str]) -> Client:
    """A client that gives a stale response at once; to close it is to wait for what it does behind."""
    settings: dict[str, Any] = {"stale_while_revalidate": True, "on_event": lambda event: told.append(event.kind)}
    return colour.over(colour.transport(cache=store, clock=clock, **settings))


@pytest.mark.parametrize("later", [fresh(b"new"), Reply(b"new", fields={"Cache-Control": "no-store"})])
async def test_a_stale_answer_is_validated(
    stale: Client, client: Client, origin: WatchedOrigin, clock: Clock, later: Reply
) -> None:
    url = origin.on("/", fresh(b"old", 10), later)
    await stale.get(url)
    clock.advance(60)
    assert (await stale.get(url)).content == b"old"
    await stale.close()
    assert origin.count() == 2
    assert (await client.get(url)).content == b"new"


async def test_a_request_changed_afterwards_is_validated_as_it_was(
    stale: Client, client: Client, origin: WatchedOrigin, clock: Clock
) -> None:
    """It is the user's: what they do to it after the stale answer must not be asked for, and kept, in its place."""
    url, other = origin.on("/", fresh(b"old", 10), fresh(b"new")), origin.on("/other", fresh(b"another's"))
    await stale.get(url)
    clock.advance(60)
    request = stale.plain.build_request("GET", url, extensions={"trace": None})
    assert (await stale.send(request)).content == b"old"
    request.url = httpx2.URL(other)
    request.method = "DELETE"
    request.headers["X-Late"] = "1"
    request.extensions["target"] = b"/other"
    await stale.close()
    assert [(seen.method, seen.target, seen.get("x-late")) for seen in origin.seen] == [("GET", "/", None)] * 2
    response = await client.get(url)
    assert (response.content, hit(response)) == (b"new", True)


async def test_an_application_is_asked_too(colour: Colour, store: MemoryStore, clock: Clock) -> None:
    bodies = [b"old", b"new"]
    fields = {"Cache-Control": "max-age=10"}
    inner = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=fields, content=bodies.pop(0)))
    client = colour.over(colour.transport(inner, cache=store, clock=clock, stale_while_revalidate=True))
    await client.get("http://app/")
    clock.advance(60)
    assert (await client.get("http://app/")).content == b"old"
    await client.close()
    again = colour.over(colour.transport(inner, cache=store, clock=clock))
    assert (await again.get("http://app/")).content == b"new"


async def test_one_stale_url_is_validated_once_at_a_time(stale: Client, origin: WatchedOrigin, clock: Clock) -> None:
    go = threading.Event()

    def slow(seen: Seen) -> Reply:
        if seen.get("if-none-match"):
            go.wait(30)
        return tagged(b"hello")(seen)

    url = origin.on("/", slow)
    await stale.get(url)
    clock.advance(60)
    for _ in range(5):
        assert (await stale.get(url)).content == b"hello"
    go.set()
    await stale.close()
    assert origin.count() == 2


async def test_a_validation_that_fails_is_told_and_changes_nothing(
    stale: Client, origin: WatchedOrigin, clock: Clock, told: list[str]
) -> None:
    url = origin.on("/", fresh(b"old", 10))
    await stale.get(url)
    await to_thread.run_sync(origin.close)
    clock.advance(60)
    assert (await stale.get(url)).content == b"old"
    await stale.close()
    assert told == ["miss", "stored", "stale", "background-error"]


# Stores


async def test_one_signed_file_serves_requests_and_httpx2(
    colour: Colour, origin: WatchedOrigin, tmp_path: Path, key: str
) -> None:
    first = origin.on("/first", fresh(TEXT, coded=True))
    second = origin.on("/second", fresh(bytes(3_000_000), vary="Accept-Encoding"))
    path, coding = tmp_path / "cache.sqlite", {"Accept-Encoding": "gzip"}
    with CachedSession(path, secret_key=key) as session:
        await to_thread.run_sync(session.get, first)
        client = colour.over(colour.transport(cache=path, secret_key=key))
        response = await client.get(first)
        assert (response.content, hit(response)) == (TEXT, True)
        for expected in (False, True):
            response = await client.get(second, headers=coding)
            assert (response.content, hit(response)) == (bytes(3_000_000), expected)
        await client.close()
        # What was queued has been written.
        theirs = await to_thread.run_sync(lambda: session.get(second, headers=coding))
        assert (theirs.content, theirs.from_cache) == (bytes(3_000_000), True)
    assert origin.count() == 2


async def test_a_record_that_another_key_signed_is_refused(
    colour: Colour, origin: WatchedOrigin, tmp_path: Path, key: str
) -> None:
    url = origin.on("/", fresh(b"hello"))
    path = tmp_path / "cache.sqlite"
    await colour.over(colour.transport(cache=path, secret_key=key)).get(url)
    await colour.close()
    other = colour.over(colour.transport(cache=path, secret_key=key[::-1]))
    with pytest.raises(BadSignature) as raised:
        await other.get(url)
    assert raised.value.url == url
    assert (await other.get(url, extensions={"sansio_cache": {"force_refresh": True}})).content == b"hello"
    with pytest.raises(KeyRequired):
        await colour.over(colour.transport(cache=path)).get(url)


async def test_a_stored_body_that_is_gone_is_a_read_error(
    client: Client, store: MemoryStore, origin: WatchedOrigin
) -> None:
    url = origin.on("/", fresh(bytes(9_000_000)))
    await client.get(url)
    async with client.stream("GET", url) as response:
        pieces = client.raw_pieces(response)
        await anext(pieces)
        store.clear()
        with pytest.raises(httpx2.ReadError) as raised:
            async for _ in pieces:
                pass
    assert raised.value.request.url == url
    assert len((await client.get(url)).content) == 9_000_000


async def test_a_store_that_cannot_be_opened_is_bypassed(colour: Colour, origin: WatchedOrigin, tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.docx"
    thesis.write_bytes(b"my thesis" * 100)
    url = origin.on("/", fresh(b"hello"))
    client = colour.over(colour.transport(cache=thesis))
    for _ in range(2):
        response = await client.get(url)
        assert response.content == b"hello"
        assert "store-unavailable" in response.extensions["cache_status"]
    assert thesis.read_bytes() == b"my thesis" * 100
