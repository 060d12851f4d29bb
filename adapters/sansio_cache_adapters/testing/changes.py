"""The promises about changing and dropping what is stored, and about leases."""

# ruff: noqa: S101 - the asserts are the promises

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

from sansio_cache_adapters.stores.protocol import KEEP_REPLACED, LEASE_SECONDS, MARK_SECONDS, Lease, Store

from .opening import KIB, MakeStore, Opening, large, make_item, name, put, seen, stream, sweep_all


class ChangePromises(Opening):
    """A record is changed only by who has seen it as it is."""

    # Changing

    def test_freshening_changes_the_head_and_not_the_body(self, store: Store, now: float) -> None:
        """A record freshened has a new head, new times and a new ``rev``; only that one can be freshened."""
        old = put(store, make_item("one", b"body", now=now), now=now)
        item = replace(make_item("one", b"body", now=now + 9), sealed=b"fresh", body=None, status=203)
        assert store.change([seen("one", old.rev)], item) == 1
        [fresh] = store.load(name("one"))
        assert (fresh.sealed, fresh.body, fresh.entry) == (b"fresh", b"body", old.entry)
        assert fresh.rev != old.rev
        [listed] = store.listed()
        assert (listed.received_at, listed.stale_at, listed.status) == (now + 9, item.stale_at, 203)
        assert store.change([seen("one", old.rev)], replace(item, sealed=b"late")) == 0
        assert list(store.load(name("one"))) == [fresh]

    def test_freshening_keeps_the_chunks(self, store: Store, now: float) -> None:
        """A large body stays where it is."""
        old = put(store, stream(store, make_item("one", large(b"x"), now=now)), now=now)
        item = replace(make_item("one", large(b"x"), now=now + 9), sealed=b"fresh", body=None)
        assert store.change([seen("one", old.rev)], item) == 1
        [fresh] = store.load(name("one"))
        assert (fresh.sealed, fresh.body, fresh.entry) == (b"fresh", None, old.entry)
        assert store.chunk(fresh.entry, 1) == b"and the rest"

    def test_what_was_replaced_is_not_freshened(self, store: Store, now: float) -> None:
        """Two validated the same record: the second finds that its copy is no longer the one stored."""
        old = put(store, make_item("one", b"old", now=now), now=now)
        new = put(store, make_item("one", b"new", now=now), now=now)
        assert store.change([seen("one", old.rev)], make_item("one", b"old", now=now + 9)) == 0
        assert store.change([seen("unknown", old.rev)], make_item("unknown", now=now)) == 0
        assert list(store.load(name("one"))) == [new]

    def test_a_record_is_removed_by_its_rev(self, store: Store, now: float) -> None:
        """Only the record that was seen goes."""
        old = put(store, make_item("one", b"old", now=now), now=now)
        new = put(store, make_item("one", b"new", now=now), now=now)
        assert store.change([seen("one", old.rev)], None) == 0
        assert list(store.load(name("one"))) == [new]
        assert store.change([seen("one", new.rev)], None) == 1
        assert list(store.load(name("one"))) == []
        assert store.size() == (0, 0)

    def test_a_record_is_sealed_anew_by_its_rev(self, store: Store, now: float) -> None:
        """A record as it was listed gets another sealed head, and all else stays."""
        put(store, make_item("one", b"body", now=now), now=now)
        [listed] = store.listed()
        assert store.change([listed], b"sealed anew") == 1
        [stored] = store.load(name("one"))
        assert (stored.sealed, stored.body) == (b"sealed anew", b"body")
        [again] = store.listed()
        assert again._replace(stored=listed.stored) == listed
        assert store.change([listed], b"late") == 0
        assert list(store.load(name("one"))) == [stored]

    # Dropping

    def test_a_resource_is_dropped_from_all_partitions(self, store: Store, now: float) -> None:
        """RFC 9111 §4.4: the entries of all users go, those of other resources stay."""
        for text in ("one", "two"):
            put(store, make_item(text, now=now), now=now)
        put(store, make_item("two", variant="other", now=now), now=now)
        other = put(store, make_item("three", resource="other", now=now), now=now)
        assert store.drop(name("resource"), now=now + 1) == 3
        assert [*store.load(name("one")), *store.load(name("two"))] == []
        assert list(store.load(name("three"))) == [other]
        assert store.drop(name("resource"), now=now + 1) == 0

    @pytest.mark.parametrize(
        ("requested", "committed", "kept"),
        [(-1.0, 1.0, False), (0.0, 1.0, False), (0.1, 1.0, True)],
        ids=["requested before", "requested at the same time", "requested after"],
    )
    def test_a_drop_refuses_what_was_requested_before(
        self, store: Store, now: float, requested: float, committed: float, kept: bool
    ) -> None:
        """A response on its way while its resource was changed is not kept."""
        store.drop(name("resource"), now=now)
        item = replace(make_item("one", now=now), requested_at=now + requested)
        assert store.commit(item, vary_limit=32, now=now + committed) is kept
        assert len(store.load(name("one"))) == kept
        put(store, make_item("two", resource="other", now=now - 1), now=now)

    def test_a_drop_refuses_chunks_too(self, store: Store, now: float) -> None:
        """The chunks of a refused record are given up."""
        item = stream(store, make_item("one", large(b"x"), now=now))
        store.drop(name("resource"), now=now + 1)
        assert not store.commit(item, vary_limit=32, now=now + 2)
        sweep_all(store, time.time() + 2 * KEEP_REPLACED)
        assert self.own_clock or store.size() == (0, 0)

    def test_a_drop_is_remembered_for_ten_minutes(self, store: Store, now: float) -> None:
        """MARK_SECONDS: long enough for the slowest response, and no longer."""
        self.moves()
        store.drop(name("resource"), now=now)
        late = make_item("one", now=now - 1)
        sweep_all(store, now + MARK_SECONDS - 1)
        assert not store.commit(late, vary_limit=32, now=now + MARK_SECONDS - 1)
        assert store.commit(late, vary_limit=32, now=now + MARK_SECONDS + 1)

    def test_of_many_drops_none_is_forgotten(self, make: MakeStore, now: float) -> None:
        """G28: however few marks a small store keeps, responses requested before any of them are refused."""
        store = make(max_bytes=64 * KIB)
        for index in range(100):
            store.drop(name(f"resource {index}"), now=now + index / 100)
        sweep_all(store, now + 1)
        for index in (0, 1, 50, 99):
            late = make_item(f"late {index}", resource=f"resource {index}", now=now - 1)
            assert not store.commit(late, vary_limit=32, now=now + 1)
        put(store, make_item("one", resource="resource 0", now=now + 2), now=now + 2)

    # Leases

    def test_one_fetches_for_all(self, store: Store, now: float) -> None:
        """The first is granted the lease, and again when it renews it; others hear that it is held."""
        assert self.claim(store, "a", now) is Lease.GRANTED
        assert self.claim(store, "b", now + 1) is Lease.HELD
        assert self.claim(store, "a", now + 2) is Lease.GRANTED
        assert self.claim(store, "b", now + 3, text="two") is Lease.GRANTED

    def test_a_dead_leader_loses_its_lease(self, store: Store, now: float) -> None:
        """A lease ends at its time, at most LEASE_SECONDS ahead, unless renewed."""
        self.moves()
        self.claim(store, "a", now, until=now + 10)
        self.claim(store, "a", now + 9, until=now + 10_000)
        assert self.claim(store, "b", now + 11) is Lease.HELD
        assert self.claim(store, "b", now + 10 + LEASE_SECONDS) is Lease.GRANTED
        assert self.claim(store, "a", now + 11 + LEASE_SECONDS) is Lease.HELD

    def test_a_lease_is_given_back_by_its_holder_only(self, store: Store, now: float) -> None:
        """``release`` with another's token is nothing."""
        self.claim(store, "a", now)
        self.release(store, "b")
        assert self.claim(store, "b", now) is Lease.HELD
        self.release(store, "a")
        assert self.claim(store, "b", now) is Lease.GRANTED

    def test_what_was_not_storable_needs_no_queue(self, store: Store, now: float) -> None:
        """After ``open_until`` everyone fetches for himself until then."""
        self.claim(store, "a", now)
        self.release(store, "a", open_until=now + 40)
        assert self.claim(store, "b", now + 1) is Lease.OPEN
        assert self.claim(store, "c", now + 1) is Lease.OPEN
        if not self.own_clock:
            assert self.claim(store, "b", now + 41) is Lease.GRANTED
            assert self.claim(store, "c", now + 41) is Lease.HELD

    def test_a_drop_frees_the_leases_of_its_resource(self, store: Store, now: float) -> None:
        """A fetch that was begun before the drop is not waited for."""
        self.claim(store, "a", now)
        self.claim(store, "a", now, text="two")
        store.drop(name("resource"), now=now)
        assert self.claim(store, "b", now) is Lease.GRANTED
        assert self.claim(store, "b", now, text="two") is Lease.GRANTED
