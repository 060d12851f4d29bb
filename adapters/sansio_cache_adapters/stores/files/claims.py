"""Marks of dropped resources, and leases: small files that are read and written under the lock of their folder.

Both bear times of somebody's clock, so one that lies too far ahead counts for nothing: a clock set back by a day
must not lock anybody out for a day. Where there are too many marks, one for all takes their place.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import Final, NamedTuple

from sansio_cache_adapters.stores.holders import is_abandoned
from sansio_cache_adapters.stores.protocol import LEASE_SECONDS, MARK_SECONDS, Lease
from sansio_cache_adapters.stores.system import Folder

from .layout import SHARDS, Root, names_in, replace, skipping

__all__ = [
    "SMALL_FILE",
    "claim",
    "fold_marks",
    "forget_leases",
    "is_dropped",
    "mark",
    "most_small_files",
    "release",
    "sweep_shard",
]

_MARK: Final = Struct(">d8s")
_LEASE: Final = Struct(">d16s?B64s")
_SIZES: Final = {"marks": _MARK.size, "leases": _LEASE.size}
_NO_MARK: Final = bytes(_MARK.size)
_FOR_ALL: Final = "all"
_LONGEST: Final = 2 * LEASE_SECONDS
SMALL_FILE: Final = 4096
"""Bytes that even the smallest file takes."""


def most_small_files(max_bytes: int) -> int:
    """How many leases and marks a store keeps, each: a sixteenth of its bound is theirs, by what they take on disk."""
    return max(max_bytes // 16 // SMALL_FILE, 4)


class _Held(NamedTuple):
    """A lease: ``until`` when, under which mark of its resource it was taken, whether it is OPEN, whose it is."""

    until: float
    mark: bytes
    open: bool
    token: bytes

    def holds(self, now: float, mark: bytes) -> bool:
        return now < self.until <= now + _LONGEST and self.mark == mark


def _read(folder: Folder, name: str, size: int) -> bytes:
    """A file of exactly this size; empty where there is none."""
    try:
        data = folder.read(name, size)
    except FileNotFoundError:
        return b""
    return data if data is not None and len(data) == size else b""


def _write(root: Root, folder: Folder, name: str, data: bytes) -> None:
    try:
        folder.write_new(name, [data])
    except FileExistsError:
        # Never written to as it lies there: it may be a file of somebody else's by another name.
        replace(root, folder, name, [data])


def _mark_of(root: Root, resource: bytes) -> bytes:
    """The mark of a resource; empty where it has none.

    :raises OSError: that is_misplaced knows, where there may be one that cannot be read.
    """
    name = resource.hex()
    try:
        return _read(root.reach("marks", name[:2]), name, _MARK.size)
    except FileNotFoundError:
        return b""


def _mark_for_all(root: Root) -> bytes:
    try:
        return _read(root.reach("marks"), _FOR_ALL, _MARK.size)
    except FileNotFoundError:
        return b""


def _time_of(data: bytes) -> float:
    when: float = _MARK.unpack(data or _NO_MARK)[0]
    return when


def _latest(now: float, *others: bytes) -> bytes:
    """A mark of now, or of the latest of other marks if that is later. Its random part tells it from all others."""
    when = max([now, *(at for data in others if now < (at := _time_of(data)) <= now + MARK_SECONDS)])
    return _MARK.pack(when, os.urandom(8))


def mark(root: Root, resource: bytes, now: float) -> None:
    """Mark a resource as dropped at ``now``; of two marks the later one stays."""
    name = resource.hex()
    with root.locked("marks", name[:2]) as folder:
        _write(root, folder, name, _latest(now, _read(folder, name, _MARK.size)))


def is_dropped(root: Root, resource: bytes, *, requested_at: float, now: float) -> bool:
    """Whether a response requested then must not be kept.

    :raises OSError: that is_misplaced knows, where that cannot be known.
    """
    # In this order: a mark is folded into the one for all before it goes.
    marks = _time_of(_mark_of(root, resource)), _time_of(_mark_for_all(root))
    return any(requested_at <= when and abs(now - when) < MARK_SECONDS for when in marks)


def fold_marks(root: Root, now: float) -> None:
    """Put one mark for all in the place of all: no response requested before now is kept, whatever its resource."""
    found: list[tuple[str, str, bytes]] = []
    for number in SHARDS:
        for name in names_in(root, "marks", number):
            with skipping():
                found.append((number, name, _read(root.reach("marks", number), name, _MARK.size)))
    folder = root.reach("marks", make=True)
    with folder.lock():
        before = _read(folder, _FOR_ALL, _MARK.size)
        _write(root, folder, _FOR_ALL, _latest(now, before, *(data for *_, data in found)))
    for number, name, data in found:
        _remove_unchanged(root, "marks", number, name, data)


def _remove_unchanged(root: Root, kind: str, number: str, name: str, data: bytes) -> None:
    with skipping(), root.locked(kind, number) as folder:
        if _read(folder, name, _SIZES[kind]) == data:
            folder.remove(name)


def _held_in(data: bytes) -> _Held | None:
    if not data:
        return None
    until, seen, is_open, length, token = _LEASE.unpack(data)
    return _Held(until, seen, is_open, token[:length])


def _held(folder: Folder, name: str) -> _Held | None:
    return _held_in(_read(folder, name, _LEASE.size))


def _hold(root: Root, folder: Folder, name: str, held: _Held) -> None:
    token = held.token[:64]
    _write(root, folder, name, _LEASE.pack(held.until, held.mark, held.open, len(token), token))


def claim(root: Root, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease:
    """Take or renew the lease of a partition. One that was taken before its resource was dropped is void."""
    name = partition.hex()
    with root.locked("leases", name[:2]) as folder:
        seen = _mark_of(root, resource) or _mark_for_all(root) or _NO_MARK
        held = _held(folder, name)
        if held is not None and held.holds(now, seen):
            if held.open:
                return Lease.OPEN
            if held.token != token and not is_abandoned(held.token):
                return Lease.HELD
        _hold(root, folder, name, _Held(min(until, now + LEASE_SECONDS), seen, False, token))
        return Lease.GRANTED


def release(root: Root, partition: bytes, token: bytes, open_until: float) -> None:
    """Give a lease back, if this token holds it; with ``open_until`` others hear OPEN until then."""
    name = partition.hex()
    with root.locked("leases", name[:2]) as folder:
        held = _held(folder, name)
        if held is None or held.open or held.token != token:
            return
        if open_until > 0:
            _hold(root, folder, name, _Held(open_until, held.mark, True, b""))
        else:
            folder.remove(name)


def sweep_shard(root: Root, number: str, now: float, *, leases: int) -> tuple[int, int]:
    """Remove the leases and marks of a shard that count for nothing any more; how many of each are left.

    Where more than ``leases`` are left, those that are open go as well: they only spare others a wait.
    """
    kept_leases = kept_marks = 0
    for name in names_in(root, "leases", number):
        data = b""
        with skipping():
            data = _read(root.reach("leases", number), name, _LEASE.size)
        held = _held_in(data)
        if held is not None and held.holds(now, held.mark) and not (held.open and kept_leases >= leases):
            kept_leases += 1
        else:
            _remove_unchanged(root, "leases", number, name, data)
    for name in names_in(root, "marks", number):
        data = b""
        with skipping():
            data = _read(root.reach("marks", number), name, _MARK.size)
        if data and abs(now - _time_of(data)) < MARK_SECONDS:
            kept_marks += 1
        else:
            _remove_unchanged(root, "marks", number, name, data)
    return kept_leases, kept_marks


def forget_leases(root: Root, number: str) -> None:
    """Remove all leases of a shard."""
    for name in names_in(root, "leases", number):
        with skipping(), root.locked("leases", number) as folder:
            folder.remove(name)
