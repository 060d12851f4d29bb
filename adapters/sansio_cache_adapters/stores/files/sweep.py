"""Sweeps of a file store, which walk through its folder: there is no index that could go out of step.

A round visits all entries, removes those that expired or were left over, and then, if the rest is over the bound, the
longest unused. It is a generator, so that it can run in small batches with pauses in between.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Final

from sansio_cache_adapters.stores.protocol import KEEP_REPLACED, LEASE_SECONDS, Size
from sansio_cache_adapters.stores.rows import Row

from . import bodies, heads, marks
from .layout import SHARDS, Root, is_hex, mark_signed, names_in, probe, restrict_all, skipping

__all__ = ["Sweeper", "clear", "measure", "shards", "walk"]

_SWEPT: Final = "swept"
_ROUND_EVERY: Final = 60.0
"""Seconds after which a store in use is swept anyway, by one of its processes."""
_CANDIDATES: Final = 4096
"""How many records a round can evict at most: its memory is bounded."""


def shards(root: Root, *kinds: str) -> list[str]:
    """The shards that there are in any of these folders: in a small store few of the 256."""
    root.forget()
    there: set[str] = set()
    for kind in kinds:
        with skipping():
            there.update(root.reach(kind).names())
    return sorted(there.intersection(SHARDS))


def walk(root: Root, number: str) -> Iterator[tuple[bytes, bytes, list[Row]]]:
    """Resource, partition and records of each file in a shard; folders left empty by the dead are removed."""
    shard = root.found("resources", number)
    if shard is None:
        return
    for place in filter(is_hex, shard.names()):
        names: list[str] = []
        with skipping():
            names = shard.at(place).names()
            if not names:
                with root.locked("resources", number):
                    shard.remove_empty(place)
        for name in filter(is_hex, names):
            resource, partition = bytes.fromhex(place), bytes.fromhex(name)
            yield resource, partition, heads.rows_of(shard, resource, partition)


def measure(root: Root) -> Size:
    """How much the store holds."""
    costs = [row.cost for number in shards(root, "resources") for *_, rows in walk(root, number) for row in rows]
    return Size(len(costs), sum(costs) + bodies.pending_bytes(root))


def clear(root: Root) -> None:
    """Remove everything but the ids and the marks; records that are committed meanwhile may stay, whole."""
    probe(root)
    for name in root.reach("pending", make=True).names():
        bodies.clear_pending(root, name, before=inf)
    for number in shards(root, "resources"):
        for resource, partition, _ in walk(root, number):
            with skipping():
                _, gone = heads.edit(root, resource, partition, lambda _: [])
                for row in gone:
                    bodies.remove_body(root, row.entry)
    for number in shards(root, "bodies"):
        for name in names_in(root, "bodies", number, size=32):
            with skipping():
                if bodies.is_spare(root, bytes.fromhex(name), before=inf):
                    bodies.remove_body(root, bytes.fromhex(name))
    mark_signed(root, False)


@dataclass
class _Round:
    """One walk through the store.

    :ivar now: the time, POSIX seconds; may be set anew while the round goes on.
    :ivar bytes: bytes of the entries found so far that stay; ``entries`` is their number.
    """

    root: Root
    max_bytes: int
    max_entries: float
    now: float

    def __post_init__(self) -> None:
        self.bytes = 0
        self.entries = 0.0
        # The longest unused seen so far; a heap with the most recently used of them on top.
        self._oldest: list[tuple[float, int, bytes, bytes, bytes]] = []

    def steps(self) -> Iterator[None]:
        """Walk, yielding once for each thing that was removed."""
        probe(self.root)
        restrict_all(self.root)
        for number in shards(self.root, "resources"):
            for place in walk(self.root, number):
                yield from self._visit(*place)
        self.bytes += bodies.pending_bytes(self.root) + self._small_files()
        yield from self._evict()
        for name in self.root.reach("pending", make=True).names():
            if bodies.clear_pending(self.root, name, before=self.now - LEASE_SECONDS):
                yield
        for number in shards(self.root, "bodies", "partitions"):
            yield from self._visit_bodies(number)
            pointers = self.root.found("partitions", number)
            if pointers is not None:
                for name in filter(is_hex, pointers.names()):
                    with skipping():
                        heads.remove_dangling(self.root, pointers, name)

    def _small_files(self) -> int:
        """Sweep marks; bytes that those take which are left."""
        there = shards(self.root, "marks", "leases")
        kept = sum(marks.sweep_shard(self.root, number, self.now) for number in there)
        if kept > marks.most_marks(self.max_bytes):
            marks.fold_marks(self.root, self.now)
            kept = 0
        return kept * marks.SMALL_FILE

    def _visit(self, resource: bytes, partition: bytes, rows: list[Row]) -> Iterator[None]:
        # One that is larger than the store was never committed so, or under a bound that holds no more.
        expired = {row.entry for row in rows if row.purge_at <= self.now or row.cost > self.max_bytes}
        if expired:
            for _ in range(self._remove(resource, partition, expired)):
                yield
        elif not rows:
            removed = False
            with skipping():
                removed = heads.remove_garbage(self.root, resource, partition)
            if removed:
                yield
        for row in rows:
            if row.entry not in expired:
                self._note(row)

    def _note(self, row: Row) -> None:
        self.bytes += row.cost
        self.entries += 1
        candidate = (-row.used, row.cost, row.resource, row.partition, row.entry)
        if len(self._oldest) < _CANDIDATES:
            heapq.heappush(self._oldest, candidate)
        else:
            heapq.heappushpop(self._oldest, candidate)

    def _remove(self, resource: bytes, partition: bytes, entries: set[bytes], *, used: float = inf) -> int:
        gone: list[Row] = []
        with skipping():
            _, gone = heads.edit(
                self.root,
                *(resource, partition),
                lambda rows: [row for row in rows if row.entry not in entries or row.used > used],
            )
        bodies.let_go(self.root, gone, self.now)
        return len(gone)

    def _evict(self) -> Iterator[None]:
        for minus_used, cost, resource, partition, entry in sorted(self._oldest, reverse=True):
            if self.bytes <= self.max_bytes and self.entries <= self.max_entries:
                return
            # Used meanwhile: then it stays.
            if self._remove(resource, partition, {entry}, used=-minus_used):
                self.bytes -= cost
                self.entries -= 1
                yield

    def _visit_bodies(self, number: str) -> Iterator[None]:
        """Remove the bodies that no head names, a while after they were let go, or after their writer died."""
        for name in names_in(self.root, "bodies", number, size=32):
            entry, removed = bytes.fromhex(name), False
            with skipping():
                spare = bodies.is_spare(self.root, entry, before=self.now - KEEP_REPLACED)
                removed = spare and bodies.remove_body(self.root, entry)
            if removed:
                yield


class Sweeper:
    """Takes rounds in batches, and knows when one is due.

    :param max_entries: may be infinite.
    """

    def __init__(self, max_bytes: int, max_entries: float) -> None:
        self.max_bytes = max_bytes
        self.max_entries = max_entries
        self._bytes = 0
        self._entries = 0
        self._marks = 0
        self._next = 0.0
        self.forget()

    def forget(self) -> None:
        """Begin anew, with another folder or in the child of a fork."""
        self._lock = threading.Lock()
        self._current: tuple[_Round, Iterator[None]] | None = None

    def grew(self, cost: int, *, entries: int = 1) -> None:
        """Note that a record of so many bytes was added, or something else."""
        self._bytes += cost
        self._entries += entries

    def marked(self) -> bool:
        """Note that there is one more mark; whether there are enough to fold them into one."""
        self.grew(marks.SMALL_FILE, entries=0)
        self._marks += 1
        if self._marks < marks.most_marks(self.max_bytes):
            return False
        self._marks = 0
        return True

    def sweep(self, root: Root, now: float, limit: int) -> int:
        """One batch of what is to go; 0 only after a whole round has found nothing."""
        with self._lock:
            swept, whole = 0, False
            while not swept and not whole:
                whole = self._current is None
                swept = self._go_on(root, now, limit)
            return swept

    def _go_on(self, root: Root, now: float, limit: int) -> int:
        if self._current is None or self._current[0].root is not root:
            begun = _Round(root, self.max_bytes, self.max_entries, now)
            self._current = (begun, begun.steps())
        current, steps = self._current
        current.now = now
        swept = 0
        try:
            for _ in steps:
                swept += 1
                if swept >= limit:
                    return swept
        except BaseException:
            self._current = None
            raise
        self._current = None
        return swept

    def maintain(self, root: Root, now: float) -> float | None:
        """Sweep, if that is due. In how many seconds to ask again; None when there is something new."""
        if not self._is_due(root, now):
            if self._has_grown():
                return max(self._next - time.monotonic(), 0.0)
            return _ROUND_EVERY / 4 if self._bytes else None
        self._bytes = self._entries = 0
        _note_swept(root, now)
        began = time.monotonic()
        while self.sweep(root, now, 100):
            pass
        # However large the store is, a twentieth of a core at most goes into sweeping.
        self._next = time.monotonic() + 20 * (time.monotonic() - began)
        return None

    def _is_due(self, root: Root, now: float) -> bool:
        is_its_turn = self._has_grown() and time.monotonic() > self._next
        return is_its_turn or abs(now - _last_swept(root)) > _ROUND_EVERY

    def _has_grown(self) -> bool:
        return self._bytes > self.max_bytes // 64 or self._entries > self.max_entries / 64


def _last_swept(root: Root) -> float:
    seen = root.look(_SWEPT)
    return -inf if seen is None else seen.st_mtime


def _note_swept(root: Root, now: float) -> None:
    # Made anew: the file there may be a foreign one by another name.
    root.remove(_SWEPT)
    with suppress(FileExistsError):
        root.write_new(_SWEPT, [])
    with skipping():
        root.set_time(_SWEPT, now)
