"""Claims to fetch for all, as locks of a file beside the store: two bytes for a partition.

A claim costs two calls of the system and waits for nothing. The system frees it when its holder dies, however it dies,
so that there is nothing to renew for others, to sweep, or to tell by a clock. The holder of both bytes of a partition
fetches for all. The second alone is held, for some seconds, by a process that found the answer not storable: nothing
queues for it. Where the lock file cannot be made there are no claims: each process fetches for itself.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Final

import msgspec
from msgspec.structs import replace

from .byte_locks import BYTE_LOCKS, ByteLocks
from .finalizers import RELEASING
from .forking import Living, follow_forks
from .lock_places import LockPlace
from .protocol import LEASE_SECONDS, Lease

__all__ = ["CHECKPOINT", "Claims", "LockFile"]

Identity = tuple[int, int]
"""Device and inode: what a file is, whatever it is called."""

CHECKPOINT: Final = 0
"""The byte of the one who checkpoints."""
_RESERVED: Final = 16
_NO_PARTITION: Final = b""
_BOTH: Final = 2
_LONGEST: Final = 2 * LEASE_SECONDS
_MOST_OPEN: Final = 1024


class _Holding(msgspec.Struct, frozen=True):
    """The holder of a byte in this process, for which resource, and until when (POSIX seconds) others wait for it."""

    token: bytes
    resource: bytes
    until: float

    def holds(self, now: float) -> bool:
        # One that ends too far ahead is from before the clock was set back.
        return now < self.until <= now + _LONGEST


class LockFile:
    """A lock file, open: one for all stores of this process, since locks of a process do not keep its own apart.

    :ivar users: the claims that use it.
    """

    def __init__(self, descriptor: int, identity: Identity, locks: ByteLocks) -> None:
        self.descriptor = descriptor
        self.identity = identity
        self.users: Living[Claims] = Living()
        self._locks = locks
        # A finalizer may run in the midst of these few steps, and release something else.
        self._guard = threading.RLock()
        self._held: dict[int, _Holding] = {}
        self._open: dict[int, _Holding] = {}

    def lies_at(self, place: LockPlace) -> bool:
        """Whether it is what lies there now."""
        try:
            found = place.look()
        except OSError:
            return False
        return found is not None and self.identity == (found.st_dev, found.st_ino)

    def close_if_idle(self) -> bool:
        """Close it if it is not needed; whether it is closed."""
        with self._guard:
            if self._held or self._open or self.users.all():
                return False
            descriptor, self.descriptor = self.descriptor, -1
            with suppress(OSError):
                os.close(descriptor)
            return True

    def claim(self, offset: int, holding: _Holding, now: float) -> Lease:
        """Take the first byte of a partition, unless another process has it.

        :raises OSError: the file cannot have locks.
        """
        with self._guard:
            known = self._held.get(offset)
            if known is not None and known.token != holding.token and known.holds(now):
                return Lease.HELD
            if known is None:
                told = self._open.get(offset)
                if told is not None:
                    if told.holds(now):
                        return Lease.OPEN
                    self._shut(offset)
                if not self._locks.lock(self.descriptor, offset, _BOTH):
                    return self._refusal(offset)
            self._held[offset] = holding
            return Lease.GRANTED

    def _refusal(self, offset: int) -> Lease:
        """What another process says of a partition of which it has one byte, or both."""
        locks, descriptor = self._locks, self.descriptor
        if not locks.lock(descriptor, offset):
            return Lease.HELD
        # No other process looks at the second byte now. If it is free, the first was given back just now: ask again.
        found = Lease.HELD if locks.lock(descriptor, offset + 1) else Lease.OPEN
        if found is Lease.HELD:
            self._unlock(offset + 1)
        self._unlock(offset)
        return found

    def release(self, offset: int, token: bytes, open_until: float) -> None:
        """Free the first byte if this token holds it, and hold the second until then. Idempotent; never raises."""
        with self._guard:
            holding = self._held.get(offset)
            if holding is None or holding.token != token:
                return
            del self._held[offset]
            with suppress(OSError):
                self._locks.unlock(self.descriptor, offset, _BOTH)
            if open_until > 0.0:
                self._tell_open(offset, replace(holding, until=open_until))

    def _tell_open(self, offset: int, holding: _Holding) -> None:
        with suppress(OSError):
            # Another process may say it already.
            if self._locks.lock(self.descriptor, offset + 1):
                while len(self._open) >= _MOST_OPEN:
                    self._shut(next(iter(self._open)))
                self._open[offset] = holding
                seconds = min(max(holding.until - time.time(), 0.0), LEASE_SECONDS)
                RELEASING.after(seconds, lambda: self._shut_if(offset, holding))

    def _shut_if(self, offset: int, holding: _Holding) -> None:
        with self._guard:
            if self._open.get(offset) is holding:
                self._shut(offset)

    def _shut(self, offset: int) -> None:
        del self._open[offset]
        self._unlock(offset + 1)

    def free(self, resource: bytes) -> None:
        """Free all claims of this process on a resource: no request waits for a fetch that began before."""
        with self._guard:
            for offset in [each for each, holding in self._held.items() if holding.resource == resource]:
                self._unlock(offset, _BOTH)
                del self._held[offset]
            for offset in [each for each, holding in self._open.items() if holding.resource == resource]:
                self._shut(offset)

    def _unlock(self, offset: int, length: int = 1) -> None:
        with suppress(OSError):
            self._locks.unlock(self.descriptor, offset, length)


_open: Final[dict[Identity, LockFile]] = {}
"""The lock files of this process; guarded by ``_opening``."""
_opening = threading.RLock()


def _forget_in_child() -> None:
    """Close what was inherited: a lock lives as long as any copy of its open file."""
    global _opening
    _opening = threading.RLock()
    for each in _open.values():
        with suppress(OSError):
            os.close(each.descriptor)
    _open.clear()


def _close_unused() -> None:
    """Close the files that are not needed: closing drops all locks of a process, so none may be held."""
    for identity, each in list(_open.items()):
        if each.close_if_idle():
            del _open[identity]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


class Claims:
    """The claims of one store.

    :param place: gives the place of the lock file, which is made when it is first needed; asked once until ``close``.
    :param locks: of the system; for tests.
    """

    def __init__(self, place: Callable[[], LockPlace], locks: ByteLocks | None = BYTE_LOCKS) -> None:
        self._place = place
        self._locks = locks
        count = 0 if locks is None else locks.count
        self._places = max(count // 2 - _RESERVED, 1)
        self.begin_anew()
        follow_forks(self)

    def begin_anew(self) -> None:
        """Begin without claims: in the child of a fork, too, since they stay with the parent.

        The fork waits for nothing: no thread holds a lock for longer than it takes to open a file.
        """
        self._at: LockPlace | None = None
        self._file: LockFile | None = None
        self._taken: dict[tuple[bytes, bytes], tuple[LockFile, int]] = {}

    def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease:
        """Claim a partition; OPEN where there are no claims, too.

        :param token: names the holder among those of this process.
        :param until: for so long the others of this process wait for it.
        """
        file = self._file_there_now()
        if file is None:
            return Lease.OPEN
        holding = _Holding(token, resource, min(until, now + LEASE_SECONDS))
        return self._take(file, partition, self._offset(partition), holding, now)

    def claim_nowait(
        self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float
    ) -> Lease | None:
        """The same at once, or None where the lock file must be opened first."""
        place, file = self._at, self._file
        if place is None or file is None or not file.lies_at(place):
            return None
        holding = _Holding(token, resource, min(until, now + LEASE_SECONDS))
        return self._take(file, partition, self._offset(partition), holding, now)

    def release(self, partition: bytes, token: bytes, *, open_until: float = 0.0) -> None:
        """Give a claim back. Idempotent; never waits, never raises."""
        # The file of that time: another may lie there by now.
        taken = self._taken.pop((partition, token), None)
        if taken is not None:
            file, offset = taken
            file.release(offset, token, open_until)

    def free(self, resource: bytes) -> None:
        """Give back all claims of this process on a resource: no request waits for a fetch that began before."""
        for file in {self._file, *[file for file, _ in self._taken.values()]}:
            if file is not None:
                file.free(resource)

    @contextmanager
    def alone(self, byte: int) -> Generator[bool]:
        """Hold one of the first bytes, which the stores use themselves; False where another process holds it."""
        now, token = time.time(), os.urandom(16)
        file = self._file_there_now()
        holding = _Holding(token, b"", now + LEASE_SECONDS)
        lease = Lease.OPEN if file is None else self._take(file, _NO_PARTITION, byte, holding, now)
        try:
            yield lease is not Lease.HELD
        finally:
            self.release(_NO_PARTITION, token)

    def close(self) -> None:
        """Have no need of the lock file any more, until the next claim. Idempotent."""
        self._at = None
        file, self._file = self._file, None
        if file is not None:
            with _opening:
                file.users.discard(self)
                _close_unused()

    def _offset(self, partition: bytes) -> int:
        return _RESERVED + 2 * (int.from_bytes(partition[:8], "big") % self._places)

    def _take(self, file: LockFile, key: bytes, offset: int, holding: _Holding, now: float) -> Lease:
        try:
            lease = file.claim(offset, holding, now)
        except OSError:
            return Lease.OPEN
        if lease is Lease.GRANTED:
            self._taken[key, holding.token] = file, offset
        return lease

    def _file_there_now(self) -> LockFile | None:
        """The file that lies there, made where there is none; None where there can be no claims."""
        locks, file = self._locks, self._file
        if locks is None:
            return None
        try:
            place = self._at or self._place()
            self._at = place
            found = place.look()
            if found is None or file is None or file.identity != (found.st_dev, found.st_ino):
                file = self._opened_anew(place, found, locks)
        except OSError:
            return None
        return file

    def _opened_anew(self, place: LockPlace, found: os.stat_result | None, locks: ByteLocks) -> LockFile | None:
        """The file that lies there now, in the place of the one that did; None where that is no lock file of ours."""
        with _opening:
            if self._file is not None:
                self._file.users.discard(self)
            # Those of stores that were dropped, too: no finalizer of theirs has done it.
            _close_unused()
            file = self._file = _opened(place, found, locks)
            if file is not None:
                file.users.add(self)
        return file


def _opened(place: LockPlace, found: os.stat_result | None, locks: ByteLocks) -> LockFile | None:
    if found is not None and not _is_ours(found):
        return None
    if found is not None and (known := _open.get((found.st_dev, found.st_ino))) is not None:
        return known
    flags = os.O_RDWR | os.O_CREAT
    for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_NOINHERIT"):
        flags |= getattr(os, name, 0)
    descriptor = place.open(flags)
    # By what it is found there: some systems give an open file other numbers.
    found = place.look()
    if found is not None and (known := _open.get((found.st_dev, found.st_ino))) is not None:
        # To close it would drop the locks of the process where they are its own: a number is lost, once.
        return known
    opened = os.fstat(descriptor)
    if found is None or not _is_ours(found) or not _is_ours(opened) or not os.path.samestat(found, opened):
        os.close(descriptor)
        return None
    if found.st_size == 0 and stat.S_IMODE(found.st_mode) & 0o077:
        # Others who may open it could hold its bytes.
        with suppress(OSError):
            os.chmod(descriptor, 0o600)
    identity = found.st_dev, found.st_ino
    _open[identity] = file = LockFile(descriptor, identity, locks)
    return file


def _is_ours(found: os.stat_result) -> bool:
    """Whether a file may be locked: no one else's, and under no second name, by which others may use it."""
    owner = getattr(os, "geteuid", lambda: found.st_uid)()
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid == owner
