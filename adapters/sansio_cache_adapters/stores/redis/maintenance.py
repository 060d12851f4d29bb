"""The care of a Redis store: what its index is for.

The index knows of every record when it was last used, what it costs and when it is due, so that ``max_bytes`` can be
held, records listed, and forgotten what has expired. Records themselves expire without it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from sansio_cache_adapters.stores.forking import follow_forks
from sansio_cache_adapters.stores.protocol import KEEP_REPLACED, MARK_BYTES, Listed, Size
from sansio_cache_adapters.stores.rows import unpack

from . import index_scripts, scripts
from .commands import Call, Command, Keys, Names, Steps, groups, record

__all__ = ["SWEEP_SECONDS", "Care", "unseen"]

SWEEP_SECONDS: Final = 60.0
"""A store in use is swept so often, by one of its processes."""
_AUDITED: Final = 200
_LOAD: Final = scripts.LOAD.sha.encode()
_KEEP_MS: Final = str(int(KEEP_REPLACED * 1000))


class _Parted:
    """How many bytes of records were let go lately; their bodies may be there still. Safe for threads and forks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._each = deque[tuple[float, int]]()
        self._total = 0
        follow_forks(self)

    def before_fork(self) -> None:
        self._lock.acquire()

    def after_fork(self, *, child: bool) -> None:
        self._lock.release()

    def add(self, cost: int, now: float) -> int:
        """All of the last :data:`KEEP_REPLACED` seconds, with these."""
        with self._lock:
            while self._each and self._each[0][0] < now - KEEP_REPLACED:
                self._total -= self._each.popleft()[1]
            self._each.append((now, cost))
            self._total += cost
            return self._total


