"""Marks of dropped resources, and leases: small files that are read and written under the lock of their directory.

Both bear times of somebody's clock, so one that lies too far ahead counts for nothing: a clock set back by a day
must not lock anybody out for a day.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import Final, NamedTuple

from sansio_cache_adapters.stores.holders import is_abandoned
from sansio_cache_adapters.stores.protocol import LEASE_SECONDS, MARK_SECONDS, Lease

from .layout import OPEN_FLAGS, Root, locked, names_in, remove, shard

__all__ = ["claim", "forget_leases", "is_dropped", "mark", "release", "sweep_shard"]

_MARK: Final = Struct(">d8s")
_LEASE: Final = Struct(">d16s?B64s")
_NO_MARK: Final = bytes(_MARK.size)
_LONGEST_OPEN: Final = 3600.0


class _Held(NamedTuple):
    """A lease: ``until`` when, under which mark of its resource it was taken, whether it is OPEN, whose it is."""

    until: float
    mark: bytes
    open: bool
    token: bytes

    def holds(self, now: float, mark: bytes) -> bool:
        longest = _LONGEST_OPEN if self.open else 2 * LEASE_SECONDS
        return now < self.until <= now + longest and self.mark == mark


def _mark_path(resource: bytes) -> str:
    return f"{shard('marks', resource)}/{resource.hex()}"


def _lease_path(partition: bytes) -> str:
    return f"{shard('leases', partition)}/{partition.hex()}"


def _read(root: Root, path: str, size: int) -> bytes:
    try:
        fd = os.open(path, OPEN_FLAGS, dir_fd=root.fd)
    except FileNotFoundError:
        return b""
    try:
        data = os.read(fd, size + 1)
        return data if len(data) == size else b""
    finally:
        os.close(fd)


def _write(root: Root, path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600, dir_fd=root.fd)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def mark(root: Root, resource: bytes, now: float) -> None:
    """Mark a resource as dropped at ``now``; of two marks the later one stays."""
    path = _mark_path(resource)
    with locked(root, shard("marks", resource)):
        before, _ = _MARK.unpack(_read(root, path, _MARK.size) or _NO_MARK)
        later = before if now < before <= now + MARK_SECONDS else now
        # The random part tells two drops at the same moment apart: each frees the leases.
        _write(root, path, _MARK.pack(later, os.urandom(8)))


def is_dropped(root: Root, resource: bytes, *, requested_at: float, now: float) -> bool:
    """Whether a response requested then must not be kept."""
    when: float = _MARK.unpack(_read(root, _mark_path(resource), _MARK.size) or _NO_MARK)[0]
    return requested_at <= when and abs(now - when) < MARK_SECONDS


def _held(root: Root, partition: bytes) -> _Held | None:
    data = _read(root, _lease_path(partition), _LEASE.size)
    if not data:
        return None
    until, seen, is_open, length, token = _LEASE.unpack(data)
    return _Held(until, seen, is_open, token[:length])


def _hold(root: Root, partition: bytes, held: _Held) -> None:
    token = held.token[:64]
    _write(root, _lease_path(partition), _LEASE.pack(held.until, held.mark, held.open, len(token), token))


def claim(root: Root, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease:
    """Take or renew the lease of a partition. One that was taken before its resource was dropped is void."""
    with locked(root, shard("leases", partition)):
        seen = _read(root, _mark_path(resource), _MARK.size) or _NO_MARK
        held = _held(root, partition)
        if held is not None and held.holds(now, seen):
            if held.open:
                return Lease.OPEN
            if held.token != token and not is_abandoned(held.token):
                return Lease.HELD
        _hold(root, partition, _Held(min(until, now + LEASE_SECONDS), seen, False, token))
        return Lease.GRANTED


def release(root: Root, partition: bytes, token: bytes, open_until: float) -> None:
    """Give a lease back, if this token holds it; with ``open_until`` others hear OPEN until then."""
    with locked(root, shard("leases", partition)):
        held = _held(root, partition)
        if held is None or held.open or held.token != token:
            return
        if open_until > 0:
            _hold(root, partition, _Held(open_until, held.mark, True, b""))
        else:
            remove(root, _lease_path(partition))


def sweep_shard(root: Root, number: str, now: float) -> None:
    """Remove the leases and marks of a shard that count for nothing any more."""
    for name in names_in(root, f"leases/{number}"):
        path = f"leases/{number}/{name}"
        data = _read(root, path, _LEASE.size)
        if not data or not now < _LEASE.unpack(data)[0] <= now + _LONGEST_OPEN:
            with locked(root, f"leases/{number}"):
                if _read(root, path, _LEASE.size) == data:
                    remove(root, path)
    for name in names_in(root, f"marks/{number}"):
        path = f"marks/{number}/{name}"
        data = _read(root, path, _MARK.size)
        if not data or abs(now - _MARK.unpack(data)[0]) >= MARK_SECONDS:
            with locked(root, f"marks/{number}"):
                if _read(root, path, _MARK.size) == data:
                    remove(root, path)


def forget_leases(root: Root, number: str) -> None:
    """Remove all leases of a shard."""
    with locked(root, f"leases/{number}"):
        for name in names_in(root, f"leases/{number}"):
            remove(root, f"leases/{number}/{name}")
