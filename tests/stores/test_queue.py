"""Threaded beyond the contract: what is queued is seen at once, bounded, told of when it fails, and in order."""

from __future__ import annotations

import gc
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import anyio
import pytest
from msgspec.structs import replace

from sansio_cache.errors import ForeignStore, StoreBusy, StoreError
from sansio_cache.records import CHUNK_SIZE, INLINE_LIMIT, Item, Stored
from sansio_cache_adapters.stores.base import AsyncStore, Lease
from sansio_cache_adapters.stores.immediate import Immediate
from sansio_cache_adapters.stores.memory import MemoryStore
from sansio_cache_adapters.stores.sqlite import SQLiteStore
from sansio_cache_adapters.stores.threaded import Threaded, threaded
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


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[object]]], object]:
    """Runs an async function on either library."""
    return lambda function: anyio.run(function, backend=str(request.param))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.sqlite"


@pytest.fixture
def inner(path: Path) -> Iterator[SQLiteStore]:
    """A store that waits for others for 0.3 s."""
    store = SQLiteStore(path, busy_timeout=0.3)
    store.open(signed=False)
    yield store
    store.close()


@pytest.fixture
def other(path: Path, inner: SQLiteStore) -> Iterator[sqlite3.Connection]:
    """A stranger who can hold the lock."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
    yield connection
    connection.close()


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


class TestSeenAtOnce:
    """While a stranger holds the lock nothing can be written: what is seen was queued."""

    def test_a_record(self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection) -> None:
        """A record queued is loaded, at once and awaited; it is freshened and discarded as if it lay there."""

        async def main() -> None:
            store = Threaded(inner)
            await store.open(signed=False)
            other.execute("BEGIN IMMEDIATE")
            assert await committed(store, "one")
            [queued] = store.load_nowait(name("one")) or ()
            assert (queued.sealed, queued.body) == (make_item("one", now=NOW).sealed, b"body")
            assert list(await store.load(name("one"))) == [queued]
            fresh = make_item("one", b"fresh", resource="one", now=NOW)
            assert await store.freshen(fresh, rev=queued.rev)
            [again] = store.load_nowait(name("one")) or ()
            assert (again.sealed, again.body) == (fresh.sealed, b"body")
            other.execute("ROLLBACK")
            assert await store.flush(5.0)
            [written] = inner.load(name("one"))
            assert (written.sealed, written.body) == (fresh.sealed, b"body")
            # The rev under which it was seen before it was written is still good.
            assert await store.discard(name("one"), name("variant"), rev=again.rev)
            assert store.load_nowait(name("one")) == []
            assert await store.flush(5.0)
            assert inner.load(name("one")) == []
            await store.close()

        run(main)

    def test_a_record_that_takes_anothers_place(
        self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection
    ) -> None:
        """Of two queued for one variant the later is seen; the one that is stored stays in sight beside it."""

        async def main() -> None:
            store = Threaded(inner)
            assert await committed(store, "one", b"stored")
            assert await store.flush(5.0)
            other.execute("BEGIN IMMEDIATE")
            assert await committed(store, "one", b"second")
            assert await committed(store, "one", b"third")
            assert [each.body for each in store.load_nowait(name("one")) or ()] == [b"stored", b"third"]
            other.execute("ROLLBACK")
            assert await store.flush(5.0)
            assert [each.body for each in store.load_nowait(name("one")) or ()] == [b"third"]
            await store.close()

        run(main)

    def test_a_large_body(self, run: Run[None], inner: SQLiteStore) -> None:
        """Its chunks can be read as soon as it is committed, behind those who write it."""

        async def main() -> None:
            store = Threaded(inner)
            body = bytes(CHUNK_SIZE) + b"end"
            item = make_item("one", body, now=NOW)
            entry = await store.begin()
            await store.write(entry, 0, body[:CHUNK_SIZE])
            await store.write(entry, 1, body[CHUNK_SIZE:])
            assert await store.commit(replace(item, body=None, entry=entry), vary_limit=32, now=NOW)
            [seen] = store.load_nowait(name("one")) or ()
            assert (seen.body, seen.entry) == (None, entry)
            assert await store.hashes(entry) == item.hashes
            assert await store.chunk(entry, 1) == b"end"
            await store.close()

        run(main)

    def test_a_drop_that_fails_is_told(self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection) -> None:
        """Whoever dropped has gone on after 10 ms."""

        async def main() -> None:
            told: list[BaseException] = []
            store = Threaded(inner, on_error=told.append)
            await store.open(signed=False)
            other.execute("BEGIN IMMEDIATE")
            assert await store.drop(name("one"), now=NOW) == 0
            await store.flush(5.0)
            assert [type(each) for each in told] == [StoreBusy]
            other.execute("ROLLBACK")
            assert store.load_nowait(name("one")) == []
            await store.close()

        run(main)

    def test_a_drop(self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection) -> None:
        """Nothing of a resource is given out from the moment it was dropped, and nothing older is kept."""

        async def main() -> None:
            store = Threaded(inner)
            assert await committed(store, "one")
            assert await store.flush(5.0)
            other.execute("BEGIN IMMEDIATE")
            assert await store.drop(name("one"), now=NOW + 1) == 0  # not known within 10 ms
            assert store.load_nowait(name("one")) is None
            assert not await committed(store, "one")
            assert await committed(store, "one", now=NOW + 2)
            other.execute("ROLLBACK")
            assert [each.body for each in await store.load(name("one"))] == [b"body"]
            assert await store.flush(5.0)
            assert len(store.load_nowait(name("one")) or ()) == 1
            assert await store.drop(name("one"), now=NOW + 3) == 1
            await store.close()

        run(main)


class TestNobodyWaits:
    def test_what_may_take_long_is_done_in_threads(self, run: Run[None], path: Path) -> None:
        """G22: the loop's own thread neither writes nor waits."""

        async def main() -> None:
            inner = Recording(path)
            store = Threaded(inner)
            await store.open(signed=False)
            assert await committed(store, "one")
            await store.flush(5.0)
            for index in range(10):
                item = make_item("large", bytes(INLINE_LIMIT), variant=str(index), now=NOW)
                assert await store.commit(item, vary_limit=32, now=NOW)
            await store.flush(5.0)
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
            store = Threaded(SQLiteStore(inner.path, busy_timeout=30), on_error=told.append)
            await store.open(signed=False)
            other.execute("BEGIN IMMEDIATE")
            kept = 0
            while await committed(store, str(kept), bytes(INLINE_LIMIT)):
                kept += 1
            assert 200 < kept < 300
            assert [type(each) for each in told] == [StoreBusy]
            assert store.load_nowait(name(str(kept))) == []
            other.execute("ROLLBACK")
            assert await store.flush(5.0)
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
            entry = await store.begin()
            await store.write(entry, 0, bytes(CHUNK_SIZE))
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            index = await until_refused(store, entry)
            assert index < 8
            assert 0.9 < time.monotonic() - began < 3
            other.execute("ROLLBACK")
            for later in range(index, 40):
                await store.write(entry, later, bytes(CHUNK_SIZE))
            store.abort(entry)
            await store.flush(5.0)
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
            store = Threaded(inner, on_error=told.append)
            entry = await store.begin()
            other.execute("BEGIN IMMEDIATE")
            await store.write(entry, 0, bytes(CHUNK_SIZE))
            await store.flush(5.0)
            other.execute("ROLLBACK")
            with pytest.raises(StoreError):
                await store.write(entry, 1, b"end")
            item = replace(make_item("one", bytes(CHUNK_SIZE) + b"end", now=NOW), body=None, entry=entry)
            await store.commit(item, vary_limit=32, now=NOW)
            await store.flush(5.0)
            assert list(await store.load(name("one"))) == []
            assert [type(each) for each in told] == [StoreBusy]
            await store.close()

        run(main)

    def test_a_write_that_failed_is_told(self, run: Run[None], path: Path) -> None:
        """The session that queued it goes on, and can log and count it; a listener that fails hurts nobody."""
        path.write_text("Dear diary")

        async def main() -> None:
            told: list[BaseException] = []
            store = Threaded(SQLiteStore(path), on_error=lambda _: 1 / 0)
            end = store.listen(told.append)
            assert await committed(store, "one")
            await store.flush(5.0)
            assert [type(each) for each in told] == [ForeignStore]
            with pytest.raises(ForeignStore):
                await store.load(name("one"))
            end()
            assert await committed(store, "two")
            await store.flush(5.0)
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
            store = Threaded(inner, on_error=told.append)
            await store.open(signed=False)
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            for index in range(20):
                assert await committed(store, str(index))
            assert not await store.flush(0.1)
            while len(told) < 20:
                await anyio.sleep(0.01)
            assert time.monotonic() - began < 10 * 0.3
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
            store = Threaded(SQLiteStore(inner.path, busy_timeout=30), on_error=told.append)
            await store.open(signed=False)
            other.execute("BEGIN IMMEDIATE")
            for index in range(10):
                assert await committed(store, str(index))
                odd = replace(make_item(f"odd {index}", now=NOW), url="http://x/\ud800")
                assert await store.commit(odd, vary_limit=32, now=NOW)
            other.execute("ROLLBACK")
            assert await store.flush(10.0)
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


