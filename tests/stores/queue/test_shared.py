"""Cancelled tasks leave nothing behind (G23); sessions share one queue (G24)."""

from __future__ import annotations

import gc
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import anyio

from sansio_cache_adapters.stores.protocol import AsyncStore, Lease
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.stores.threaded import Threaded, threaded
from sansio_cache_adapters.testing import make_item, name

NOW = time.time()
T = TypeVar("T")
Run = Callable[[Callable[[], Awaitable[T]]], T]


async def committed(store: AsyncStore, text: str, body: bytes = b"body", *, now: float = NOW) -> bool:
    return await store.commit(make_item(text, body, resource=text, now=now), vary_limit=32, now=now)


class Slow(SQLiteStore):
    """Takes a claim, and tells no thread of it until its gate is opened."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.gate = threading.Event()
        self.begun = 0

    def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease:
        answer = super().claim(partition, resource, token, now=now, until=until)
        self.begun += 1
        self.gate.wait(20)
        return answer


class TestCancelled:
    def test_a_claim_that_nobody_waits_for_is_given_back(self, run: Run[None], inner: SQLiteStore) -> None:
        """G23: cancelled while the claim was queued, or while it was being answered."""

        async def main() -> None:
            slow = Slow(inner.path)
            store = Threaded(slow)
            await store.open(signed=False)
            async with anyio.create_task_group() as tasks:
                for text in ("one", "two", "three"):
                    claim = partial(store.claim, name(text), name(text), b"a", now=NOW, until=NOW + 50)
                    tasks.start_soon(claim)
                with anyio.fail_after(20):
                    while slow.begun < 2:
                        await anyio.sleep(0.001)
                tasks.cancel_scope.cancel()
            slow.gate.set()
            for text in ("one", "two", "three"):
                with anyio.fail_after(20):
                    # The thread that works for tasks that are gone gives back their claims.
                    while await store.claim(name(text), name(text), b"b", now=NOW, until=NOW + 50) is Lease.HELD:
                        await anyio.sleep(0.001)
            await store.close()

        run(main)

    def test_a_claim_is_given_back_though_the_writes_before_it_fail(
        self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection
    ) -> None:
        """G28: and not before they can be seen, where they do not fail: it is done after their transaction."""

        async def main() -> None:
            store = Threaded(SQLiteStore(inner.path, busy_timeout=0.1))
            await store.open(signed=False)
            assert await store.claim(name("one"), name("one"), b"a", now=NOW, until=NOW + 50) is Lease.GRANTED
            other.execute("BEGIN IMMEDIATE")
            for text in ("one", "two"):
                assert await committed(store, text)
            store.release(name("one"), b"a")
            with anyio.fail_after(20):
                while inner.claim(name("one"), name("one"), b"b", now=NOW, until=NOW + 50) is Lease.HELD:
                    await anyio.sleep(0.001)
            other.execute("ROLLBACK")
            await store.close()

        run(main)

    def test_a_claim_on_its_way_back_is_taken_over_by_its_own_process(
        self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection
    ) -> None:
        """It sees what is queued, so it does not wait for that; others get the claim when the second is given back."""

        async def main() -> None:
            store = Threaded(inner)
            await store.open(signed=False)
            another = SQLiteStore(inner.path)
            other.execute("BEGIN IMMEDIATE")
            for token in (b"a", b"b"):
                assert await store.claim(name("one"), name("one"), token, now=NOW, until=NOW + 50) is Lease.GRANTED
                assert await committed(store, "one", token)
                store.release(name("one"), token)
            assert await store.claim(name("one"), name("one"), b"c", now=NOW, until=NOW + 50) is Lease.GRANTED
            other.execute("ROLLBACK")
            await store.size()
            assert another.claim(name("one"), name("one"), b"d", now=NOW, until=NOW + 50) is Lease.HELD
            store.release(name("one"), b"c")
            await store.size()
            assert another.claim(name("one"), name("one"), b"d", now=NOW, until=NOW + 50) is Lease.GRANTED
            another.close()
            await store.close()

        run(main)

    def test_a_claim_takes_no_thread_where_the_lock_file_is_open(self, run: Run[None], inner: SQLiteStore) -> None:
        async def main() -> None:
            store = Threaded(inner)
            await store.open(signed=False)
            threads: list[int] = []
            claims = inner._claims
            take = claims._take

            def noted(*arguments: Any) -> Lease:
                threads.append(threading.get_ident())
                return take(*arguments)

            claims._take = noted  # type: ignore[method-assign]
            for text in ("one", "two"):
                assert await store.claim(name(text), name(text), b"a", now=NOW, until=NOW + 50) is Lease.GRANTED
            assert [each == threading.get_ident() for each in threads] == [False, True]
            await store.close()

        run(main)

    def test_a_reader_goes_at_once(self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection) -> None:
        """G23: anyone who is cancelled does not wait for the thread that works for him."""

        async def main() -> None:
            store = Threaded(SQLiteStore(inner.path, busy_timeout=20))
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            inner.close()
            other.execute("BEGIN EXCLUSIVE")
            began = time.monotonic()
            with anyio.move_on_after(0.05):
                await store.load(name("one"))
            assert time.monotonic() - began < 10
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
        assert threaded(inner).location == inner.path

    def test_one_closes_while_another_writes(self, run: Run[None], inner: SQLiteStore) -> None:
        """Closing ends the threads; anyone who goes on begins others, and nothing changes its order."""

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
        """It was not closed: its thread ends when the queue is empty."""

        async def main() -> None:
            store = Threaded(inner)
            for index in range(50):
                assert await committed(store, str(index))
            (place,) = store._queue.worker._queue.places
            del store
            gc.collect()
            # The thread holds it until it ends.
            assert place.acquire(timeout=30)
            assert inner.size().entries == 50

        run(main)
