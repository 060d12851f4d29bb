"""The methods that the folders of both systems share, built on the few calls that differ."""

from __future__ import annotations

import errno
import os
import stat
from abc import abstractmethod
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import ClassVar, Final, Self

__all__ = ["AnyFolder", "OpenFile", "is_absent", "is_misplaced", "misplaced", "write_all"]

# What is there already, be it a link or a pipe, is not opened by this on any system.
_NEW: Final[int] = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class OpenFile:
    """An open file, of so many bytes."""

    __slots__ = ("_fd", "size")

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self.size = size

    @abstractmethod
    def read(self, at: int, count: int) -> bytes:
        """So many bytes from there on."""

    @abstractmethod
    def write(self, at: int, data: bytes) -> None:
        """Put other bytes in the place of those."""


class AnyFolder:
    """A folder. Names are single ones, never paths.

    Where something else lies in the place of what is asked for, the OSError is one that ``is_misplaced`` knows.
    """

    __slots__ = ()

    _file: ClassVar[type[OpenFile]]

    @abstractmethod
    def at(self, name: str) -> Self:
        """The folder of this name, if it is ours."""

    @abstractmethod
    def look(self, name: str) -> os.stat_result | None:
        """The status of the file under a name, links not followed; None where there is none."""

    @abstractmethod
    def owns(self, seen: os.stat_result) -> bool:
        """Whether something belongs to the owner of this folder."""

    @abstractmethod
    def open(self, name: str, flags: int) -> int:
        """A descriptor of a file, made for its owner only, for one who closes it."""

    @abstractmethod
    def _opened(self, name: str, flags: int) -> AbstractContextManager[tuple[int, os.stat_result]]: ...

    @abstractmethod
    def _make_folder(self, name: str) -> None: ...

    @abstractmethod
    def _unlink(self, name: str) -> None: ...

    @abstractmethod
    def _remove_folder(self, name: str) -> None: ...

    def made(self, name: str) -> Self:
        """The folder of this name, made if it is not there."""
        try:
            return self.at(name)
        except FileNotFoundError:
            with suppress(FileExistsError):
                self._make_folder(name)
            return self.at(name)

    def below(self, names: Sequence[str], make: bool) -> Self:
        """The folder to which several names lead, one after the other; with ``make`` each is made."""
        folder = self
        for name in names:
            folder = folder.made(name) if make else folder.at(name)
        return folder

    @contextmanager
    def opened(self, name: str, *, change: bool = False) -> Generator[OpenFile]:
        """A regular file; one to be changed must be ours, and be known by no other name."""
        with self._opened(name, os.O_RDWR if change else os.O_RDONLY) as (fd, seen):
            yield self._file(fd, seen.st_size)

    def holds(self, folder: str, name: str) -> bool:
        """Whether a folder in this one has a file of this name."""
        try:
            return self.at(folder).look(name) is not None
        except OSError as error:
            if not is_absent(error):
                raise
            return False

    def write_new(self, name: str, pieces: Sequence[bytes]) -> None:
        """Write a file that does not exist yet, for its owner only; nothing is left of it on failure."""
        fd = self.open(name, _NEW)
        try:
            try:
                for piece in pieces:
                    write_all(fd, piece)
            finally:
                os.close(fd)
        except BaseException:
            self.remove(name)
            raise

    def append(self, name: str, size: int, data: bytes) -> bool:
        """Add to a file, if it has this size; whether it had."""
        with self._opened(name, os.O_WRONLY | os.O_APPEND) as (fd, seen):
            if seen.st_size != size:
                return False
            write_all(fd, data)
            return True

    def remove(self, name: str) -> bool:
        """Remove a name, unless it is that of a folder or of something that another user owns; whether it went."""
        seen = self.look(name)
        return seen is not None and not stat.S_ISDIR(seen.st_mode) and self.owns(seen) and self.unlink(name)

    def unlink(self, name: str) -> bool:
        """Remove the name of a file, no matter who owns it; whether it was there."""
        with suppress(FileNotFoundError):
            self._unlink(name)
            return True
        return False

    def remove_empty(self, name: str) -> bool:
        """Remove a folder, if it is empty; whether it went."""
        with suppress(OSError):
            self._remove_folder(name)
            return True
        return False


# The errors where something else than a file or folder of ours is opened, read or replaced.
_MISPLACED: Final = frozenset(
    {
        *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
        *(errno.ELOOP, errno.EMLINK),  # a link; the second on FreeBSD
        *(errno.ENXIO, errno.EOPNOTSUPP, errno.EAGAIN),  # a socket, a device, a pipe
    }
)


def is_misplaced(error: OSError) -> bool:
    """Whether something else lies where a file or folder of ours belongs: trouble of one name, not of the disk."""
    return error.errno in _MISPLACED


def is_absent(error: OSError) -> bool:
    """Whether a name is not there, or not what it should be: it is trouble of this name, and the others are well."""
    return isinstance(error, FileNotFoundError) or is_misplaced(error)


def misplaced(what: str, name: str) -> OSError:
    """The error where something else lies in the place of ours."""
    return OSError(errno.ENXIO, what, name)


def write_all(fd: int, data: bytes) -> None:
    """Write all of it: one call may write less."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
