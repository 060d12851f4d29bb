"""Tokens of leases: they name host and process, so that no request waits for a dead holder."""

from __future__ import annotations

import hashlib
import itertools
import os
import secrets
import sys
from typing import Final

__all__ = ["is_abandoned", "new_token"]

_RANDOM: Final = 8
_HOST: Final = 4
_PID: Final = 4


def new_token() -> bytes:
    """A token for one lease, 16 bytes: that no other lease has, then what tells this host and this process."""
    # Not random anew: to ask the system for that lets go of the GIL, for which a loop may then have to wait.
    number = (_FIRST + next(_numbers)) % 256**_RANDOM
    return number.to_bytes(_RANDOM, "big") + _HERE + os.getpid().to_bytes(_PID, "big")


def is_abandoned(token: bytes) -> bool:
    """Whether the process that made a token is surely dead: one of this host, and no longer there.

    False for whatever cannot be known: another host, another container, a token of another make. A process number that
    has been given anew counts as alive, and the lease then ends in its own time.
    """
    if len(token) != _RANDOM + _HOST + _PID or token[_RANDOM:-_PID] != _HERE:
        return False
    pid = int.from_bytes(token[-_PID:], "big")
    return pid > 0 and pid != os.getpid() and _is_dead(pid)


def _host() -> bytes:
    """Four bytes that two processes share only where each sees the other's process number."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            boot = file.read().strip()
        room = f"{boot!r} {os.stat('/proc/self/ns/pid').st_ino}".encode()
    except OSError:
        # Nothing here tells hosts apart beyond doubt: only children by fork see each other.
        room = secrets.token_bytes(16)
    return hashlib.sha256(room).digest()[:_HOST]


# Found out at import: the first miss may be on an event loop, where no file is read.
_HERE: Final = _host()
_FIRST: Final = int.from_bytes(os.urandom(_RANDOM), "big")
_numbers = itertools.count()


def _is_dead(pid: int) -> bool:
    if sys.platform == "win32":  # there the signal 0 would end it
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    # Killed, but not yet waited for by its parent: it has a number still, and does nothing any more.
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[:1] in ([b"Z"], [b"X"])
    except OSError:
        return False
