"""Files of a SQLite store on Windows.

A file that somebody has open cannot be renamed, replaced or removed; there is no mode and no owner that could be
compared: the access list of a user's own folder keeps others out, and new files inherit it.
"""

from __future__ import annotations

import ntpath
import os
import re
import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final
from urllib.parse import quote

from sansio_cache.errors import StoreBusy

from .posix import Posix

__all__ = ["BINARY", "WINDOWS", "Windows", "lock_file"]

# Without OBINARY the C library would change line breaks and end a file at Ctrl+Z.
BINARY: Final[int] = getattr(os, "OBINARY", 0)
# The system removes the file with its last descriptor, however its process ends.
_TEMPORARY: Final[int] = getattr(os, "O_TEMPORARY", 0)
_ALONE_WITHIN: Final = 1.0
_DRIVE_IN_URL: Final = re.compile(r"/[A-Za-z]:(?:[/\\]|$)")
_UNFIT: Final = re.compile(r'[<>:"|?*\x00-\x1f]')
_PORTS: Final = {f"{each}{number}" for each in ("COM", "LPT") for number in "123456789¹²³"}
_DEVICES: Final = frozenset({"AUX", "CON", "CONIN$", "CONOUT$", "NUL", "PRN", *_PORTS})
_LOCK_NAME: Final = ".sansio-cache.lock"
_LOST_AFTER: Final = 60.0


@contextmanager
def lock_file(path: str, within: float, busy: str) -> Generator[None]:
    """Hold a lock that is a file which no other process can make meanwhile. It goes with its process.

    :param busy: what to say of others who hold it for so many seconds.
    :raises StoreBusy: others do.
    """
    turn = _turns.setdefault(path, threading.Lock())
    if not turn.acquire(timeout=within):
        raise StoreBusy(busy)
    try:
        with _held(path, time.monotonic() + within, busy):
            yield
    finally:
        turn.release()


_turns: dict[str, threading.Lock] = {}
"""The threads of this process queue here. Shared without a lock: the first lock of a path is set in one step."""


@contextmanager
def _held(path: str, deadline: float, busy: str) -> Generator[None]:
    descriptor = -1
    while descriptor < 0:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | BINARY | _TEMPORARY, 0o600)
        # Windows says that access is denied as long as a file that was removed is still open somewhere.
        except (FileExistsError, PermissionError) as error:
            if time.monotonic() >= deadline:
                if isinstance(error, PermissionError) and not os.path.lexists(path):
                    raise
                raise StoreBusy(busy) from None
            _remove_lost(path)
            time.sleep(0.001)
    try:
        yield
    finally:
        os.close(descriptor)
        with suppress(OSError):  # it went as it was closed
            os.unlink(path)


def _remove_lost(path: str) -> None:
    """Remove a lock that has outlived its process, as a loss of power may leave one: none is held so long."""
    with suppress(OSError):
        if os.stat(path).st_mtime < time.time() - _LOST_AFTER:
            os.unlink(path)


class Windows(Posix):
    """The same there, where no mode and no owner is told, and what is open stays where it is."""

    moves_open_files = False
    # Locks belong to handles there.
    closing_unlocks = False
    pragmas = ()

    def owns(self, seen: os.stat_result) -> bool:
        """A file has an owner there, but Python does not say which; anyone who may write into the folder has it.

        So nobody asks whether one that is not ours may be altered.
        """
        return True

    def may_write(self, path: str) -> bool:
        """A file may be marked read-only; of rights SQLite tells when it writes."""
        return os.access(path, os.W_OK)

    def restrict(self, path: str, seen: os.stat_result) -> None:
        """Do nothing: see the top."""

    def read_start(self, descriptor: int, count: int) -> bytes:
        """From the start, wherever the descriptor stands."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.read(descriptor, count)

    def alone(self, folder: str) -> AbstractContextManager[None]:
        """By a file in it: a folder cannot be locked there."""
        path = os.path.join(folder, _LOCK_NAME)
        return lock_file(path, _ALONE_WITHIN, f"{folder}: another process is at its files")

    def uri(self, path: str) -> str:
        r"""Slashes, and one before the letter of a drive. ``\\?\`` allows no slashes: all of it is escaped."""
        if path.startswith(("\\\\?\\", "\\\\.\\")):
            return f"file:{quote(path.encode('utf-8', 'surrogatepass'), safe='')}"
        slashed = path.replace("\\", "/")
        rooted = slashed if slashed.startswith("/") else f"/{slashed}"
        return f"file://{quote(rooted.encode('utf-8', 'surrogatepass'), safe='/:')}"

    def path_in(self, url: str) -> str:
        """A drive has a slash before it in a URL."""
        return url[1:] if _DRIVE_IN_URL.match(url) else url

    def fault_of(self, path: str) -> str:
        """A colon would name a stream of another file, and Windows drops a final dot."""
        _, rest = ntpath.splitdrive(path)
        for name in filter(None, re.split(r"[\\/]", rest)):
            if unfit := _UNFIT.search(name):
                return f"no name has {unfit[0]!r} in it on Windows: {name}"
            if name[-1] in ". " and name not in (".", ".."):
                return f"no name ends with {name[-1]!r} on Windows: {name}"
            if name.partition(".")[0].rstrip().upper() in _DEVICES:
                return f"{name} is a device on Windows"
        return ""


WINDOWS: Final = Windows()
