"""The promises about bounds, maintenance and company."""

# ruff: noqa: S101 - the asserts are the promises

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from sansio_cache.records import CHUNK_SIZE, Stored
from sansio_cache_adapters.stores.protocol import Lease, Listed, Store

from .opening import KIB, MakeStore, Opening, flush, is_gone, large, make_item, name, put, stream, sweep_all


class BoundPromises(Opening):
    """Every size is bounded, and several users share a store."""

    # Bounds

    def test_the_longest_unused_go_above_the_bound(self, make: MakeStore, now: float) -> None:
        """``max_bytes`` holds after the sweeps; records that were touched stay."""
        self.bounds()
        store = make(max_bytes=1024 * KIB)
        entries = [put(store, make_item(f"{index}", b"x" * 40 * KIB, now=now), now=now + index) for index in range(20)]
        store.touch(name("0"), entries[0].entry, now=now + 200)
        flush(store)
        for index in range(20, 40):
            put(store, make_item(f"{index}", b"x" * 40 * KIB, now=now), now=now + 200 + index)
        sweep_all(store, now + 300)
        assert 512 * KIB < store.size().bytes <= 1024 * KIB
        assert len(store.load(name("0"))) == 1
        assert len(store.load(name("1"))) == 0
        assert len(store.load(name("39"))) == 1

    def test_the_number_of_entries_is_bounded(self, make: MakeStore, now: float) -> None:
        """``max_entries`` holds after the sweeps."""
        self.bounds()
        store = make(max_entries=10)
        for index in range(30):
            put(store, make_item(f"{index}", now=now), now=now + index)
        sweep_all(store, now + 300)
        assert 5 <= store.size().entries <= 10
        assert len(store.load(name("29"))) == 1

    def test_pending_bytes_count(self, make: MakeStore, now: float) -> None:
        """A body on its way in takes the room of others."""
        self.bounds()
        store = make(max_bytes=3 * CHUNK_SIZE)
        for index in range(40):
            put(store, make_item(f"{index}", b"x" * 60 * KIB, now=now), now=now + index)
        item = stream(store, make_item("one", b"y" * CHUNK_SIZE + b"z" * (CHUNK_SIZE - 8 * KIB), now=now))
        sweep_all(store, time.time())
        assert item.size <= store.size().bytes <= 3 * CHUNK_SIZE
        put(store, item, now=now + 100)
        sweep_all(store, time.time())
        assert store.size().bytes <= 3 * CHUNK_SIZE
        assert len(store.load(name("one"))) == 1

    def test_what_has_expired_goes_in_small_batches(self, store: Store, now: float) -> None:
        """``sweep`` takes at most ``limit`` and says how many; records with time left stay."""
        self.moves()
        for index in range(25):
            put(store, make_item(f"{index}", now=now, lifetime=100), now=now)
        put(store, make_item("lasting", now=now, lifetime=1000), now=now)
        swept = 0
        while batch := store.sweep(now=now + 101, limit=10):
            assert batch <= 10
            swept += batch
        assert swept >= 25
        assert [each.partition for each in store.listed()] == [name("lasting")]

    # Listing and removing

    def test_every_record_is_listed_as_it_was_given(self, store: Store, now: float) -> None:
        """The columns for people to read come back; the body does not."""
        item = make_item("one", b"body", now=now)
        stored = put(store, item, now=now)
        assert list(store.listed()) == [
            Listed(
                item.resource,
                item.partition,
                item.variant,
                stored._replace(body=None),
                *(item.size, item.requested_at, item.received_at, item.stale_at, item.purge_at),
                *(item.url, item.method, item.status, item.tags),
            )
        ]

    def test_an_endless_record_is_listed(self, store: Store, now: float) -> None:
        """Times may be infinite."""
        endless = float("inf")
        put(store, replace(make_item("one", now=now), stale_at=endless, purge_at=endless), now=now)
        [listed] = store.listed()
        assert (listed.stale_at, listed.purge_at) == (endless, endless)

    def test_listing_goes_on_while_others_write(self, store: Store, now: float) -> None:
        """Each record that was there all the time is listed once; no lock is held between the batches."""
        for index in range(30):
            put(store, make_item(f"{index}", now=now), now=now)
        seen: list[bytes] = []
        for count, listed in enumerate(store.listed(batch=7)):
            seen.append(listed.partition)
            if count < 10:
                put(store, make_item(f"new {count}", now=now), now=now)
        there = {name(f"{index}") for index in range(30)}
        assert there <= set(seen)
        assert len(seen) == len(set(seen))

    def test_records_are_removed_as_listed(self, store: Store, now: float) -> None:
        """A record that changed since it was listed stays."""
        for text in ("one", "two", "three"):
            put(store, make_item(text, now=now), now=now)
        listed = [each for each in store.listed() if each.partition != name("three")]
        changed = put(store, make_item("two", b"changed", now=now), now=now)
        assert store.change(listed, None) == 1
        assert list(store.load(name("one"))) == []
        assert list(store.load(name("two"))) == [changed]
        assert store.size().entries == 2

    def test_clearing_leaves_the_id_and_the_salt(self, store: Store, now: float) -> None:
        """Everything goes, and the mark that the store is signed."""
        meta = store.open(signed=True)
        put(store, make_item("one", now=now), now=now)
        item = stream(store, make_item("two", large(b"x"), now=now))
        store.clear()
        assert list(store.listed()) == []
        assert store.size() == (0, 0)
        assert is_gone(store, item.entry)
        assert store.open(signed=False) == meta._replace(signed=False)

    def test_size_counts_entries_and_bytes(self, store: Store, now: float) -> None:
        """Bytes of heads and bodies, pending ones included."""
        assert store.size() == (0, 0)
        item = make_item("one", b"x" * 5000, now=now)
        put(store, item, now=now)
        assert store.size() == (1, 5000 + len(item.sealed))
        stream(store, make_item("two", b"y" * 7000, now=now))
        assert store.size() == (1, 5000 + len(item.sealed) + 7000)

    # Company

    def test_two_objects_on_one_place_are_one_store(self, make: MakeStore, now: float) -> None:
        """G24: what one commits, drops or claims the other sees."""
        if not self.shared:
            pytest.skip("each object is a store of its own")
        here, there = make(), make()
        assert here.open(signed=False) == there.open(signed=True)._replace(signed=False)
        assert here.open(signed=False).signed
        stored = put(here, make_item("one", now=now), now=now)
        assert list(there.load(name("one"))) == [stored]
        assert self.claim(here, "a", now) is Lease.GRANTED
        assert self.claim(there, "b", now) is Lease.HELD
        assert there.drop(name("resource"), now=now) == 1
        assert list(here.load(name("one"))) == []
        assert not here.commit(make_item("one", now=now), vary_limit=32, now=now)
        big = put(here, stream(here, make_item("big", large(b"x"), resource="other", now=now)), now=now)
        assert there.chunk(big.entry, 1) == b"and the rest"

    def test_threads_share_a_store(self, store: Store, now: float) -> None:
        """G24: many threads on one object, each finds what it wrote."""
        start = threading.Barrier(8)

        def work(number: int) -> Sequence[Stored]:
            start.wait()
            for index in range(20):
                text = f"{number} {index}"
                put(store, make_item(text, text.encode(), resource=text, now=now), now=now)
                store.touch(name(text), store.load(name(text))[0].entry, now=now)
                if index % 5 == 0:
                    assert store.drop(name(text), now=now) == 1
            return [each for index in range(20) for each in store.load(name(f"{number} {index}"))]

        with ThreadPoolExecutor(8) as pool:
            loaded = list(pool.map(work, range(8)))
        assert [len(each) for each in loaded] == [16] * 8
        assert store.size().entries == 8 * 16

    def test_one_of_many_threads_is_granted_the_lease(self, store: Store, now: float) -> None:
        """A lease is granted once, however many ask at the same moment."""
        start = threading.Barrier(8)

        def ask(number: int) -> Lease:
            start.wait()
            return self.claim(store, f"{number}", now)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(8)))
        assert sorted(answer.value for answer in answers) == ["granted"] + ["held"] * 7
