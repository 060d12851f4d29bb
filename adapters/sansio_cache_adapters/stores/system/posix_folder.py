"""A folder as POSIX has it: all that a file store asks of the operating system.

Everything is opened by one name in an open folder, and no link is followed: there is no moment between a check and the
use at which somebody could swap one in. ``windows_folder`` has the same names.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final

from .any_folder import AnyFolder, OpenFile, misplaced
from .exchanging import exchanged
from .posix import flocked, user

__all__ = ["Folder", "open_root", "runs_as_root"]

# All of them are there on POSIX; elsewhere this module can be read, and is not used.
_NO_LINK: Final[int] = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY: Final[int] = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _NO_LINK
_PASSING: Final[int] = getattr(os, "O_PATH", os.O_RDONLY) | _DIRECTORY
# O_NONBLOCK: somebody may have put a FIFO in the place of our file.
_FILE: Final[int] = getattr(os, "O_NONBLOCK", 0) | _NO_LINK
_OTHERS: Final = 0o7077
_SMALL: Final = 8192
_LOCK_WAIT: Final = 0.5


def runs_as_root() -> bool:
    """Whether what belongs to others may be changed, too."""
    return user() == 0


def open_root(location: str) -> tuple[int, bool]:
    """A descriptor of the folder at a path, made with those above it if it is not there; and whether a link led to it.

    :raises NotADirectoryError: if something else is there; FileExistsError likewise.
    """
    missing = location
    while not os.path.lexists(missing):
        missing = os.path.dirname(missing)
    for name in os.path.relpath(location, missing).split(os.sep) if missing != location else ():
        missing = os.path.join(missing, name)
        with suppress(FileExistsError):
            os.mkdir(missing, 0o700)
    try:
        return os.open(location, _DIRECTORY), False
    except OSError:
        if not os.path.islink(location):
            raise
    try:
        return os.open(location, _DIRECTORY & ~_NO_LINK), True
    except FileNotFoundError as error:
        raise NotADirectoryError(errno.ENOTDIR, "is a link that leads nowhere", location) from error


class _File(OpenFile):
    __slots__ = ()

    def read(self, at: int, count: int) -> bytes:
        return os.pread(self._fd, count, at)

    def write(self, at: int, data: bytes) -> None:
        os.pwrite(self._fd, data, at)


class Folder(AnyFolder):
    """An open folder, closed when it is no longer used: never while another thread is about to use it.

    All below it must have the same owner.
    """

    __slots__ = ("fd", "owner")

    _file = _File

    def __init__(self, fd: int, owner: int | None = None) -> None:
        self.fd = fd
        self.owner = os.fstat(fd).st_uid
        if owner not in (None, self.owner):
            raise misplaced("belongs to another user", "")

    def __del__(self) -> None:
        # Not set where opening failed.
        with suppress(OSError, AttributeError):
            os.close(self.fd)

    # Folders

    def at(self, name: str) -> Folder:
        """The folder of this name, if it is ours."""
        try:
            return Folder(os.open(name, _DIRECTORY, dir_fd=self.fd), self.owner)
        except PermissionError as error:
            raise misplaced("cannot be opened", name) from error

    @property
    def is_ours(self) -> bool:
        """Whether it belongs to the user as whom we run."""
        return self.owner == user()

    def owns(self, seen: os.stat_result) -> bool:
        """Whether something belongs to the owner of this folder."""
        return seen.st_uid == self.owner

    def names(self) -> list[str]:
        """The names in it, each once and in order."""
        fd = self._again()
        try:
            # A set: a file that is renamed over another while we read may come twice on some file systems.
            return sorted(set(os.listdir(fd)))
        finally:
            os.close(fd)

    def _make_folder(self, name: str) -> None:
        os.mkdir(name, 0o700, dir_fd=self.fd)

    def _unlink(self, name: str) -> None:
        os.unlink(name, dir_fd=self.fd)

    def _remove_folder(self, name: str) -> None:
        os.rmdir(name, dir_fd=self.fd)

    def _again(self) -> int:
        """Another descriptor, with a lock and a place in the listing of its own: threads may share the folder."""
        return os.open(".", _DIRECTORY, dir_fd=self.fd)

    def look(self, name: str) -> os.stat_result | None:
        """The status of the file under a name, links not followed; None where there is none."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def lock(self) -> AbstractContextManager[None]:
        """Hold the folder's lock, which ends with its process.

        :raises StoreBusy: if others hold it for half a second.
        """
        return flocked(self._again(), _LOCK_WAIT, "somebody holds a lock in the folder of the cache")

    # Files

    def read(self, name: str, most: int) -> bytes | None:
        """A whole file; None where it is larger than ``most``."""
        return _whole(self.fd, name, most)

    def read_below(self, folder: str, name: str, most: int) -> bytes | None:
        """A whole file of a folder in this one: what a hit does."""
        between = os.open(folder, _PASSING, dir_fd=self.fd)
        try:
            return _whole(between, name, most)
        finally:
            os.close(between)

    @contextmanager
    def _opened(self, name: str, flags: int) -> Generator[tuple[int, os.stat_result]]:
        try:
            fd = os.open(name, flags | _FILE, dir_fd=self.fd)
        except PermissionError as error:
            if flags != os.O_RDONLY:
                raise
            raise misplaced("cannot be read", name) from error
        try:
            seen = os.fstat(fd)
            if not stat.S_ISREG(seen.st_mode):
                raise misplaced("is not a file", name)
            if flags != os.O_RDONLY and not (self.owns(seen) and seen.st_nlink == 1):
                raise misplaced("belongs to another user, or has another name", name)
            yield fd, seen
        finally:
            os.close(fd)

    def open(self, name: str, flags: int) -> int:
        """A descriptor of a file, made for its owner only, for one who closes it."""
        return os.open(name, flags, 0o600, dir_fd=self.fd)

    def set_time(self, name: str, when: float) -> None:
        """Set the time of a file's last change."""
        with self._opened(name, os.O_WRONLY) as (fd, _):
            os.utime(fd, (when, when))

    def restrict(self, name: str | None = None) -> None:
        """Take from all others what they may do with a file of ours, or with this folder itself."""
        with suppress(OSError):
            if name is None:
                _restrict(self.fd, os.fstat(self.fd))
            else:
                with self._opened(name, os.O_RDONLY) as (fd, seen):
                    if seen.st_nlink == 1 and self.owns(seen):
                        _restrict(fd, seen)

    # Names

    def point(self, name: str, target: str) -> None:
        """Make a pointer: a link, which we never follow but read."""
        os.symlink(target, name, dir_fd=self.fd)

    def pointed(self, name: str) -> str:
        """Where a pointer leads; empty if it is none."""
        try:
            return os.readlink(name, dir_fd=self.fd)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EINVAL):
                raise
            return ""

    def rename(self, name: str, folder: Folder, new: str) -> None:
        """Give what lies under a name another one, in place of a file that may be there."""
        os.rename(name, new, src_dir_fd=self.fd, dst_dir_fd=folder.fd)

    def put(self, name: str, folder: Folder, new: str) -> None:
        """The same for a file that was just written.

        ext4 writes such a file out at once when it takes the place of another, which takes milliseconds. Where the two
        can exchange their names, they do, in one step as well, and the one that was there before is removed.
        """
        there = folder.look(new)
        if there is None or not stat.S_ISREG(there.st_mode) or not exchanged(name, self.fd, new, folder.fd):
            self.rename(name, folder, new)
        else:
            self.unlink(name)


def _restrict(fd: int, seen: os.stat_result) -> None:
    if seen.st_mode & _OTHERS:
        os.fchmod(fd, stat.S_IMODE(seen.st_mode) & ~_OTHERS)


def _whole(folder: int, name: str, most: int) -> bytes | None:
    try:
        fd = os.open(name, os.O_RDONLY | _FILE, dir_fd=folder)
    except PermissionError as error:
        raise misplaced("cannot be read", name) from error
    try:
        # Most files are small: then one call is all, and what is no file of ours does not read like one.
        data = os.read(fd, _SMALL)
        if len(data) < _SMALL:
            return data if len(data) <= most else None
        seen = os.fstat(fd)
        if not stat.S_ISREG(seen.st_mode):
            raise misplaced("is not a file", "")
        return os.pread(fd, seen.st_size, 0) if seen.st_size <= most else None
    finally:
        os.close(fd)