class Care:
    """The verbs that look after a store.

    :param max_entries: 0 for no bound.
    """

    def __init__(self, prefix: str, *, max_bytes: int, max_entries: int) -> None:
        self.max_bytes = max_bytes
        self._max_entries = max_entries
        self._names = Names(prefix)
        self._parted = _Parted()
        self._cursor = b"0"

    def page(self, cursor: bytes, batch: int) -> Steps[tuple[bytes, list[Listed]]]:
        """Some records, and where to go on: at the end ``b"0"``. A record may come twice."""
        [[cursor, flat]] = yield [Call(index_scripts.LIST, self._names.index, (cursor, str(batch)))]
        members = set(flat[0::2])
        found: list[Listed] = []
        # Small groups: each row may bear a body.
        partitions = sorted({member[1:33] for member in members})
        for at in range(0, len(partitions), 20):
            replies = yield [self._rows_of(each) for each in partitions[at : at + 20]]
            rows = [row for reply in replies for data in reply for row in unpack(data)]
            mine = [row for row in rows if record(row.partition, row.entry) in members]
            found += [listed for row in mine if (listed := row.listed()) is not None]
        return cursor, found

    def _rows_of(self, partition: bytes) -> Command:
        # A hit: as little to pack as can be.
        return ("EVALSHA", _LOAD, b"1", self._names.heads(partition))

    def clear(self) -> Steps[None]:
        """Remove everything but the id and the salt."""
        found = yield [Keys(each) for each in self._names.patterns()]
        meta = self._names.meta.encode()
        for group in groups([key for keys in found for key in keys if key != meta]):
            yield [("UNLINK", key) for key in group]

    def size(self) -> Steps[Size]:
        """How much the store holds, as far as the index knows."""
        [[entries, total]] = yield [Call(index_scripts.SIZE, self._names.index, ())]
        return Size(entries, total)

    def sweep(self, *, now: float, limit: int) -> Steps[int]:
        """One batch of what is due or over the bound, and then of what the dead left in the index."""
        swept = yield from self.trim(now=now, limit=limit)
        return swept + ((yield from self._audit(now)) if swept < limit else 0)

    def trim(self, *, now: float, limit: int) -> Steps[int]:
        """One batch of what is due, and then of what is over the bound."""
        [[cost, members]] = yield [Call(index_scripts.DUE, self._names.index, (repr(now), str(limit)))]
        yield from self._clear_away([member for member in members if member.startswith(b"r")], cost)
        for group in groups([member for member in members if member.startswith(b"b")]):
            yield [("UNLINK", self._names.body(member[1:])) for member in group]
        evicted = (yield from self._evict(limit - len(members))) if len(members) < limit else 0
        return len(members) + evicted

    def _audit(self, now: float) -> Steps[int]:
        """Forget members whose record is not there: its writer died in the midst, or the server evicted it."""
        [[self._cursor, flat]] = yield [Call(index_scripts.LIST, self._names.index, (self._cursor, str(_AUDITED)))]
        # What was noted just now may be on its way.
        old = [each for each, used in zip(flat[0::2], flat[1::2], strict=True) if float(used) < now - KEEP_REPLACED]
        count = 0
        for group in groups(old):
            there = yield [("ZSCORE", self._names.of_partition(each[1:33])[1], each[33:]) for each in group]
            lost = [each for each, used in zip(group, there, strict=True) if used is None]
            yield from self._let_go(lost)
            count += len(lost)
        return count

    def sweep_in_turn(self, *, now: float, limit: int) -> Steps[bool]:
        """A sweep, if no process has made one for a while; whether there is more to sweep."""
        [mine] = yield [("SET", self._names.swept, "1", "NX", "PX", str(int(SWEEP_SECONDS * 1000)))]
        if not mine:
            return False
        more = (yield from self.sweep(now=now, limit=limit)) >= limit
        if more:
            yield [("DEL", self._names.swept)]
        return more

    def _evict(self, limit: int) -> Steps[int]:
        bounds = (str(self.max_bytes), str(self._max_entries), str(limit), str(MARK_BYTES))
        [[cost, members]] = yield [Call(index_scripts.EVICT, [*self._names.index, self._names.marks[0]], bounds)]
        yield from self._clear_away(members, cost)
        return len(members)

    def _clear_away(self, members: Sequence[bytes], cost: int) -> Steps[None]:
        """Remove records that the index has forgotten already."""
        for group in groups(members):
            yield [Call(scripts.TAKE, self._names.of_partition(member[1:33]), (b"", member[33:])) for member in group]
            yield self._parting(group, cost)
            cost = 0

    def use(self, touched: dict[tuple[bytes, bytes], float]) -> Steps[None]:
        """Note when records were last used."""
        for group in groups(list(touched.items())):
            commands: list[Command] = [
                ("ZADD", self._names.of_partition(partition)[1], "XX", repr(now), entry)
                for (partition, entry), now in group
            ]
            pairs = [part for (place, entry), now in group for part in (repr(now), record(place, entry))]
            yield [*commands, ("ZADD", self._names.index[0], "XX", *pairs)]

    def _let_go(self, members: Sequence[bytes]) -> Steps[None]:
        """Forget records that are gone; their bodies live on for a while, if there are not too many of them."""
        for group in groups(members):
            [cost] = yield [Call(index_scripts.FORGET, self._names.index, tuple(group))]
            yield self._parting(group, int(cost))

    def _parting(self, members: Sequence[bytes], cost: int) -> list[Command]:
        keys = [self._names.body(member[-16:]) for member in members]
        if self._parted.add(cost, time.monotonic()) > self.max_bytes // 4:
            return [("UNLINK", key) for key in keys]
        return [("PEXPIRE", key, _KEEP_MS) for key in keys]


def unseen(page: Sequence[Listed], seen: set[int]) -> Iterable[Listed]:
    """Those of a page that were not seen before. Only a hash of each is remembered: eight bytes."""
    for each in page:
        key = hash((each.partition, each.variant, each.stored.entry))
        if key not in seen:
            seen.add(key)
            yield each
