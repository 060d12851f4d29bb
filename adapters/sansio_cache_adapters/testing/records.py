"""The promises about committing and replacing records."""

# ruff: noqa: S101 - the asserts are the promises

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from msgspec.structs import replace

from sansio_cache.errors import StoreError
from sansio_cache.records import INLINE_LIMIT, chunk_hashes
from sansio_cache_adapters.stores.protocol import DEFAULT_MAX_BYTES, KEEP_REPLACED, LEASE_SECONDS, ReadingAtOnce, Store

from .opening import KIB, MakeStore, Opening, flush, is_gone, large, make_item, name, put, seen, stream, sweep_all


class RecordPromises(Opening):
    """A record is seen whole or not at all."""

    # Its identity

    def test_the_meta_record_is_made_once(self, store: Store) -> None:
        """A store's id (16 bytes) and salt (32 bytes) are made at the first opening and stay."""
        meta = store.open(signed=False)
        assert (len(meta.store_id), len(meta.salt), meta.signed) == (16, 32, False)
        store.close()
        assert store.open(signed=False) == meta

    def test_a_store_once_signed_stays_marked(self, store: Store) -> None:
        """G6: opening with a secret marks the store, opening without one does not unmark it."""
        assert store.open(signed=True).signed
        assert store.open(signed=False).signed
        store.unsign()
        assert not store.open(signed=False).signed

    def test_it_names_its_place(self, store: Store) -> None:
        """``location`` is text for messages; the bound is known."""
        assert store.location
        assert store.max_bytes == DEFAULT_MAX_BYTES

    def test_closing_twice_is_nothing_and_using_it_reopens(self, store: Store, now: float) -> None:
        """A committed record is there after the store was closed and used again."""
        stored = put(store, make_item("one", now=now), now=now)
        store.close()
        store.close()
        assert list(store.load(name("one"))) == [stored]

    def test_all_that_was_queued_is_written_by_flush(self, store: Store, now: float) -> None:
        """``flush`` says that nothing is left to write."""
        put(store, make_item("one", now=now), now=now)
        flush(store)

    # Committing

    def test_nothing_is_loaded_from_an_unknown_partition(self, store: Store) -> None:
        """An unknown partition is empty, no error."""
        assert list(store.load(name("unknown"))) == []

    @pytest.mark.parametrize(
        "body", [b"", b"x", b"y" * INLINE_LIMIT], ids=["empty", "one byte", "as large as a small body may be"]
    )
    def test_a_small_body_comes_with_its_head(self, store: Store, now: float, body: bytes) -> None:
        """A record is loaded whole; a store that reads at once gives the same or None."""
        item = make_item("one", body, now=now)
        stored = put(store, item, now=now)
        assert (stored.sealed, stored.body, len(stored.entry)) == (item.sealed, body, 16)
        at_once = store.load_nowait(name("one")) if isinstance(store, ReadingAtOnce) else None
        assert at_once is None or list(at_once) == [stored]

    def test_a_whole_body_may_be_large(self, store: Store, now: float) -> None:
        """A body given whole is kept however large, beside its head or in chunks."""
        body = large(b"whole")
        stored = put(store, make_item("one", body, now=now), now=now)
        if stored.body is None:
            assert store.hashes(stored.entry) == chunk_hashes(body)
            assert store.chunk(stored.entry, 0) + store.chunk(stored.entry, 1) == body
        else:
            assert stored.body == body

    def test_a_small_body_may_come_in_chunks(self, store: Store, now: float) -> None:
        """It was not known that it would be small; committed it is beside its head, or readable as a chunk."""
        stored = put(store, stream(store, make_item("one", b"small", now=now)), now=now)
        assert stored.body == b"small" or (stored.body is None and store.chunk(stored.entry, 0) == b"small")

    def test_chunks_are_invisible_until_committed(self, store: Store, now: float) -> None:
        """G21: the commit of the head is the one atomic step."""
        body = large(b"stream")
        item = stream(store, make_item("one", body, now=now))
        assert list(store.load(name("one"))) == []
        assert list(store.listed()) == []
        assert store.size().entries == 0
        stored = put(store, item, now=now)
        assert (stored.body, stored.entry) == (None, item.entry)
        assert store.hashes(stored.entry) == chunk_hashes(body)
        assert store.chunk(stored.entry, 0) + store.chunk(stored.entry, 1) == body

    def test_hashes_are_kept_as_they_are_given(self, store: Store, now: float) -> None:
        """Which digest made them only the sealed record says."""
        item = stream(store, make_item("one", large(b"stream"), now=now))
        item = replace(item, hashes=bytes(reversed(item.hashes)))
        assert store.hashes(put(store, item, now=now).entry) == item.hashes

    def test_a_missing_chunk_is_a_store_error(self, store: Store, now: float) -> None:
        """A chunk that is not there, and an entry that never was."""
        stored = put(store, stream(store, make_item("one", large(b"x"), now=now)), now=now)
        with pytest.raises(StoreError):
            store.chunk(stored.entry, 2)
        with pytest.raises(StoreError):
            store.chunk(b"\0" * 16, 0)
        with pytest.raises(StoreError):
            store.hashes(b"\0" * 16)

    def test_a_record_whose_chunks_are_gone_is_not_committed(self, store: Store, now: float) -> None:
        """G21: no entry is ever partial, not even when a writer was so slow that it was taken for dead."""
        item = stream(store, make_item("one", large(b"x"), now=now))
        store.clear()
        with suppress(StoreError):
            assert not store.commit(item, vary_limit=32, now=now)
        assert list(store.load(name("one"))) == []

    def test_a_body_given_up_is_swept(self, store: Store, now: float) -> None:
        """``abort`` marks; the next sweep removes the chunks without waiting for the writer's lease."""
        item = stream(store, make_item("one", large(b"x"), now=now))
        assert store.size().bytes >= item.size
        store.abort(item.entry)
        sweep_all(store, time.time())
        assert store.size() == (0, 0)
        assert is_gone(store, item.entry)

    def test_chunks_of_a_dead_writer_are_swept(self, make: MakeStore) -> None:
        """Chunks stay while their writer may live, and go when it has not renewed for LEASE_SECONDS."""
        self.moves()
        store = make()
        item = stream(store, make_item("one", large(b"x"), now=time.time()))
        sweep_all(store, time.time() + LEASE_SECONDS - 20)
        assert store.size().bytes >= item.size
        sweep_all(store, time.time() + LEASE_SECONDS + 20)
        assert store.size() == (0, 0)

    def test_a_record_larger_than_the_store_is_refused(self, make: MakeStore, now: float) -> None:
        """It is not kept, and nothing else is lost for it."""
        store = make(max_bytes=100 * KIB)
        kept = put(store, make_item("small", b"x" * KIB, now=now), now=now)
        assert not store.commit(make_item("large", b"x" * 60 * KIB * 2, now=now), vary_limit=32, now=now)
        sweep_all(store, now)
        assert list(store.load(name("large"))) == []
        assert list(store.load(name("small"))) == [kept]

    # Replacing

    def test_a_new_record_takes_the_place_of_its_variant(self, store: Store, now: float) -> None:
        """One record per variant; the other variants of the partition stay."""
        first = put(store, make_item("one", b"first", now=now), now=now)
        other = put(store, make_item("one", b"other", variant="other", now=now), now=now)
        second = put(store, make_item("one", b"second", now=now + 1), now=now + 1)
        assert {each.body for each in store.load(name("one"))} == {b"second", b"other"}
        assert second.rev != first.rev
        assert second.entry != first.entry
        assert other in store.load(name("one"))
        assert store.size().entries == 2

    @pytest.mark.parametrize("how", ["replaced", "dropped", "removed", "removed as listed"])
    def test_a_body_let_go_can_be_read_for_a_minute(self, store: Store, how: str) -> None:
        """A reader between two chunks is not cut off: KEEP_REPLACED seconds, then it is gone."""
        now = time.time()
        old = put(store, stream(store, make_item("one", large(b"old"), now=now)), now=now)
        listed = list(store.listed())
        if how == "replaced":
            put(store, stream(store, make_item("one", large(b"new"), now=now)), now=now)
        elif how == "dropped":
            assert store.drop(name("resource"), now=now) == 1
        elif how == "removed":
            assert store.change([seen("one", old.rev)], None) == 1
        else:
            assert store.change(listed, None) == 1
        assert old not in store.load(name("one"))
        sweep_all(store, time.time() + KEEP_REPLACED - 20)
        assert store.chunk(old.entry, 0) + store.chunk(old.entry, 1) == large(b"old")
        if not self.own_clock:
            sweep_all(store, time.time() + KEEP_REPLACED + 20)
            assert is_gone(store, old.entry)

    def test_of_too_many_variants_the_longest_unused_go(self, store: Store, now: float) -> None:
        """``vary_limit`` bounds a partition; a record that was used a moment ago stays."""
        first = put(store, make_item("one", variant="0", now=now), now=now, vary_limit=3)
        for index in (1, 2):
            item = make_item("one", variant=str(index), now=now)
            put(store, item, now=now + 100 * index, vary_limit=3)
        store.touch(name("one"), first.entry, now=now + 300)
        flush(store)
        put(store, make_item("one", variant="3", now=now), now=now + 400, vary_limit=3)
        kept = {each.sealed.split()[2] for each in store.load(name("one"))}
        assert kept == {b"0", b"2", b"3"}
        put(store, make_item("other", now=now), now=now + 400, vary_limit=3)
        assert len(store.load(name("one"))) == 3
