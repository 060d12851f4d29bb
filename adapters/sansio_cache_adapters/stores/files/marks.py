"""Marks of dropped resources: small files that are read and written under the lock of their folder.

They bear times of other machines' clocks, so one that lies too far ahead does not count: a clock set back by a day must
not keep responses out for a day. Where there are too many, one mark for all resources takes their place.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import Final

from sansio_cache_adapters.stores.protocol import MARK_SECONDS
from sansio_cache_adapters.stores.system.folders import Folder

from .layout import SHARDS, Root, names_in, replace, skipping

__all__ = [
    "SMALL_FILE",
    "fold_marks",
    "is_dropped",
    "mark",
    "most_marks",
    "sweep_shard",
]

_MARK: Final = Struct(">d8s")
_NO_MARK: Final = bytes(_MARK.size)
_FOR_ALL: Final = "all"
SMALL_FILE: Final = 4096
"""Bytes that even the smallest file takes."""


def most_marks(max_bytes: int) -> int:
    """How many marks a store keeps: a sixteenth of its bound is theirs, by what they take on disk."""
    return max(max_bytes // 16 // SMALL_FILE, 4)


def _read(folder: Folder, name: str) -> bytes:
    """A mark; empty where there is none."""
    try:
        data = folder.read(name, _MARK.size)
    except FileNotFoundError:
        return b""
    return data if data is not None and len(data) == _MARK.size else b""


def _write(root: Root, folder: Folder, name: str, data: bytes) -> None:
    try:
        folder.write_new(name, [data])
    except FileExistsError:
        # Never written to as it lies there: it may be a foreign file by another name.
        replace(root, folder, name, [data])


def _mark_in(root: Root, name: str, *folder: str) -> bytes:
    """A mark; empty where there is none, nor a folder for it.

    :raises OSError: that is_misplaced knows, where there may be one that cannot be read.
    """
    try:
        return _read(root.reach("marks", *folder), name)
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
        _write(root, folder, name, _latest(now, _read(folder, name)))


def is_dropped(root: Root, resource: bytes, *, requested_at: float, now: float) -> bool:
    """Whether a response requested then must not be kept.

    :raises OSError: that is_misplaced knows, where that cannot be known.
    """
    name = resource.hex()
    # In this order: a mark is folded into the one for all before it goes.
    marks = _time_of(_mark_in(root, name, name[:2])), _time_of(_mark_in(root, _FOR_ALL))
    return any(requested_at <= when and abs(now - when) < MARK_SECONDS for when in marks)


def fold_marks(root: Root, now: float) -> None:
    """Put one mark for all in the place of all: no response requested before now is kept, whatever its resource."""
    found: list[tuple[str, str, bytes]] = []
    for number in SHARDS:
        for name in names_in(root, "marks", number):
            with skipping():
                found.append((number, name, _read(root.reach("marks", number), name)))
    folder = root.reach("marks", make=True)
    with folder.lock():
        before = _read(folder, _FOR_ALL)
        _write(root, folder, _FOR_ALL, _latest(now, before, *(data for *_, data in found)))
    for number, name, data in found:
        _remove_unchanged(root, number, name, data)


def _remove_unchanged(root: Root, number: str, name: str, data: bytes) -> None:
    with skipping(), root.locked("marks", number) as folder:
        if _read(folder, name) == data:
            folder.remove(name)


def sweep_shard(root: Root, number: str, now: float) -> int:
    """Remove the marks of a shard that count for nothing any more; how many are left.

    Leases that an earlier version wrote count for nothing.
    """
    for name in names_in(root, "leases", number):
        with skipping():
            root.reach("leases", number).remove(name)
    kept = 0
    for name in names_in(root, "marks", number):
        data = b""
        with skipping():
            data = _read(root.reach("marks", number), name)
        if data and abs(now - _time_of(data)) < MARK_SECONDS:
            kept += 1
        else:
            _remove_unchanged(root, number, name, data)
    return kept
