"""No request waits for a write, the queue is bounded, and failures are reported (G22, G28)."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import anyio
import pytest
from msgspec.structs import replace

from sansio_cache.errors import ForeignStore, StoreBusy, StoreError
from sansio_cache.records import CHUNK_SIZE, INLINE_LIMIT, Item, Stored
from sansio_cache_adapters.stores.protocol import AsyncStore, QueueFull, new_entry
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.stores.threaded import Threaded
from sansio_cache_adapters.testing import make_item, name

NOW = time.time()
T = TypeVar("T")
Run = Callable[[Callable[[], Awaitable[T]]], T]


class Recording(SQLiteStore):
    """Notes which thread writes and waits."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, busy_timeout=0.3)
        self.threads: set[str] = set()

    def commit(self, item: Item, *, vary_limit: int, now: float) -> bool:
        self.threads.add(threading.current_thread().name)
        return super().commit(item, vary_limit=vary_limit, now=now)

    def load(self, partition: bytes) -> Sequence[Stored]:
        self.threads.add(threading.current_thread().name)
        return super().load(partition)


async def committed(store: AsyncStore, text: str, body: bytes = b"body", *, now: float = NOW) -> bool:
    return await store.commit(make_item(text, body, resource=text, now=now), vary_limit=32, now=now)


async def until_refused(store: AsyncStore, entry: bytes) -> int:
    """Write chunks until there is no more room; the index of the one that found none."""
    for index in range(1, 100):
        try:
            await store.write(entry, index, bytes(CHUNK_SIZE))
        except StoreBusy:
            return index
    raise AssertionError("a hundred chunks found room")


