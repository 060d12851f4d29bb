"""The interface to the operating system that stores use."""

from __future__ import annotations

import errno
import os
from contextlib import AbstractContextManager
from typing import Final, Protocol

__all__ = ["System", "is_absent", "is_misplaced"]


class System(Protocol):
    """The operations on the file of a SQLite store, and on those beside it.

    :ivar moves_open_files: whether a file that somebody has open can be renamed, replaced and removed.
    :ivar closing_unlocks: whether closing any descriptor of a file ends all locks of the process on it. Then a file
        that SQLite has open is never opened and closed beside it.
    :ivar pragmas: for connections that write, so that what SQLite syncs is on the disk afterwards.
    """

    moves_open_files: bool
    closing_unlocks: bool
    pragmas: tuple[str, ...]

    def owns(self, seen: os.stat_result) -> bool:
        """Whether a file belongs to the user as whom we run."""
        ...

    def may_be_altered(self, path: str, seen: os.stat_result) -> bool:
        """Whether a file that is not ours may be written to by others than the system's administrator."""
        ...

    def may_write(self, path: str) -> bool:
        """Whether we may write to a file, or into a folder."""
        ...

    def restrict(self, path: str, seen: os.stat_result) -> None:
        """Take from all others what they may do with a file of ours."""
        ...

    def open_to_look(self, path: str) -> int:
        """A descriptor by which a file of unknown kind can be looked at: nothing is waited for."""
        ...

    def read_start(self, descriptor: int, count: int) -> bytes:
        """So many of the first bytes of a file."""
        ...

    def make(self, path: str) -> None:
        """Make an empty file where there is nothing, for its owner only.

        :raises FileExistsError: there is something.
        """
        ...

    def alone(self, folder: str) -> AbstractContextManager[None]:
        """No other process begins a file of ours in this folder, or sets one aside. Ends with its process.

        :raises StoreBusy: if others do for a second.
        """
        ...

    def uri(self, path: str) -> str:
        """The URI by which SQLite opens the file at an absolute path."""
        ...

    def path_in(self, url: str) -> str:
        """The path that stands in a URL after the authority, as the system writes it."""
        ...

    def fault_of(self, path: str) -> str:
        """Why no file can have this absolute path; empty if one can."""
        ...


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
