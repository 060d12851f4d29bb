"""The heads of a file store: one file holds the records of a partition, small bodies included.

It is never changed but replaced as a whole, under the lock of its resource's directory, by a rename, which is the
commit; only the time of a record's last use is written in its place.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from struct import Struct
from typing import Final

from sansio_cache.records import Stored
from sansio_cache_adapters.stores.rows import USED_AT, Row, pack, stored_in, unpack

from .layout import OPEN_FLAGS, Root, locked, names_in, remove, shard, write_new

__all__ = [
    "drop_folder",
    "edit",
    "link_target",
    "load",
    "remove_dangling",
    "remove_garbage",
    "rows_of",
    "set_used",
    "write_rows",
]

_MAGIC: Final = b"SCfile1\n"
_LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a file of heads, at most: whatever is larger was not written by us."""
_SMALL: Final = 196_608
"""Bytes up to which a file is read on an event loop: a largest head and a largest small body."""
_USED: Final = Struct(">d")
# What garbage in the place of our file can answer to opening or reading it.
_GARBAGE: Final = frozenset({errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EINVAL})


def _link(partition: bytes) -> str:
    key = partition.hex()
    return f"partitions/{key[:2]}/{key}"


def _folder(resource: bytes) -> str:
    return f"{shard('resources', resource)}/{resource.hex()}"


def _path(resource: bytes, partition: bytes) -> str:
    return f"{_folder(resource)}/{partition.hex()}"


def _read(root: Root, path: str, largest: int) -> bytes | None:
    """A whole file in one exact read; empty where there is none of ours, None where it is larger than ``largest``."""
    try:
        fd = os.open(path, OPEN_FLAGS, dir_fd=root.fd)
    except OSError as error:
        if error.errno in _GARBAGE:
            return b""
        raise
    try:
        size = os.fstat(fd).st_size
        if size > largest:
            return None if size <= _LARGEST else b""
        return os.read(fd, size)
    except OSError as error:
        if error.errno in _GARBAGE:
            return b""
        raise
    finally:
        os.close(fd)


def load(root: Root, partition: bytes, *, at_once: bool = False) -> Sequence[Stored] | None:
    """The records of a partition; with ``at_once`` None where reading them may take long."""
    data = _read(root, _link(partition), _SMALL if at_once else _LARGEST)
    if data is None:
        return None
    return stored_in(data, len(_MAGIC)) if data.startswith(_MAGIC) else ()


def rows_of(root: Root, resource: bytes, partition: bytes) -> list[Row]:
    """The records of a partition of a resource, with all that the store knows of them."""
    data = _read(root, _path(resource, partition), _LARGEST) or b""
    rows = unpack(data, len(_MAGIC)) if data.startswith(_MAGIC) else []
    return [row for row in rows if (row.resource, row.partition) == (resource, partition)]


def write_rows(root: Root, resource: bytes, partition: bytes, rows: Sequence[Row]) -> None:
    """Put these records in the place of a partition's. To be called with the lock of the resource's shard."""
    path = _path(resource, partition)
    if not rows:
        remove(root, path)
        with suppress(OSError):
            os.rmdir(_folder(resource), dir_fd=root.fd)  # not empty: it has other partitions
        # The link stays for the next answer to the same request; a sweep removes it if there is none.
        return
    temporary = f"pending/{os.urandom(16).hex()}.new"
    write_new(root, temporary, [_MAGIC, *map(pack, rows)])
    try:
        with suppress(FileExistsError):
            os.mkdir(_folder(resource), 0o700, dir_fd=root.fd)
        # The link first: a link to nothing is a miss, a file without one would be lost.
        _make_link(root, partition, f"../../{path}")
        os.rename(temporary, path, src_dir_fd=root.fd, dst_dir_fd=root.fd)
    except BaseException:
        remove(root, temporary)
        raise