class TestNobodyWaits:
    def test_what_may_take_long_is_done_in_threads(self, run: Run[None], path: Path) -> None:
        """G22: the loop's own thread neither writes nor waits."""

        async def main() -> None:
            inner = Recording(path)
            store = Threaded(inner)
            await store.open(signed=False)
            assert await committed(store, "one")
            await store.flush(30)
            for index in range(10):
                item = make_item("large", bytes(INLINE_LIMIT), variant=str(index), now=NOW)
                assert await store.commit(item, vary_limit=32, now=NOW)
            await store.flush(30)
            assert store.load_nowait(name("large")) is None
            assert len(await store.load(name("large"))) == 10
            await store.close()
            assert inner.threads == {"sansio-cache writer", "sansio-cache reader"}

        run(main)

    def test_a_queue_without_room_drops_the_record(
        self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection
    ) -> None:
        """G28: memory is bounded; the record is refused, its owner told, and what was queued is written."""

        async def main() -> None:
            told: list[BaseException] = []
            store = Threaded(SQLiteStore(inner.path, busy_timeout=30))
            store.listen(told.append)
            await store.open(signed=False)
            other.execute("BEGIN IMMEDIATE")
            kept = 0
            while await committed(store, str(kept), bytes(INLINE_LIMIT)):
                kept += 1
            assert 200 < kept < 300
            assert [type(each) for each in told] == [QueueFull]
            assert store.load_nowait(name(str(kept))) == []
            other.execute("ROLLBACK")
            assert await store.flush(30)
            assert (await store.size()).entries == kept
            await store.close()

        run(main)

    def test_chunks_without_room_wait_and_are_given_up(
        self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection
    ) -> None:
        """G28: a body that comes faster than it can be written waits for room, for a second at most."""

        async def main() -> None:
            store = Threaded(SQLiteStore(inner.path, busy_timeout=30))
            await store.open(signed=False)
            entry = new_entry()
            await store.write(entry, 0, bytes(CHUNK_SIZE))
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            index = await until_refused(store, entry)
            assert index < 8
            assert 0.9 < time.monotonic() - began < 15
            other.execute("ROLLBACK")
            for later in range(index, 40):
                await store.write(entry, later, bytes(CHUNK_SIZE))
            store.abort(entry)
            await store.flush(30)
            while await store.sweep(now=NOW):
                pass
            assert await store.size() == (0, 0)
            await store.close()

        run(main)

    def test_a_chunk_that_failed_ends_the_body(
        self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection
    ) -> None:
        """G21: it is never committed with a hole."""

        async def main() -> None:
            told: list[BaseException] = []
            store = Threaded(inner)
            store.listen(told.append)
            entry = new_entry()
            other.execute("BEGIN IMMEDIATE")
            await store.write(entry, 0, bytes(CHUNK_SIZE))
            await store.flush(30)
            other.execute("ROLLBACK")
            with pytest.raises(StoreError):
                await store.write(entry, 1, b"end")
            item = replace(make_item("one", bytes(CHUNK_SIZE) + b"end", now=NOW), body=None, entry=entry)
            await store.commit(item, vary_limit=32, now=NOW)
            await store.flush(30)
            assert list(await store.load(name("one"))) == []
            assert [type(each) for each in told] == [StoreBusy]
            await store.close()

        run(main)

    def test_a_write_that_failed_is_told(self, run: Run[None], path: Path) -> None:
        """The session that queued it goes on, and can log and count it; a listener that fails does no harm."""
        path.write_text("Dear diary")

        async def main() -> None:
            told: list[BaseException] = []
            store = Threaded(SQLiteStore(path))
            store.listen(lambda _: 1 / 0)
            end = store.listen(told.append)
            assert await committed(store, "one")
            await store.flush(30)
            assert [type(each) for each in told] == [ForeignStore]
            with pytest.raises(ForeignStore):
                await store.load(name("one"))
            end()
            assert await committed(store, "two")
            await store.flush(30)
            assert len(told) == 1
            await store.close()

        run(main)
        assert path.read_text() == "Dear diary"

    def test_writes_of_one_transaction_fail_together(
        self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection
    ) -> None:
        """Behind a lock that stays they do not wait one after the other; each is told."""

        async def main() -> None:
            told: list[BaseException] = []
            store = Threaded(inner)
            store.listen(told.append)
            await store.open(signed=False)
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            for index in range(60):
                assert await committed(store, str(index))
            assert not await store.flush(0.1)
            while len(told) < 60:
                await anyio.sleep(0.01)
            assert time.monotonic() - began < 59 * 0.3
            assert {type(each) for each in told} == {StoreBusy}
            other.execute("ROLLBACK")
            assert list(await store.load(name("1"))) == []
            await store.close()

        run(main)

    def test_one_that_fails_does_not_take_the_others_with_it(
        self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection
    ) -> None:
        """What cannot be written is told of; what was queued beside it is written."""

        async def main() -> None:
            told: list[BaseException] = []
            store = Threaded(SQLiteStore(inner.path, busy_timeout=30))
            store.listen(told.append)
            await store.open(signed=False)
            other.execute("BEGIN IMMEDIATE")
            for index in range(10):
                assert await committed(store, str(index))
                odd = replace(make_item(f"odd {index}", now=NOW), url="http://x/\ud800")
                assert await store.commit(odd, vary_limit=32, now=NOW)
            other.execute("ROLLBACK")
            assert await store.flush(30)
            assert [type(each) for each in told] == [StoreError] * 10
            assert (await store.size()).entries == 10
            assert store.load_nowait(name("odd 1")) == []
            await store.close()

        run(main)

    def test_flush_and_close_wait_within_bounds(
        self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection
    ) -> None:
        """What cannot be written is not waited for for ever."""

        async def main() -> None:
            store = Threaded(SQLiteStore(inner.path, busy_timeout=2))
            await store.open(signed=False)
            other.execute("BEGIN IMMEDIATE")
            assert await committed(store, "one")
            assert not await store.flush(0.1)
            other.execute("ROLLBACK")
            await store.close()
            assert len(inner.load(name("one"))) == 1

        run(main)
