"""The large bodies of a file store: each is written once under a random name, and never changed.

While it comes in it lies in ``pending``. Its place in ``bodies`` is taken in the commit, just before the head that
names it; by then the hashes of its chunks and the place of its head have been added at its end::

    body | SHA-256 of each chunk | resource | partition | size of the body, size of the hashes, magic
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from struct import Struct
from typing import Final, NamedTuple

from sansio_cache.errors import StoreError
from sansio_cache.records import CHUNK_SIZE, Item
from sansio_cache_adapters.stores.rows import Row

from .heads import rows_of
from .layout import OPEN_FLAGS, Root, remove, shard, write_new

__all__ = [
    "clear_pending",
    "is_spare",
    "let_go",
    "pending_path",
    "pending_size",
    "read_chunk",
    "read_hashes",
    "read_pending",
    "remove_body",
    "settle",
    "write_chunk",
    "write_whole",
]

_MAGIC: Final = b"SCbody1\n"
_END = Struct(">32s32sQQ8s")
_HASH: Final = 32


class _End(NamedTuple):
    resource: bytes
    partition: bytes
    size: int
    hashes: int


def pending_path(entry: bytes) -> str:
    """Where a body lies until it is committed."""
    return f"pending/{entry.hex()}"


def _path(entry: bytes) -> str:
    return f"{shard('bodies', entry)}/{entry.hex()}"


def write_chunk(root: Root, entry: bytes, index: int, data: bytes) -> None:
    """Write a chunk of a pending body.

    :raises StoreError: if the chunks before it are not there.
    """
    if index == 0:
        write_new(root, pending_path(entry), [data])
        return
    try:
        fd = os.open(pending_path(entry), os.O_WRONLY | os.O_CLOEXEC | os.O_APPEND, dir_fd=root.fd)
    except FileNotFoundError as error:
        raise StoreError("the pending body was given up") from error
    with open(fd, "ab", buffering=0) as file:
        if os.fstat(fd).st_size != index * CHUNK_SIZE:
            raise StoreError("the pending body lacks a chunk")
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]


def write_whole(root: Root, entry: bytes, body: bytes) -> None:
    """Write a pending body that is whole already."""
    write_new(root, pending_path(entry), [body])


def pending_size(root: Root, entry: bytes) -> int | None:
    """Bytes of a pending body; None where it is gone."""
    try:
        return os.stat(pending_path(entry), dir_fd=root.fd).st_size
    except FileNotFoundError:
        return None


def read_pending(root: Root, entry: bytes) -> bytes:
    """A small pending body."""
    fd = os.open(pending_path(entry), OPEN_FLAGS, dir_fd=root.fd)
    try:
        return os.read(fd, CHUNK_SIZE)
    finally:
        os.close(fd)


def settle(root: Root, entry: bytes, item: Item) -> None:
    """Give a pending body its end and its place."""
    end = _END.pack(item.resource, item.partition, item.size, len(item.hashes), _MAGIC)
    fd = os.open(pending_path(entry), os.O_WRONLY | os.O_CLOEXEC | os.O_APPEND, dir_fd=root.fd)
    with open(fd, "ab", buffering=0) as file:
        view = memoryview(item.hashes + end)
        while view:
            view = view[file.write(view) :]
    with suppress(FileExistsError):
        os.mkdir(shard("bodies", entry), 0o700, dir_fd=root.fd)
    os.rename(pending_path(entry), _path(entry), src_dir_fd=root.fd, dst_dir_fd=root.fd)


def _open(root: Root, entry: bytes) -> tuple[int, _End]:
    try:
        fd = os.open(_path(entry), OPEN_FLAGS, dir_fd=root.fd)
    except FileNotFoundError as error:
        raise StoreError("the body is gone") from error
    try:
        total = os.fstat(fd).st_size
        *end, magic = _END.unpack(os.pread(fd, _END.size, max(total - _END.size, 0)).ljust(_END.size))
        found = _End(*end)
        if magic != _MAGIC or found.size + found.hashes + _END.size != total or found.hashes % _HASH:
            raise StoreError("the body is broken")
    except BaseException:
        os.close(fd)
        raise
    return fd, found


def read_hashes(root: Root, entry: bytes) -> bytes:
    """The SHA-256s of a body's chunks.

    :raises StoreError: if the body is gone or broken.
    """
    fd, end = _open(root, entry)
    try:
        return os.pread(fd, end.hashes, end.size)
    finally:
        os.close(fd)


def read_chunk(root: Root, entry: bytes, index: int) -> bytes:
    """A chunk of a body.

    :raises StoreError: if it is gone or broken.
    """
    fd, end = _open(root, entry)
    try:
        at = index * CHUNK_SIZE
        if not 0 <= at < end.size:
            raise StoreError(f"chunk {index} is not there")
        return os.pread(fd, min(CHUNK_SIZE, end.size - at), at)
    finally:
        os.close(fd)


def let_go(root: Root, rows: Sequence[Row], now: float) -> None:
    """Note at the bodies of records that are gone when that was; from then on they are kept for a while."""
    for row in rows:
        if row.body is None:
            with suppress(FileNotFoundError):
                os.utime(_path(row.entry), (now, now), dir_fd=root.fd)


def remove_body(root: Root, entry: bytes) -> None:
    """Remove a body, if it is there."""
    with suppress(FileNotFoundError):
        remove(root, _path(entry))


def is_spare(root: Root, entry: bytes, *, before: float) -> bool:
    """Whether a body was let go, or its writer died, before then: no head names it."""
    try:
        if os.stat(_path(entry), dir_fd=root.fd).st_mtime > before:
            return False
        fd, end = _open(root, entry)
    except FileNotFoundError:
        return False
    except (StoreError, OSError):
        return True
    os.close(fd)
    return all(row.entry != entry for row in rows_of(root, end.resource, end.partition))


def clear_pending(root: Root, name: str, *, before: float) -> bool:
    """Remove what lies in ``pending`` under a name, unless it was written to after ``before``. Whether it went."""
    path = f"pending/{name}"
    try:
        found = os.stat(path, dir_fd=root.fd, follow_symlinks=False)
        if found.st_mtime > before:
            return False
        if stat.S_ISDIR(found.st_mode):
            shutil.rmtree(path, ignore_errors=True, dir_fd=root.fd)
        else:
            remove(root, path)
    except FileNotFoundError:
        return False
    return True
