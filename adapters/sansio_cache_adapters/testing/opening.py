"""How the tests of the contract open stores, and what they put into them."""

# ruff: noqa: S101 - the asserts are the promises

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Protocol

import pytest
from msgspec.structs import replace

from sansio_cache.errors import StoreError
from sansio_cache.records import CHUNK_SIZE, Item, Stored, chunk_hashes
from sansio_cache_adapters.stores.protocol import DEFAULT_MAX_BYTES, Claiming, Flushing, Lease, Seen, Store, new_entry

__all__ = [
    "KIB",
    "MakeStore",
    "Opening",
    "is_gone",
    "large",
    "make_item",
    "name",
    "put",
    "stream",
    "sweep_all",
]

KIB = 1024


def name(text: str) -> bytes:
    """32 bytes that stand for a resource, a partition or a variant in a test."""
    return hashlib.sha256(text.encode()).digest()


def make_item(
    text: str,
    body: bytes = b"body",
    *,
    now: float,
    resource: str = "resource",
    variant: str = "variant",
    lifetime: float = 3600.0,
) -> Item:
    """A record to commit, its whole body beside it: partition ``text``, requested and received at ``now``."""
    return Item(
        resource=name(resource),
        partition=name(text),
        variant=name(variant),
        sealed=f"sealed {text} {variant} {hashlib.sha256(body).hexdigest()}".encode(),
        body=body,
        entry=b"",
        hashes=chunk_hashes(body),
        size=len(body),
        requested_at=now,
        received_at=now,
        stale_at=now + lifetime / 2,
        purge_at=now + lifetime,
        url=f"http://example.org/{text}",
        method="GET",
        status=200,
        tags=("tag", text),
    )


def put(store: Store, item: Item, *, now: float, vary_limit: int = 32) -> Stored:
    """The record as it lies in the store after committing ``item``, which must succeed."""
    assert store.commit(item, vary_limit=vary_limit, now=now)
    [stored] = [each for each in store.load(item.partition) if each.sealed == item.sealed]
    return stored


def stream(store: Store, item: Item) -> Item:
    """``item`` as a body that came in chunks, which have been written and are not committed yet."""
    body = item.body or b""
    entry = new_entry()
    for index, at in enumerate(range(0, len(body), CHUNK_SIZE)):
        store.write(entry, index, body[at : at + CHUNK_SIZE])
    return replace(item, body=None, entry=entry)


def seen(text: str, rev: int, variant: str = "variant") -> Seen:
    """The record of a partition of this name, as it was seen."""
    return Seen(name(text), name(variant), rev)


def flush(store: Store) -> None:
    """See that all is written that the store writes later."""
    assert not isinstance(store, Flushing) or store.flush(5.0)


def large(seed: bytes) -> bytes:
    """A body of two chunks, the second of which is ``b"and the rest"``."""
    whole = seed * (CHUNK_SIZE // len(seed) + 1)
    return whole[:CHUNK_SIZE] + b"and the rest"


def sweep_all(store: Store, now: float) -> None:
    """Sweep at this time until nothing is left to sweep."""
    for _ in range(1000):
        if not store.sweep(now=now):
            return
    raise AssertionError("sweep never comes to an end")


def is_gone(store: Store, entry: bytes) -> bool:
    """Whether a body can no longer be read."""
    try:
        store.chunk(entry, 0)
    except StoreError:
        return True
    return False


class MakeStore(Protocol):
    """Opens the store of a test; a second call gives a second object on the same place."""

    def __call__(self, *, max_bytes: int = ..., max_entries: int | None = ...) -> Store:
        """A store object, open."""
        ...


class Opening:
    """How a store is opened. Override :meth:`make_store`.

    :cvar shared: whether two objects made on one ``tmp_path`` are one store.
    :cvar own_clock: whether the store forgets by a clock of its own (a server's), so that moving ``now``
        ahead moves nothing; the tests that need it to are skipped.
    :cvar bounded: whether the store holds ``max_bytes`` and ``max_entries`` itself; False where a server has bounds of
        its own, and the tests of them are skipped.
    """

    shared: ClassVar[bool] = True
    own_clock: ClassVar[bool] = False
    bounded: ClassVar[bool] = True

    def make_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> Store:
        """A new store object on the place that belongs to ``tmp_path``."""
        raise NotImplementedError

    @pytest.fixture
    def make(self, tmp_path: Path) -> Iterator[MakeStore]:
        """Makes store objects on one place, and closes them all."""
        made: list[Store] = []

        def make(*, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None) -> Store:
            store = self.make_store(tmp_path, max_bytes=max_bytes, max_entries=max_entries)
            made.append(store)
            store.open(signed=False)
            return store

        yield make
        for store in made:
            store.close()

    @pytest.fixture
    def store(self, make: MakeStore) -> Store:
        """One open store."""
        return make()

    @pytest.fixture
    def now(self) -> float:
        """The time at which a test begins, POSIX seconds."""
        return time.time()

    def moves(self) -> None:
        """Skip the test where time cannot be moved by ``now``."""
        if self.own_clock:
            pytest.skip("this store forgets by its own clock")

    def bounds(self) -> None:
        """Skip the test where the store does not add up what it holds."""
        if not self.bounded:
            pytest.skip("this store is bounded by its server")

    def claim(self, store: Store, token: str, now: float, until: float | None = None, text: str = "one") -> Lease:
        """Claim partition ``text`` of the one resource; the test is skipped where a store has no claims."""
        if not isinstance(store, Claiming):
            pytest.skip("this store has no claims")
        until = now + 30 if until is None else until
        return store.claim(name(text), name("resource"), token.encode(), now=now, until=until)

    def release(self, store: Store, token: str, open_until: float = 0.0) -> None:
        """Give partition ``one`` back."""
        assert isinstance(store, Claiming)
        store.release(name("one"), token.encode(), open_until=open_until)
        flush(store)
