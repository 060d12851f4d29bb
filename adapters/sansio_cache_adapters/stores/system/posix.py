"""Files of a SQLite store on POSIX: Linux, macOS, the BSDs."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Final

from sansio_cache.errors import StoreBusy

__all__ = ["POSIX", "Posix", "locked_at_once", "unlock", "user"]

_ALONE_WITHIN: Final = 1.0
_EFFECTIVE: Final = os.access in os.supports_effective_ids


def locked_at_once(descriptor: int) -> bool:
    """Lock what a descriptor has open, against other descriptors of it; whether it is ours now."""
    import fcntl  # where it is used: this module can be read on any system

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int) -> None:
    """End it, in children too that have the descriptor."""
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_UN)


def user() -> int:
    """As whom we run. In WebAssembly there is one user, whom no call tells."""
    return os.geteuid() if hasattr(os, "geteuid") else 0


class Posix:
    """See :class:`~.protocol.System`."""

    moves_open_files = True
    # POSIX drops all locks of a process on a file with any descriptor of it that is closed.
    closing_unlocks = True
    # On macOS fsync leaves data in the drive's cache, and it may reach the disk in another order than it was written;
    # a checkpoint is the one step that must not. Elsewhere SQLite has no such call and the pragma does nothing.
    pragmas = ("checkpoint_fullfsync = ON",)

    def owns(self, seen: os.stat_result) -> bool:
        """See the protocol, as for all below."""
        return seen.st_uid == user()

    def may_be_altered(self, path: str, seen: os.stat_result) -> bool:
        """Whether others than root may write to it."""
        return seen.st_uid != 0 or bool(seen.st_mode & 0o022) or self.may_write(path)

    def may_write(self, path: str) -> bool:
        """By the rights of who runs us, not of who started us, where the system tells them apart."""
        return os.access(path, os.W_OK, effective_ids=_EFFECTIVE)

    def restrict(self, path: str, seen: os.stat_result) -> None:
        """Its mode says what others may do."""
        if stat.S_IMODE(seen.st_mode) & 0o077:
            with suppress(OSError):  # on a medium that can only be read
                os.chmod(path, stat.S_IMODE(seen.st_mode) & 0o700)

    def open_to_look(self, path: str) -> int:
        """O_NONBLOCK: a FIFO would wait for who writes to it."""
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read_start(self, descriptor: int, count: int) -> bytes:
        """Without moving where the descriptor stands."""
        return os.pread(descriptor, count, 0)

    def make(self, path: str) -> None:
        """0600 from the first moment on."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    @contextmanager
    def alone(self, folder: str) -> Generator[None]:
        """By a lock of the folder itself: nothing need be made for it."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        deadline = time.monotonic() + _ALONE_WITHIN
        try:
            while not locked_at_once(descriptor):
                if time.monotonic() >= deadline:
                    raise StoreBusy(f"{folder}: another process is at its files")
                time.sleep(0.001)
            yield
        finally:
            os.close(descriptor)

    def uri(self, path: str) -> str:
        """With an empty authority: a path may begin with two slashes."""
        from urllib.parse import quote  # when a file is opened: a session can be made without it

        return f"file://{quote(os.fsencode(path))}"

    def path_in(self, url: str) -> str:
        """The same."""
        return url

    def fault_of(self, path: str) -> str:
        """Any name can be had."""
        return ""


POSIX: Final = Posix()
