"""What is queued is seen at once by the process itself."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from msgspec.structs import replace

from sansio_cache.errors import StoreBusy
from sansio_cache.records import CHUNK_SIZE
from sansio_cache_adapters.stores.protocol import AsyncStore, new_entry
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.stores.threaded import Threaded
from sansio_cache_adapters.testing import make_item, name
from sansio_cache_adapters.testing.opening import seen

NOW = time.time()
T = TypeVar("T")
Run = Callable[[Callable[[], Awaitable[T]]], T]


async def committed(store: AsyncStore, text: str, body: bytes = b"body", *, now: float = NOW) -> bool:
    return await store.commit(make_item(text, body, resource=text, now=now), vary_limit=32, now=now)


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
            assert await store.change([seen("one", queued.rev)], fresh)
            [again] = store.load_nowait(name("one")) or ()
            assert (again.sealed, again.body) == (fresh.sealed, b"body")
            other.execute("ROLLBACK")
            assert await store.flush(30)
            [written] = inner.load(name("one"))
            assert (written.sealed, written.body) == (fresh.sealed, b"body")
            # The rev under which it was seen before it was written is still good.
            assert await store.change([seen("one", again.rev)], None)
            assert store.load_nowait(name("one")) == []
            assert await store.flush(30)
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
            assert await store.flush(30)
            other.execute("BEGIN IMMEDIATE")
            assert await committed(store, "one", b"second")
            assert await committed(store, "one", b"third")
            assert [each.body for each in store.load_nowait(name("one")) or ()] == [b"stored", b"third"]
            other.execute("ROLLBACK")
            assert await store.flush(30)
            assert [each.body for each in store.load_nowait(name("one")) or ()] == [b"third"]
            await store.close()

        run(main)

    def test_a_large_body(self, run: Run[None], inner: SQLiteStore) -> None:
        """Its chunks can be read as soon as it is committed, behind those who write it."""

        async def main() -> None:
            store = Threaded(inner)
            body = bytes(CHUNK_SIZE) + b"end"
            item = make_item("one", body, now=NOW)
            entry = new_entry()
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
        """Anyone who dropped has gone on after 10 ms."""

        async def main() -> None:
            told: list[BaseException] = []
            store = Threaded(inner)
            store.listen(told.append)
            await store.open(signed=False)
            other.execute("BEGIN IMMEDIATE")
            assert await store.drop(name("one"), now=NOW) == 0
            await store.flush(30)
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
            assert await store.flush(30)
            other.execute("BEGIN IMMEDIATE")
            assert await store.drop(name("one"), now=NOW + 1) == 0  # not known within 10 ms
            assert store.load_nowait(name("one")) is None
            assert not await committed(store, "one")
            assert await committed(store, "one", now=NOW + 2)
            other.execute("ROLLBACK")
            assert [each.body for each in await store.load(name("one"))] == [b"body"]
            assert await store.flush(30)
            assert len(store.load_nowait(name("one")) or ()) == 1
            assert await store.drop(name("one"), now=NOW + 3) == 1
            await store.close()

        run(main)

    def test_a_drop_of_what_is_still_queued(
        self, run: Run[None], inner: SQLiteStore, other: sqlite3.Connection
    ) -> None:
        """G14: who asks while both wait to be written gets nothing of what was dropped, and what came after it."""

        async def main() -> None:
            store = Threaded(inner)
            other.execute("BEGIN IMMEDIATE")
            assert await committed(store, "one")
            await store.drop_soon(name("one"), now=NOW + 1)
            found: list[int] = []

            async def ask() -> None:
                found.append(len(await store.load(name("one"))))

            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                other.execute("ROLLBACK")
            assert found == [0, 0, 0]
            other.execute("BEGIN IMMEDIATE")
            await store.drop_soon(name("one"), now=NOW + 2)
            assert await committed(store, "one", now=NOW + 3)
            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                other.execute("ROLLBACK")
            assert found == [0, 0, 0, 1]
            await store.close()

        run(main)
