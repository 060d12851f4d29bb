"""The large bodies of a file store: each is written once under a random name, and never changed.

While it comes in it lies in ``pending``. Its place in ``bodies`` is taken in the commit, just before the head that
names it; by then the hashes of its chunks and the place of its head have been added at its end::

    body | hash of each chunk | resource | partition | size of the body, size of the hashes, magic
"""

from __future__ import annotations

import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from struct import Struct
from typing import Final, NamedTuple

from sansio_cache.errors import StoreError
from sansio_cache.records import CHUNK_SIZE, Item
from sansio_cache_adapters.stores.rows import Row
from sansio_cache_adapters.stores.system.folders import Folder, OpenFile, is_misplaced

from .heads import rows_of
from .layout import Root, is_hex, skipping

__all__ = [
    "clear_pending",
    "give_up",
    "is_spare",
    "let_go",
    "pending_bytes",
    "pending_size",
    "read_chunk",
    "read_hashes",
    "read_pending",
    "remove_body",
    "settle",
    "write_chunk",
]

_MAGIC: Final = b"SCbody1\n"
_END = Struct(">32s32sQQ8s")
_HASH: Final = 32


class _End(NamedTuple):
    resource: bytes
    partition: bytes
    size: int
    hashes: int

    @property
    def is_sound(self) -> bool:
        """Whether there are as many hashes as chunks, so that no more is read at once than the body has."""
        return self.hashes == _HASH * -(-self.size // CHUNK_SIZE)


def _pending(root: Root) -> Folder:
    return root.reach("pending", make=True)


def write_chunk(root: Root, entry: bytes, index: int, data: bytes) -> None:
    """Write a chunk of a pending body; the first may be all of a larger one.

    :raises StoreError: if the chunks before it are not there.
    """
    if index == 0:
        _pending(root).write_new(entry.hex(), [data])
        return
    try:
        added = _pending(root).append(entry.hex(), index * CHUNK_SIZE, data)
    except FileNotFoundError as error:
        raise StoreError("the pending body was given up") from error
    if not added:
        raise StoreError("the pending body lacks a chunk")


def give_up(root: Root, entry: bytes) -> None:
    """Remove a pending body, if it is there."""
    _pending(root).remove(entry.hex())


def pending_size(root: Root, entry: bytes) -> int | None:
    """Bytes of a pending body; None where it is gone."""
    seen = _pending(root).look(entry.hex())
    return None if seen is None else seen.st_size


def pending_bytes(root: Root) -> int:
    """Bytes of all bodies on their way in."""
    pending = _pending(root)
    seen = [pending.look(name) for name in pending.names() if is_hex(name, 32)]
    return sum(each.st_size for each in seen if each is not None and stat.S_ISREG(each.st_mode))


def read_pending(root: Root, entry: bytes) -> bytes:
    """A small pending body."""
    return _pending(root).read(entry.hex(), CHUNK_SIZE) or b""


def settle(root: Root, entry: bytes, item: Item) -> None:
    """Give a pending body its end and its place."""
    pending, name = _pending(root), entry.hex()
    end = _END.pack(item.resource, item.partition, item.size, len(item.hashes), _MAGIC)
    if not pending.append(name, item.size, item.hashes + end):
        raise StoreError("the pending body has another size than its record")
    pending.rename(name, root.reach("bodies", name[:2], make=True), name)


@contextmanager
def _opened(root: Root, entry: bytes) -> Generator[tuple[OpenFile, _End]]:
    name = entry.hex()
    try:
        with root.reach("bodies", name[:2]).opened(name) as file:
            *end, magic = _END.unpack(file.read(max(file.size - _END.size, 0), _END.size).ljust(_END.size))
            found = _End(*end)
            if magic != _MAGIC or not found.is_sound or found.size + found.hashes + _END.size != file.size:
                raise StoreError("the body is broken")
            yield file, found
    except FileNotFoundError as error:
        raise StoreError("the body is gone") from error
    except OSError as error:
        if not is_misplaced(error):
            raise
        raise StoreError("the body is broken") from error


def read_hashes(root: Root, entry: bytes, most: int) -> bytes:
    """The hashes of a body's chunks; ``most`` bytes has a body of this store.

    :raises StoreError: if the body is gone or broken.
    """
    with _opened(root, entry) as (file, end):
        if end.size > most:
            raise StoreError("the body is broken")
        return file.read(end.size, end.hashes)


def read_chunk(root: Root, entry: bytes, index: int) -> bytes:
    """A chunk of a body.

    :raises StoreError: if it is gone or broken.
    """
    with _opened(root, entry) as (file, end):
        at = index * CHUNK_SIZE
        if not 0 <= at < end.size:
            raise StoreError(f"chunk {index} is not there")
        return file.read(at, min(CHUNK_SIZE, end.size - at))


def let_go(root: Root, rows: Sequence[Row], now: float) -> None:
    """Note at the bodies of records that are gone when that was; from then on they are kept for a while."""
    for row in rows:
        if row.body is None:
            name = row.entry.hex()
            with skipping():
                root.reach("bodies", name[:2]).set_time(name, now)


def remove_body(root: Root, entry: bytes) -> bool:
    """Remove a body, if it is there; whether it went."""
    name = entry.hex()
    folder = root.found("bodies", name[:2])
    return folder is not None and folder.remove(name)


def is_spare(root: Root, entry: bytes, *, before: float) -> bool:
    """Whether a body was let go, or its writer died, before then: no head names it."""
    name = entry.hex()
    seen = root.reach("bodies", name[:2]).look(name)
    if seen is None or seen.st_mtime > before:
        return False
    try:
        with _opened(root, entry) as (_, end):
            place = end
    except StoreError:
        return True
    shard = root.found("resources", place.resource[:1].hex())
    return shard is None or all(row.entry != entry for row in rows_of(shard, place.resource, place.partition))


def clear_pending(root: Root, name: str, *, before: float) -> bool:
    """Remove what of ours lies in ``pending`` under a name, unless it was written to after then. Whether it went."""
    stem, _, ending = name.partition(".")
    pending = _pending(root)
    seen = pending.look(name) if is_hex(stem, 32) and ending in ("", "new", "gone") else None
    if seen is None or seen.st_mtime > before:
        return False
    if not stat.S_ISDIR(seen.st_mode):
        return pending.remove(name)
    if ending != "gone":
        return False
    with skipping():
        folder = pending.at(name)
        for each in filter(is_hex, folder.names()):
            folder.remove(each)
    # It stays where somebody has put something else into it.
    return pending.remove_empty(name)
