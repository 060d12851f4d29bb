"""Files of a SQLite store on POSIX: Linux, macOS, the BSDs."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final

from sansio_cache.errors import StoreBusy

__all__ = ["POSIX", "Posix", "flocked", "user"]

_ALONE_WITHIN: Final = 1.0
_EFFECTIVE: Final = os.access in os.supports_effective_ids


@contextmanager
def flocked(descriptor: int, within: float, busy: str) -> Generator[None]:
    """Hold the lock of what a descriptor has open, against other descriptors of it, and close that at the end.

    :param busy: what to say of others who hold it for so many seconds.
    :raises StoreBusy: others do.
    """
    import fcntl  # where it is used: this module can be read on any system

    pause, end = 0.0001, time.monotonic() + within
    try:
        while True:
            # flock knows no time limit; a lock is held for a fraction of a millisecond.
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > end:
                raise StoreBusy(busy)
            time.sleep(pause)
            pause = min(2 * pause, 0.01)
        yield
    finally:
        # Closing is not enough: a child that was forked meanwhile has the descriptor, too.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def user() -> int:
    """As whom we run. In WebAssembly there is one user, whom no call tells."""
    return os.geteuid() if hasattr(os, "geteuid") else 0


class Posix:
    """The operations on the file of a SQLite store, and on those beside it.

    :ivar moves_open_files: whether a file that somebody has open can be renamed, replaced and removed.
    :ivar closing_unlocks: whether closing any descriptor of a file ends all locks of the process on it. Then a file
        that SQLite has open is never opened and closed beside it.
    :ivar pragmas: for connections that write, so that what SQLite syncs is on the disk afterwards.
    """

    moves_open_files: bool = True
    closing_unlocks: bool = True
    # On macOS fsync leaves data in the drive's cache, and it may reach the disk in another order than it was written;
    # a checkpoint is the one step that must not. Elsewhere SQLite has no such call and the pragma does nothing.
    pragmas: tuple[str, ...] = ("checkpoint_fullfsync = ON",)

    def owns(self, seen: os.stat_result) -> bool:
        """Whether a file belongs to the user as whom we run."""
        return seen.st_uid == user()

    def may_be_altered(self, path: str, seen: os.stat_result) -> bool:
        """Whether a file that is not ours may be written to by others than the system's administrator."""
        return seen.st_uid != 0 or bool(seen.st_mode & 0o022) or self.may_write(path)

    def may_write(self, path: str) -> bool:
        """Whether we may write to a file, or into a folder.

        By the rights of who runs us, not of who started us, where the system tells them apart.
        """
        return os.access(path, os.W_OK, effective_ids=_EFFECTIVE)

    def restrict(self, path: str, seen: os.stat_result) -> None:
        """Take from all others what they may do with a file of ours."""
        if stat.S_IMODE(seen.st_mode) & 0o077:
            with suppress(OSError):  # on a medium that can only be read
                os.chmod(path, stat.S_IMODE(seen.st_mode) & 0o700)

    def open_to_look(self, path: str) -> int:
        """A descriptor by which a file of unknown kind can be looked at: nothing is waited for."""
        # O_NONBLOCK: a FIFO would wait for who writes to it. On Windows a device has no place in a folder.
        return os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))

    def read_start(self, descriptor: int, count: int) -> bytes:
        """So many of the first bytes of a file, wherever the descriptor stands."""
        return os.pread(descriptor, count, 0)

    def make(self, path: str) -> None:
        """Make an empty file where there is nothing, for its owner only: 0600 from the first moment on.

        :raises FileExistsError: there is something.
        """
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def alone(self, folder: str) -> AbstractContextManager[None]:
        """No other process begins a file of ours in this folder, or sets one aside. Ends with its process.

        By a lock of the folder itself: nothing need be made for it.

        :raises StoreBusy: if others do for a second.
        """
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        return flocked(descriptor, _ALONE_WITHIN, f"{folder}: another process is at its files")

    def uri(self, path: str) -> str:
        """The URI by which SQLite opens the file at an absolute path."""
        from urllib.parse import quote  # when a file is opened: a session can be made without it

        # With an empty authority: a path may begin with two slashes.
        return f"file://{quote(os.fsencode(path))}"

    def path_in(self, url: str) -> str:
        """The path that stands in a URL after the authority, as the system writes it."""
        return url

    def fault_of(self, path: str) -> str:
        """Why no file can have this absolute path; empty if one can."""
        return ""


POSIX: Final = Posix()
