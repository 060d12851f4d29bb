"""Locks of single bytes of a file, freed by the system when their holder dies, however it dies.

Two implementations behind one interface: ``fcntl`` (locks of an open file where the system has them, else of the
process) and ``msvcrt``. Neither reads or writes a byte: a lock may lie far beyond the end of the file.
"""

from __future__ import annotations

import os
import sys
import threading
from struct import Struct
from types import ModuleType
from typing import Any, Final, Protocol

__all__ = ["BYTE_LOCKS", "ByteLocks", "FcntlLocks", "MsvcrtLocks"]


_FLOCK: Final = Struct("hhqqi4x")
"""``struct flock``: type, whence, start, length, pid (which must be 0 here)."""


class ByteLocks(Protocol):
    """Byte locks of one system; ``count`` bytes can be locked, from 0 on."""

    count: int

    def lock(self, descriptor: int, offset: int, length: int = 1) -> bool:
        """Lock a byte, or several of which none is locked, at once; whether they are ours now.

        :raises OSError: this file cannot have locks.
        """
        ...

    def unlock(self, descriptor: int, offset: int, length: int = 1) -> None:
        """Give back what was locked together.

        :raises OSError: as :meth:`lock`.
        """
        ...


class FcntlLocks:
    """POSIX. Where there are no locks of an open file, closing any descriptor of it drops those of the process."""

    count = 2**62

    def __init__(self, fcntl: ModuleType | Any) -> None:
        self._fcntl = fcntl
        # Elsewhere the name may mean another number, and what it takes is laid out in another way.
        self._command: int | None = getattr(fcntl, "F_OFD_SETLK", None) if sys.platform == "linux" else None

    def lock(self, descriptor: int, offset: int, length: int = 1) -> bool:
        """See :class:`ByteLocks`."""
        try:
            self._set(descriptor, offset, length, taken=True)
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, as POSIX leaves it open
            return False
        return True

    def unlock(self, descriptor: int, offset: int, length: int = 1) -> None:
        """See :class:`ByteLocks`."""
        self._set(descriptor, offset, length, taken=False)

    def _set(self, descriptor: int, offset: int, length: int, *, taken: bool) -> None:
        fcntl = self._fcntl
        if self._command is None:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB if taken else fcntl.LOCK_UN, length, offset)
            return
        kind = fcntl.F_WRLCK if taken else fcntl.F_UNLCK
        fcntl.fcntl(descriptor, self._command, _FLOCK.pack(kind, os.SEEK_SET, offset, length, 0))


class MsvcrtLocks:
    """Windows: of the byte at which the descriptor stands, whose position the C library keeps in 32 bits."""

    count = 2**31 - 2

    def __init__(self, msvcrt: ModuleType | Any) -> None:
        self._msvcrt = msvcrt
        self._lock = threading.RLock()

    def lock(self, descriptor: int, offset: int, length: int = 1) -> bool:
        """See :class:`ByteLocks`."""
        try:
            self._set(descriptor, offset, length, self._msvcrt.LK_NBLCK)
        except PermissionError:
            return False
        return True

    def unlock(self, descriptor: int, offset: int, length: int = 1) -> None:
        """See :class:`ByteLocks`."""
        self._set(descriptor, offset, length, self._msvcrt.LK_UNLCK)

    def _set(self, descriptor: int, offset: int, length: int, mode: int) -> None:
        with self._lock:
            os.lseek(descriptor, offset, os.SEEK_SET)
            self._msvcrt.locking(descriptor, mode, length)


def _of_this_system() -> ByteLocks | None:
    try:
        import fcntl
    except ImportError:
        pass
    else:
        return FcntlLocks(fcntl)
    try:
        import msvcrt
    except ImportError:
        return None
    return MsvcrtLocks(msvcrt)


BYTE_LOCKS: Final = _of_this_system()
"""The byte locks of this system; None where it has none."""
