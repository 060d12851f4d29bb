"""Large stored bodies: chunks that follow are read and verified while one is handed out (G2, G17, G30)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest
from forked_clients import child_ends, ended, fork
from local_origin import Origin, fresh

from sansio_cache import AsyncCachedSession, BadSignature, CachedSession, MemoryStore, StoreError
from sansio_cache.decisions import FromStore
from sansio_cache_adapters.cache import verifying
from sansio_cache_adapters.cache.reading import fetched
from sansio_cache_adapters.cache.stored_body import StoredBody
from sansio_cache_adapters.stores.work import do

MIB = 1 << 20
BODY = b"".join(bytes([number]) * MIB for number in range(9)) + b"the end"


class Watched(MemoryStore):
    """Notes which chunks are read, and may give others or raise."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[int] = []
        self.harm: Callable[[int], bytes | None] = lambda index: None

    def chunk(self, entry: bytes, index: int) -> bytes:
        self.read.append(index)
        return self.harm(index) or super().chunk(entry, index)


@contextmanager
def kept(origin: Origin, key: str) -> Iterator[tuple[Watched, Callable[..., StoredBody]]]:
    """A store that holds the body, and what begins to read it."""
    url, store = origin.on("/large", fresh(BODY)), Watched()
    with CachedSession(cache=store, secret_key=key) as session:
        session.get(url)
        engine = session._cache.engine
        partition = bytes.fromhex(session.get(url, stream=True).cache_key)

        def begin(start: int = 0, stop: int = len(BODY)) -> StoredBody:
            (record,) = do(fetched(engine, engine.rules, partition))
            store.read.clear()
            return StoredBody(engine, FromStore(record, start, stop))

        yield store, begin


def test_a_few_chunks_are_under_way(origin: Origin, key: str) -> None:
    """What is read ahead is bounded, and nothing is read twice or past the end of a range."""
    with kept(origin, key) as (store, begin):
        body = begin()
        pieces = [do(body.read())]
        assert 1 < len(store.read) <= 4
        while piece := do(body.read()):
            pieces.append(piece)
        assert b"".join(pieces) == BODY
        assert store.read == list(range(10))
        assert do(begin(MIB + 5, 2 * MIB + 7).rest()) == BODY[MIB + 5 : 2 * MIB + 7]
        assert store.read == [1, 2]


@pytest.mark.parametrize("start", [0, 5, 8 * MIB, len(BODY) - 1])
def test_the_rest_is_one_piece(start: int, origin: Origin, key: str) -> None:
    """It is the same as all pieces together, wherever it begins."""
    with kept(origin, key) as (_, begin):
        body = begin(start)
        assert do(body.rest()) == BODY[start:]
        assert body.at_end


def test_what_is_broken_is_told_in_its_turn(origin: Origin, key: str) -> None:
    """G2: all that comes before a chunk that is not what was signed is given, and nothing of that chunk."""
    with kept(origin, key) as (store, begin):
        store.harm = lambda index: b"#" * MIB if index == 2 else None
        body = begin()
        assert [do(body.read()) for _ in range(2)] == [BODY[:MIB], BODY[MIB : 2 * MIB]]
        with pytest.raises(BadSignature):
            do(body.read())


def test_what_cannot_be_read_is_told_in_its_turn(origin: Origin, key: str) -> None:
    """A store that fails for a chunk further on fails for the reader who comes there."""
    with kept(origin, key) as (store, begin):

        def fail(index: int) -> None:
            if index == 2:
                raise StoreError("the disk is gone")

        store.harm = fail
        body = begin()
        assert do(body.read()) + do(body.read()) == BODY[: 2 * MIB]
        with pytest.raises(StoreError, match="the disk is gone"):
            do(body.read())


def test_without_threads(origin: Origin, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none can be started, the reader's own thread verifies."""

    def refuse(_: Callable[[], object]) -> Future[Any]:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(verifying._THREADS, "submit", refuse)
    with kept(origin, key) as (store, begin):
        assert do(begin().rest()) == BODY
        store.harm = lambda index: b"#" * MIB if index == 7 else None
        with pytest.raises(BadSignature):
            do(begin().rest())


def test_a_child_reads_on(origin: Origin, key: str) -> None:
    """G30: what was under way when the process was forked is the parent's; both come to the end."""
    with kept(origin, key) as (_, begin):
        body = begin()
        first = do(body.read())
        child = fork()
        if not child:
            with child_ends():
                assert first + do(body.rest()) == BODY
        assert first + do(body.rest()) == BODY
        assert ended([child])


def test_a_cancelled_read_loses_nothing(origin: Origin, key: str) -> None:
    """Who stops to read the whole, and reads again, gets all of it."""

    async def main() -> None:
        url = origin.on("/large", fresh(BODY))
        async with AsyncCachedSession(cache=MemoryStore(), secret_key=key) as session:
            async with session.get(url) as response:
                await response.read()
            async with session.get(url) as response:
                for seconds in (0.0, 0.0005, 0.002):
                    reading = asyncio.ensure_future(response.content.read())
                    await asyncio.sleep(seconds)
                    reading.cancel()
                    data = (await asyncio.gather(reading, return_exceptions=True))[0]
                    if isinstance(data, bytes):
                        break
                else:
                    data = await response.content.read()
                assert data == BODY

    asyncio.run(main())