class TestCancelled:
    def test_a_lease_that_nobody_waits_for_is_given_back(
        self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection
    ) -> None:
        """G23: cancelled while the claim was queued, or while it was being answered."""

        async def main() -> None:
            store = Threaded(SQLiteStore(inner.path, busy_timeout=5))
            await store.open(signed=False)
            for text in ("one", "two"):
                other.execute("BEGIN IMMEDIATE")
                with anyio.move_on_after(0.05) as scope:
                    if text == "two":
                        assert await committed(store, "ahead")
                    await store.claim(name(text), name(text), b"a", now=NOW, until=NOW + 50)
                assert scope.cancelled_caught
                other.execute("ROLLBACK")
                assert await store.flush(5.0)
                answer = await store.claim(name(text), name(text), b"b", now=NOW, until=NOW + 50)
                assert answer is Lease.GRANTED
            await store.close()

        run(main)

    def test_a_reader_goes_at_once(self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection) -> None:
        """G23: whoever is cancelled does not wait for the thread that works for him."""

        async def main() -> None:
            store = Threaded(SQLiteStore(inner.path, busy_timeout=2))
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            inner.close()
            other.execute("BEGIN EXCLUSIVE")
            began = time.monotonic()
            with anyio.move_on_after(0.05):
                await store.load(name("one"))
            assert time.monotonic() - began < 1
            other.close()
            assert list(await store.load(name("one"))) == []
            await store.close()

        run(main)


