"""The place of a store: a file of ours lies there, nothing yet, or a foreign file, which is never touched.

POSIX drops all locks that a process holds on a file as soon as it closes any descriptor of it, SQLite's included. So a
file that a store of this process has open is known by its inode and never opened to look at it again, and a foreign
database, which the process may have open for its own ends, is looked at once and its descriptor kept.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from sansio_cache.errors import ForeignStore
from sansio_cache_adapters.stores import system
from sansio_cache_adapters.stores.foreign import START, describe_file, describe_folder, left_alone
from sansio_cache_adapters.stores.forking import RestingLock

from .schema import APPLICATION_ID, IDENTIFY, SCHEMA_VERSION, create

__all__ = [
    "Inode",
    "State",
    "begin",
    "examine",
    "examining",
    "forget",
    "inode_at",
    "remember",
    "set_aside",
    "state_of",
    "sync_log",
]

_MAGIC: Final = b"SQLite format 3\0"
_BESIDE: Final = ("-wal", "-shm", "-journal")
_LEFT_OVER_AFTER: Final = 60.0


class Inode(msgspec.Struct, frozen=True):
    """Which file it is, whatever its name."""

    device: int
    number: int


class State(NamedTuple):
    """Whether a file may be written to, and the values that change when another process writes to it."""

    may_be_written: bool
    size: int
    changed_at: int


examining: Final = RestingLock()
"""Held by the one who looks at a file, until it is open and kept in mind."""
_ours: dict[Inode, int] = {}
_foreign: dict[Inode, int] = {}
_looked_at: dict[Inode, int] = {}
"""All three are guarded by ``examining``."""


def inode_at(path: str) -> Inode | None:
    """The file that lies at ``path`` now, or None. Raises OSError where that cannot be told."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return Inode(status.st_dev, status.st_ino)


_fdatasync: Final[Callable[[int], None] | None] = getattr(os, "fdatasync", None)


def sync_log(path: str) -> None:
    """Have the system write what it holds of a file's log to the disk, as far as it can; without any lock."""
    log = f"{os.path.realpath(path)}-wal"
    with suppress(OSError):
        found = os.stat(log, follow_symlinks=False)
        # Under another name it could be a file on which SQLite holds locks: see above.
        if _fdatasync is not None and stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            descriptor = os.open(log, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))  # not inherited: Python opens so
            try:
                _fdatasync(descriptor)
            finally:
                os.close(descriptor)


def remember(inode: Inode) -> None:
    """A store of this process has this file open, once more."""
    with examining:
        _ours[inode] = _ours.get(inode, 0) + 1


def forget(inode: Inode) -> None:
    """A store of this process has closed this file."""
    with examining:
        _ours[inode] = _ours.get(inode, 1) - 1
        if _ours[inode] <= 0:
            del _ours[inode]
            descriptor = _looked_at.pop(inode, None)
            if descriptor is not None:
                os.close(descriptor)