def _make_link(root: Root, partition: bytes, target: str) -> None:
    link = _link(partition)
    while True:
        try:
            os.symlink(target, link, dir_fd=root.fd)
        except FileNotFoundError:
            with suppress(FileExistsError):
                os.mkdir(shard("partitions", partition), 0o700, dir_fd=root.fd)
        except FileExistsError:
            if _read_link(root, link) == target:
                return
            remove(root, link)  # somebody bent it
        else:
            return


def _read_link(root: Root, link: str) -> str:
    try:
        return os.readlink(link, dir_fd=root.fd)
    except OSError:
        return ""


def edit(
    root: Root, resource: bytes, partition: bytes, change: Callable[[list[Row]], list[Row]]
) -> tuple[bool, list[Row]]:
    """Replace a partition's records by what ``change`` makes of them.

    :returns: whether that is something else, and the records let go, whose bodies are still there.
    """
    with locked(root, shard("resources", resource)):
        old = rows_of(root, resource, partition)
        new = change(old)
        if new == old:
            return False, []
        write_rows(root, resource, partition, new)
    kept = {row.entry for row in new}
    return True, [row for row in old if row.entry not in kept]


def drop_folder(root: Root, resource: bytes) -> tuple[list[Row], str]:
    """Take all records of a resource away in one step; and the name under which they now lie in ``pending``."""
    folder, away = _folder(resource), f"{os.urandom(16).hex()}.gone"
    with locked(root, shard("resources", resource)):
        partitions = [bytes.fromhex(name) for name in names_in(root, folder) if _is_key(name)]
        rows = [row for partition in partitions for row in rows_of(root, resource, partition)]
        with suppress(FileNotFoundError):
            os.rename(folder, f"pending/{away}", src_dir_fd=root.fd, dst_dir_fd=root.fd)
    return rows, away


def _is_key(name: str) -> bool:
    return len(name) == 64 and set(name) <= set("0123456789abcdef")


def link_target(root: Root, partition: bytes) -> bytes | None:
    """The resource to whose folder a partition's link leads; None where it leads nowhere of ours."""
    *_, folder, name = ["", *_read_link(root, _link(partition)).split("/")]
    return bytes.fromhex(folder) if _is_key(folder) and name == partition.hex() else None


def remove_dangling(root: Root, name: str) -> bool:
    """Remove a link that leads nowhere (its writer died between link and rename). Whether it went."""
    if not _is_key(name):
        return False
    partition = bytes.fromhex(name)
    resource = link_target(root, partition)
    if resource is None:
        return remove(root, _link(partition))
    if _exists(root, _path(resource, partition)):
        return False
    with locked(root, shard("resources", resource)):
        return not _exists(root, _path(resource, partition)) and remove(root, _link(partition))


def _exists(root: Root, path: str) -> bool:
    try:
        os.stat(path, dir_fd=root.fd)
    except OSError:
        return False
    return True


def remove_garbage(root: Root, resource: bytes, partition: bytes) -> bool:
    """Take away what lies in the place of a partition's file and holds no record. Whether it went."""
    with locked(root, shard("resources", resource)):
        if rows_of(root, resource, partition):
            return False
        # Renamed, since it may be anything: a full directory, too.
        away = f"pending/{os.urandom(16).hex()}.gone"
        os.rename(_path(resource, partition), away, src_dir_fd=root.fd, dst_dir_fd=root.fd)
        return True


def set_used(root: Root, partition: bytes, entry: bytes, now: float) -> None:
    """Write the time of a record's last use in its place. A rename meanwhile loses it, and no more."""
    try:
        fd = os.open(_link(partition), os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=root.fd)
    except FileNotFoundError:
        return
    try:
        data = os.read(fd, min(os.fstat(fd).st_size, _LARGEST))
        at = len(_MAGIC)
        for row in unpack(data, at) if data.startswith(_MAGIC) else ():
            if row.entry == entry and row.used < now:
                os.pwrite(fd, _USED.pack(now), at + USED_AT)
            at += len(pack(row))
    finally:
        os.close(fd)