class TestShared:
    def test_one_store_has_one_queue(self, inner: SQLiteStore) -> None:
        """Several sessions on one store object share it, as long as one of them lives."""
        store = threaded(inner)
        assert threaded(inner) is store
        assert isinstance(store, Threaded)
        memory = MemoryStore()
        assert isinstance(threaded(memory), Immediate)
        assert threaded(inner).location == inner.path

    def test_one_closes_while_another_writes(self, run: Run[None], inner: SQLiteStore) -> None:
        """Closing ends the threads; whoever goes on begins others, and nothing changes its order."""

        async def main() -> None:
            store = threaded(inner)
            for index in range(200):
                assert await committed(store, "one", str(index).encode(), now=NOW + index)
                if index % 10 == 0:
                    await store.close()
            await store.close()
            assert [each.body for each in inner.load(name("one"))] == [b"199"]

        run(main)

    def test_forgotten_it_writes_what_was_queued(
        self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection
    ) -> None:
        """Nobody closed it: its thread ends when the queue is empty."""

        async def main() -> None:
            store = Threaded(inner)
            for index in range(50):
                assert await committed(store, str(index))
            writers = [each for each in threading.enumerate() if each.name == "sansio-cache writer"]
            del store
            gc.collect()
            for each in writers:
                each.join(5)
            assert inner.size().entries == 50

        run(main)
