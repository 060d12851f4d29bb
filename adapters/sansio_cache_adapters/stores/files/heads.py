"""The heads of a file store: one file holds the records of a partition, small bodies included.

It is never changed but replaced as a whole, under the lock of its resource's shard, in one step, which is the commit;
only the time of a record's last use is written in its place.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from struct import Struct
from typing import Final

from sansio_cache.records import Stored
from sansio_cache_adapters.stores.rows import USED_AT, Row, pack, stored_in, unpack
from sansio_cache_adapters.stores.system.folders import Folder, is_absent

from .layout import Root, is_hex, replace, skipping

__all__ = [
    "drop_folder",
    "edit",
    "fitting",
    "load",
    "remove_dangling",
    "remove_garbage",
    "resource_of",
    "rows_of",
    "set_used",
]

_MAGIC: Final = b"SCfile1\n"
_LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a file of heads, at most: whatever is larger was not written by us."""
_SMALL: Final = 196_608
"""Bytes up to which a file is read on an event loop: a largest head and a largest small body."""
_USED: Final = Struct(">d")


def load(root: Root, partition: bytes, *, at_once: bool = False) -> Sequence[Stored] | None:
    """The records of a partition; with ``at_once`` None where reading them may take long."""
    name = partition.hex()
    resource = root.known.get(name) or _pointed(root, name)
    if not resource:
        return ()
    try:
        data = root.read_record(resource, name, _SMALL if at_once else _LARGEST)
    except OSError as error:
        if not is_absent(error):
            raise
        return ()
    if data is None:
        return None if at_once else ()
    if not data.startswith(_MAGIC):
        return ()
    if name not in root.known:
        root.know(name, resource)
    return stored_in(data, len(_MAGIC))


def _pointed(root: Root, name: str) -> str:
    """The resource to whose folder a partition's pointer leads; empty where it leads nowhere of ours."""
    pointers = root.found("partitions", name[:2])
    return "" if pointers is None else _resource_in(pointers.pointed(name), name)


def _resource_in(target: str, name: str) -> str:
    resource, last = ["", "", *target.split("/")][-2:]
    return resource if is_hex(resource) and last == name else ""


def resource_of(root: Root, partition: bytes) -> bytes | None:
    """The same as bytes; None where there is none."""
    return bytes.fromhex(_pointed(root, partition.hex())) or None


def rows_of(shard: Folder, resource: bytes, partition: bytes) -> list[Row]:
    """The records of a partition of a resource, with all that the store knows of them; ``shard`` is their folder's."""
    data: bytes | None = None
    with skipping():
        data = shard.read_below(resource.hex(), partition.hex(), _LARGEST)
    rows = unpack(data, len(_MAGIC)) if data is not None and data.startswith(_MAGIC) else []
    return [row for row in rows if (row.resource, row.partition) == (resource, partition)]


def fitting(rows: Sequence[Row]) -> list[Row]:
    """The first of these records, as many as one file can hold."""
    room, kept = _LARGEST, list[Row]()
    for row in rows:
        room -= row.packed_size
        if kept and room < len(_MAGIC):
            break
        kept.append(row)
    return kept


def _write_rows(root: Root, shard: Folder, resource: bytes, partition: bytes, rows: Sequence[Row]) -> None:
    """Put these records in the place of a partition's. To be called with the lock of the shard."""
    place, name = resource.hex(), partition.hex()
    if not rows:
        shard.at(place).unlink(name)
        shard.remove_empty(place)  # where it has other partitions it stays
        # The pointer stays for the next answer to the same request; a sweep removes it if there is none.
        return
    folder = shard.made(place)
    # The pointer first: one that leads to nothing is a miss, a file without one would be lost.
    _point(root, name, place)
    replace(root, folder, name, [_MAGIC, *map(pack, rows)])
    root.know(name, place)


def _point(root: Root, name: str, resource: str) -> None:
    folder = root.reach("partitions", name[:2], make=True)
    target = f"../../resources/{resource[:2]}/{resource}/{name}"
    try:
        folder.point(name, target)
    except FileExistsError:
        if folder.pointed(name) != target:
            folder.remove(name)  # somebody bent it
            folder.point(name, target)


def edit(
    root: Root, resource: bytes, partition: bytes, change: Callable[[list[Row]], list[Row]]
) -> tuple[bool, list[Row]]:
    """Replace a partition's records by what ``change`` makes of them.

    :returns: whether that is something else, and the records let go, whose bodies are still there.
    """
    with root.locked("resources", resource[:1].hex()) as shard:
        old = rows_of(shard, resource, partition)
        new = change(old)
        if new == old:
            return False, []
        _write_rows(root, shard, resource, partition, new)
    kept = {row.entry for row in new}
    return True, [row for row in old if row.entry not in kept]


def drop_folder(root: Root, resource: bytes) -> tuple[list[Row], str]:
    """Take all records of a resource away in one step; and the name under which they now lie in ``pending``."""
    place, away = resource.hex(), f"{os.urandom(16).hex()}.gone"
    with root.locked("resources", place[:2]) as shard:
        try:
            names = [name for name in shard.at(place).names() if is_hex(name)]
        except FileNotFoundError:
            return [], ""
        rows = [row for name in names for row in rows_of(shard, resource, bytes.fromhex(name))]
        shard.rename(place, root.reach("pending", make=True), away)
    return rows, away


def remove_dangling(root: Root, pointers: Folder, name: str) -> None:
    """Remove a pointer that leads nowhere (its writer died between it and the rename)."""
    resource = _resource_in(pointers.pointed(name), name)
    if not resource:
        pointers.remove(name)
    elif not _is_there(root, resource, name):
        with root.locked("resources", resource[:2]):
            if not _is_there(root, resource, name):
                pointers.remove(name)


def _is_there(root: Root, resource: str, name: str) -> bool:
    shard = root.found("resources", resource[:2])
    return shard is not None and shard.holds(resource, name)


def remove_garbage(root: Root, resource: bytes, partition: bytes) -> bool:
    """Take away what lies in the place of a partition's file and holds no record, unless it is a full folder."""
    name = partition.hex()
    with root.locked("resources", resource[:1].hex()) as shard:
        if rows_of(shard, resource, partition):
            return False
        folder = shard.at(resource.hex())
        seen = folder.look(name)
        return seen is not None and (folder.remove_empty(name) if stat.S_ISDIR(seen.st_mode) else folder.remove(name))


def set_used(root: Root, partition: bytes, entry: bytes, now: float) -> None:
    """Write the time of a record's last use in its place. A rename meanwhile loses it, and no more."""
    name = partition.hex()
    resource = root.known.get(name) or _pointed(root, name)
    if not resource:
        return
    with suppress(FileNotFoundError), root.reach("resources", resource[:2], resource).opened(name, change=True) as file:
        data = file.read(0, min(file.size, _LARGEST))
        at = len(_MAGIC)
        for row in unpack(data, at) if data.startswith(_MAGIC) else ():
            if row.entry == entry and row.used < now:
                file.write(at + USED_AT, _USED.pack(now))
            at += len(pack(row))