def examine(path: str) -> bool:
    """Whether a file of ours lies at ``path``; else there is nothing, or an empty file.

    :raises ForeignStore: if it is neither nothing, nor empty, nor a file of ours that this version can read.
    :raises OSError: if it cannot be looked at.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        # A link that a stranger put there would have us make a file in any place where the user may.
        if os.path.islink(path):
            raise ForeignStore(left_alone(path, "is a link that leads to nothing")) from None
        return False
    inode = Inode(status.st_dev, status.st_ino)
    if inode in _ours:
        return True
    if not stat.S_ISREG(status.st_mode):
        folder = stat.S_ISDIR(status.st_mode)
        raise ForeignStore(left_alone(path, describe_folder(os.listdir(path)) if folder else "is no regular file"))
    if status.st_size == 0:
        # A link that a stranger put there would have us fill any empty file of the user's.
        if os.path.islink(path) or not system.SYSTEM.owns(status):
            raise ForeignStore(left_alone(path, "leads to an empty file that was not made for it"))
        return False
    header = _header(path, inode)
    if not _says_ours(header):
        raise ForeignStore(left_alone(path, describe_file(header)))
    if int.from_bytes(header[60:64], "big") > SCHEMA_VERSION:
        raise ForeignStore(left_alone(path, "was made by a newer version of sansio-cache"))
    _make_private(path, status)
    return True


def _make_private(path: str, status: os.stat_result) -> None:
    """Bring a file of ours and those beside it to 0600.

    :raises ForeignStore: if one of them is not ours; what root has put where we may not write is for us to read.
    """
    real = os.path.realpath(path)
    for each in (real, *(real + suffix for suffix in _BESIDE)):
        try:
            found = os.lstat(each)
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(found.st_mode):
            raise ForeignStore(left_alone(each, "is no regular file"))
        others = not system.SYSTEM.owns(found)
        if others and (found.st_uid != status.st_uid or system.SYSTEM.may_be_altered(each, found)):
            raise ForeignStore(left_alone(each, "belongs to another user"))
        if not others:
            system.SYSTEM.restrict(each, found)


def state_of(path: str, *, only_reads: bool = False) -> State:
    """Whether SQLite could write at ``path``: to the file, and to those beside it, which it makes and removes.

    :param only_reads: it is not to be written to, whatever the disk would allow.
    """
    real = os.path.realpath(path)
    status = os.stat(real)
    may = system.SYSTEM.may_write
    beside = may(os.path.dirname(real)) or (may(f"{real}-wal") and may(f"{real}-shm"))
    return State(may(real) and beside and not only_reads, status.st_size, status.st_mtime_ns)


def _says_ours(header: bytes) -> bool:
    return header[:16] == _MAGIC and int.from_bytes(header[68:72], "big") == APPLICATION_ID


def _header(path: str, inode: Inode) -> bytes:
    descriptor = _foreign.get(inode)
    if descriptor is not None:
        return system.SYSTEM.read_start(descriptor, START)
    descriptor = system.SYSTEM.open_to_look(path)
    header = system.SYSTEM.read_start(descriptor, START)
    if system.SYSTEM.closing_unlocks and header[:16] == _MAGIC and not _says_ours(header):
        _foreign[inode] = descriptor
    else:
        os.close(descriptor)
    return header


def begin(path: str, ids: tuple[bytes, bytes] | None = None) -> None:
    """Make a new cache file where there is nothing or an empty file, 0600, its missing folders 0700.

    :param ids: id and salt of the store whose file has gone; None for new ones.

    It is built under another name and given its own when it is whole: a process that dies meanwhile leaves nothing
    half made, and of two that do it at once the second finds the first's.

    :raises OSError: where that cannot be done; sqlite3.Error and StoreBusy too.
    """
    # Should a link come into its place by now, it is that link which is replaced, and not what it leads to.
    folder = Path(os.path.realpath(os.path.dirname(path)))
    path = str(folder / os.path.basename(path))
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    _remove_left_over(path)
    draft = f"{path}.new-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        system.SYSTEM.make(draft)
        _build(draft, ids)
        with system.SYSTEM.alone(str(folder)):
            if not os.path.lexists(path) or os.stat(path).st_size == 0:
                # The log of a file that was deleted: SQLite would take it for the new one's.
                for suffix in _BESIDE:
                    with suppress(FileNotFoundError):
                        os.unlink(path + suffix)
                os.replace(draft, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)


def _build(draft: str, ids: tuple[bytes, bytes] | None) -> None:
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        # In the file itself, not in a log beside it, so that the header says from the first byte whose it is.
        connection.execute("PRAGMA journal_mode = MEMORY")
        create(connection)
        if ids is not None:
            connection.execute(IDENTIFY, ids)
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _remove_left_over(path: str) -> None:
    """Remove what processes that died while they began a file left behind."""
    drafts = re.compile(re.escape(os.path.basename(path)) + r"\.new-\d+-[0-9a-f]{8}(-journal|-wal|-shm)?", re.DOTALL)
    with os.scandir(os.path.dirname(path)) as entries:
        for entry in entries:
            with suppress(OSError):
                if drafts.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    if system.SYSTEM.owns(status) and status.st_mtime < time.time() - _LEFT_OVER_AFTER:
                        os.unlink(entry.path)


def set_aside(path: str, inode: Inode) -> str | None:
    """Rename a broken file of ours, with its log, to the next free ``*.corrupt-N``.

    To be called before its connections are closed, if the system can move what is open: into a file that has moved
    SQLite brings no log.

    :returns: the new name, or None where another file lies at ``path`` by now.
    :raises ForeignStore: if the header no longer says that it is ours: then it is left as it is.
    :raises OSError: if it cannot be renamed.
    """
    given, path = path, os.path.realpath(path)
    with examining, system.SYSTEM.alone(os.path.dirname(path)):
        if inode_at(path) != inode or not _is_broken_and_ours(path, inode):
            return None
        number = 1
        while os.path.lexists(aside := f"{path}.corrupt-{number}"):
            number += 1
        os.rename(path, aside)
        for suffix in _BESIDE:
            with suppress(FileNotFoundError):
                os.rename(path + suffix, aside + suffix)
    if os.path.islink(given):
        # Else no sign would remain that a cache was there, and nothing is begun through a link.
        begin(path)
    return aside


def _is_broken_and_ours(path: str, inode: Inode) -> bool:
    if inode not in _ours:
        return examine(path)
    # Open here: whatever is looked at stays open until its last connection is closed.
    if inode not in _looked_at:
        _looked_at[inode] = system.SYSTEM.open_to_look(path)
    header = system.SYSTEM.read_start(_looked_at[inode], START)
    if not system.SYSTEM.closing_unlocks:
        os.close(_looked_at.pop(inode))
    if header and not _says_ours(header):
        raise ForeignStore(left_alone(path, f"was overwritten and {describe_file(header)}"))
    return True
