"""G2 with BLAKE3: the record names it under its signature, and a reader who lacks it gets no unverified byte."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from client_bodies import CLIENTS, opened_client
from local_origin import Origin, Reply, Seen, fresh
from msgspec.structs import replace
from without_wheel import NEEDS_BLAKE3, without_blake3

from sansio_cache import CachedSession, MemoryStore, NotCached, SettingError, SQLiteStore, StoreError
from sansio_cache.records import Head, Named, _decode, encode_head
from sansio_cache.sealing import UNSIGNED, unframe
from sansio_cache_adapters.trio.session import TrioCachedSession

pytestmark = NEEDS_BLAKE3
LARGE = bytes(range(256)) * 12_000
SHORT = b"s" * 100_000
OLD, NEW = "a secret of at least sixteen bytes", "another secret of sixteen bytes"
SAYS = "pip install 'sansio-cache[blake3]'"


def heads(store: Any) -> list[Head]:
    return [head for each in store.listed() if (head := _decode(unframe(each.stored.sealed)[1])) is not None]


def hashed_with(store: Any) -> dict[str, str]:
    """What the bodies in a store are hashed with, by the last part of their URLs."""
    return {head.url.rpartition("/")[2]: head.hashed_with for head in heads(store)}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("stream", [False, True])
def test_large_bodies_are_hashed_so_and_read_by_everybody(
    client: str, stream: bool, tmp_path: Path, origin: Origin, key: str
) -> None:
    """A session that hashes with SHA-256 reads what one with BLAKE3 has stored, and the other way round."""
    bodies = {"small": b"s" * 500, "short": SHORT, "large": LARGE}
    urls = {origin.on(f"/{name}", fresh(body)): body for name, body in bodies.items()}
    store = SQLiteStore(tmp_path / "cache.sqlite")
    with opened_client(client, store, secret_key=key, body_digest="blake3") as session:
        for url, body in urls.items():
            assert session.get(url, stream=stream).body == body
        session.settle()
        assert hashed_with(store) == {"small": "", "short": "blake3", "large": "blake3"}
        for url, body in urls.items():
            got = session.get(url, stream=stream)
            assert (got.from_cache, got.body) == (True, body)
    with opened_client(client, store, secret_key=key) as session:
        for url, body in urls.items():
            got = session.get(url, stream=stream)
            assert (got.from_cache, got.body) == (True, body)
    assert origin.count() == len(urls)
    store.close()


@pytest.mark.parametrize("client", CLIENTS)
def test_without_the_wheel_it_is_a_miss_that_is_told_once(
    client: str, tmp_path: Path, origin: Origin, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What is fetched instead is hashed with what is there: the next time it is a hit, with the wheel and without."""
    urls = {origin.on("/short", fresh(SHORT)): SHORT, origin.on("/large", fresh(LARGE)): LARGE}
    store = SQLiteStore(tmp_path / "cache.sqlite")
    with opened_client(client, store, secret_key=key, body_digest="blake3") as session:
        for url in urls:
            session.get(url)
        session.settle()
    with without_blake3(), opened_client(client, store, secret_key=key) as session:
        for found in (False, True):
            for url, body in urls.items():
                got = session.get(url)
                assert (got.from_cache, got.body) == (found, body)
            session.settle()
        assert session.stats.flaws == 2
        assert [record.getMessage() for record in caplog.records if SAYS in record.getMessage()] == [
            f"stored bodies cannot be verified, and are as good as not there: blake3 is not installed: {SAYS}"
        ]
        assert set(hashed_with(store).values()) == {""}
    with opened_client(client, store, secret_key=key, body_digest="blake3") as session:
        assert all(session.get(url).from_cache for url in urls)
    store.close()


@pytest.fixture
def stored(sessions: Any, origin: Origin) -> str:
    """The URL of a large body that was stored with BLAKE3."""
    url = origin.on("/large", fresh(LARGE))
    sessions(body_digest="blake3").get(url)
    return url


def test_offline_says_what_to_install(sessions: Any, stored: str) -> None:
    with without_blake3(), pytest.raises(NotCached, match=r"sansio-cache\[blake3\]") as caught:
        sessions(offline=True).get(stored)
    assert caught.value.url == stored
    assert sessions(offline=True).get(stored).content == LARGE


def test_a_304_confirms_nothing_that_cannot_be_read(sessions: Any, origin: Origin) -> None:
    """What is stale is fetched whole."""

    def answer(seen: Seen) -> Reply:
        assert seen.get("if-none-match") is None
        return fresh(LARGE, 0, etag='"a"')

    url = origin.on("/a", answer)
    sessions(body_digest="blake3").get(url)
    with without_blake3():
        response = sessions().get(url)
    assert (response.content, response.from_cache) == (LARGE, False)


def test_maintenance_does_without_the_wheel_what_needs_no_body(
    sessions: Any, stored: str, caplog: pytest.LogCaptureFixture
) -> None:
    """G7: heads are listed, verified and signed anew; nothing is removed as damaged."""
    with without_blake3():
        session = sessions(secret_key=[OLD, NEW])
        assert [entry.url for entry in session.cache.entries()] == [stored]
        assert session.cache.verify().good == 1
        assert session.cache.resign() == 1
        assert session.cache.delete(invalid=True) == 0
        assert session.cache.get(stored) is None
        assert not session.cache.contains(stored)
        assert caplog.text.count(SAYS) == 1
        with pytest.raises(StoreError, match=r"sansio-cache\[blake3\]"):
            session.cache.get(session.cache.entries()[0])
    assert sessions(secret_key=NEW).get(stored).content == LARGE


def test_it_cannot_be_asked_for_without_the_wheel(origin: Origin) -> None:
    for make in (CachedSession, TrioCachedSession):
        with without_blake3(), pytest.raises(SettingError, match=r"sansio-cache\[blake3\]"):
            make(cache=MemoryStore(), body_digest="blake3")


@pytest.mark.parametrize("name", ["", "blake3", "sha1", "os.system", "x" * 5000])
def test_another_name_in_an_unsigned_store_is_a_miss(sessions: Any, origin: Origin, name: str) -> None:
    """G1, G29: the name there is not verified; nothing is imported by it, and no unverified byte is given."""
    store = MemoryStore()
    url = origin.on("/a", fresh(LARGE), fresh(b"anew"))
    with CachedSession(store) as session:
        session.get(url)
        (listed,) = store.listed()
        (head,) = heads(store)
        assert isinstance(head.digest, bytes)
        forged = replace(head, digest=Named(name, head.digest))
        assert store.change([listed], UNSIGNED.seal(encode_head(forged))) == 1
        response = session.get(url)
        assert (response.content, response.from_cache) == (b"anew", False)
        assert session.cache.stats.flaws == 1


def test_nothing_is_said_where_nothing_is_lacking(sessions: Any, stored: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert sessions().get(stored).from_cache
    assert not caplog.records
