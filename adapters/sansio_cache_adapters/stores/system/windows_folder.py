"""A folder as Windows has it: all that a file store asks of the operating system.

By paths, since no descriptor of a folder can be had there. A link or a mount point in the place of a file or folder of
ours is seen by a look just before the use, and not at the use itself, as on POSIX: anyone who can put one there has the
rights of the user already. Pointers are small files, since to make a link takes a right that users do not have. What
somebody has open cannot be renamed or removed for as long: it is tried again for a while.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, TypeVar

from .any_folder import AnyFolder, OpenFile, misplaced, write_all
from .windows import BINARY, lock_file

__all__ = ["Folder", "open_root", "runs_as_root"]

T = TypeVar("T")

_LOCK_NAME: Final = "folder.lock"
_LOCK_WAIT: Final = 0.5
_OPEN_ELSEWHERE: Final = 0.25
"""Seconds for which a file is waited for that somebody has open: ours are open for less than a millisecond."""
_LONGEST_POINTER: Final = 1024


def runs_as_root() -> bool:
    """No: files have no owner here that could be told."""
    return False


def open_root(location: str) -> tuple[str, bool]:
    """The folder at a path, made with those above it if it is not there; and whether a link led to it.

    :raises NotADirectoryError: if something else is there; FileExistsError likewise.
    """
    try:
        os.makedirs(location, 0o700, exist_ok=True)
    except FileExistsError as error:
        if os.path.islink(location) and not os.path.exists(location):
            raise NotADirectoryError(errno.ENOTDIR, "is a link that leads nowhere", location) from error
        raise
    return location, _is_link(os.lstat(location))


class _File(OpenFile):
    __slots__ = ()

    def read(self, at: int, count: int) -> bytes:
        os.lseek(self._fd, at, os.SEEK_SET)
        return _read(self._fd, count)

    def write(self, at: int, data: bytes) -> None:
        os.lseek(self._fd, at, os.SEEK_SET)
        write_all(self._fd, data)


class Folder(AnyFolder):
    """A folder, by its path."""

    __slots__ = ("owner", "path")

    _file = _File

    def __init__(self, path: str, owner: int | None = None) -> None:
        self.path = path
        self.owner = 0

    def _of(self, name: str) -> str:
        return os.path.join(self.path, name)

    def _make_folder(self, name: str) -> None:
        os.mkdir(self._of(name), 0o700)

    def _unlink(self, name: str) -> None:
        _patiently(lambda: os.unlink(self._of(name)))

    def _remove_folder(self, name: str) -> None:
        os.rmdir(self._of(name))

    # Folders

    def at(self, name: str) -> Folder:
        """The folder of this name."""
        seen = os.lstat(self._of(name))
        if _is_link(seen) or not stat.S_ISDIR(seen.st_mode):
            raise misplaced("is not a folder", name)
        return Folder(self._of(name))

    @property
    def is_ours(self) -> bool:
        """Yes: no owner can be told here."""
        return True

    def owns(self, seen: os.stat_result) -> bool:
        """Whether something belongs to the owner of this folder: that cannot be told."""
        return True

    def names(self) -> list[str]:
        """The names in it, each once and in order."""
        return sorted(set(os.listdir(self.path)) - {_LOCK_NAME})

    def look(self, name: str) -> os.stat_result | None:
        """The status of the file under a name, links not followed; None where there is none."""
        try:
            return os.lstat(self._of(name))
        except FileNotFoundError:
            return None

    def lock(self) -> AbstractContextManager[None]:
        """Hold the folder's lock, which ends with its process.

        :raises StoreBusy: if others hold it for half a second.
        """
        if not os.path.isdir(self.path):
            raise FileNotFoundError(errno.ENOENT, "is not there", self.path)
        return lock_file(self._of(_LOCK_NAME), _LOCK_WAIT, "somebody holds a lock in the folder of the cache")

    # Files

    def read(self, name: str, most: int) -> bytes | None:
        """A whole file; None where it is larger than ``most``."""
        with self._opened(name, os.O_RDONLY) as (fd, seen):
            return _read(fd, seen.st_size) if seen.st_size <= most else None

    def read_below(self, folder: str, name: str, most: int) -> bytes | None:
        """A whole file of a folder in this one: what a hit does."""
        return self.at(folder).read(name, most)

    @contextmanager
    def _opened(self, name: str, flags: int) -> Generator[tuple[int, os.stat_result]]:
        path = self._of(name)
        before = os.lstat(path)
        if _is_link(before) or not stat.S_ISREG(before.st_mode):
            raise misplaced("is not a file", name)
        fd = _patiently(lambda: os.open(path, flags | BINARY))
        try:
            seen = os.fstat(fd)
            if flags != os.O_RDONLY and seen.st_nlink > 1:
                raise misplaced("has another name, too", name)
            yield fd, seen
        finally:
            os.close(fd)

    def open(self, name: str, flags: int) -> int:
        """A descriptor of a file, made for its owner only, for one who closes it."""
        return os.open(self._of(name), flags, 0o600)

    def set_time(self, name: str, when: float) -> None:
        """Set the time of a file's last change."""
        seen = os.lstat(self._of(name))
        if _is_link(seen) or not stat.S_ISREG(seen.st_mode):
            raise misplaced("is not a file", name)
        os.utime(self._of(name), (when, when))

    def restrict(self, name: str | None = None) -> None:
        """Do nothing: the access list of the user's folder says what others may do, and new files inherit it."""

    # Names

    def point(self, name: str, target: str) -> None:
        """Make a pointer."""
        self.write_new(name, [target.encode()])

    def pointed(self, name: str) -> str:
        """Where a pointer leads; empty if it is none."""
        try:
            return (self.read(name, _LONGEST_POINTER) or b"").decode("ascii", "replace")
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENXIO):
                raise
            return ""

    def rename(self, name: str, folder: Folder, new: str) -> None:
        """Give what lies under a name another one, in place of a file that may be there."""
        taken = folder.look(new)
        if taken is not None and stat.S_ISDIR(taken.st_mode):
            raise misplaced("is a folder", new)
        _patiently(lambda: os.replace(self._of(name), folder._of(new)))

    put = rename


def _patiently(call: Callable[[], T]) -> T:
    """The result of a call that is refused as long as somebody has the file open."""
    pause, end = 0.0005, time.monotonic() + _OPEN_ELSEWHERE
    while True:
        try:
            return call()
        except PermissionError:
            if time.monotonic() > end:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 0.01)


def _is_link(seen: os.stat_result) -> bool:
    """Whether it is a link, or a mount point, which on Windows is a folder that leads elsewhere."""
    return stat.S_ISLNK(seen.st_mode) or getattr(seen, "st_reparse_tag", 0) == _MOUNT_POINT


_MOUNT_POINT: Final = 0xA0000003


def _read(fd: int, count: int) -> bytes:
    data = os.read(fd, count)
    while len(data) < count and (more := os.read(fd, count - len(data))):
        data += more
    return data
