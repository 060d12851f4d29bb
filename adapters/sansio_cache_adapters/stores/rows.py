"""A record as bytes, for the stores that keep it in one piece: beside the sealed head what a store must know itself.

What lies outside the sealed head can at worst cause a miss (security.md, G3): whatever does not add up is no row.
"""

from __future__ import annotations

import math
import os
from struct import Struct
from typing import Final, NamedTuple

import msgspec

from sansio_cache.records import Item, Stored

from .protocol import Listed

__all__ = ["AHEAD", "REV_BYTES", "RESOURCE", "USED_AT", "Row", "fresh_rev", "pack", "row_of", "stored_in", "unpack"]

# rev, entry, and the lengths of sealed head, body (-1: it lies elsewhere) and info.
_HOT = Struct(">Q16sIiI")
# variant, resource, partition, used, requested_at, received_at, stale_at, purge_at, size of the body.
_COLD = Struct(">32s32s32sdddddQ")
AHEAD: Final = _HOT.size + _COLD.size
"""Bytes of a row before the sealed head; what people should read comes last, after the body."""
REV_BYTES: Final = 8
"""A row begins with its rev in so many bytes; the entry follows."""
RESOURCE: Final = slice(_HOT.size + 32, _HOT.size + 64)
"""Where in a row its resource lies."""
USED_AT: Final = _HOT.size + 3 * 32
"""Where in a row the time of its last use lies: a big-endian double, which may be overwritten in place."""


class _Info(msgspec.Struct, frozen=True, array_like=True):
    """The columns for people to read."""

    url: str
    method: str
    status: int
    tags: tuple[str, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Info).decode


class Row(NamedTuple):
    """A record with all that a store knows of it. Times are POSIX seconds, ``size`` bytes of the body."""

    rev: int
    entry: bytes
    sealed: bytes
    body: bytes | None
    info: bytes
    variant: bytes
    resource: bytes
    partition: bytes
    used: float
    requested_at: float
    received_at: float
    stale_at: float
    purge_at: float
    size: int

    @property
    def cost(self) -> int:
        """Bytes that count towards the bound: the sealed head and the body."""
        return len(self.sealed) + self.size

    @property
    def packed_size(self) -> int:
        """Bytes of :func:`pack`."""
        return AHEAD + len(self.sealed) + len(self.body or b"") + len(self.info)

    def listed(self) -> Listed | None:
        """The record as maintenance sees it; None where what people should read is broken."""
        try:
            info = _decode(self.info)
        except (msgspec.MsgspecError, ValueError):
            return None
        return Listed(
            self.resource,
            self.partition,
            self.variant,
            Stored(self.sealed, None, self.entry, self.rev),
            *(self.size, self.requested_at, self.received_at, self.stale_at, self.purge_at),
            *(info.url, info.method, info.status, info.tags),
        )

    def resealed(self, sealed: bytes) -> Row:
        """The row with another sealed head, under a fresh rev."""
        return self._replace(sealed=sealed, rev=fresh_rev())

    def freshened(self, item: Item) -> Row:
        """The row with the head and the times of ``item``, under a fresh rev; body and last use stay."""
        fresh = row_of(item, entry=self.entry, body=self.body, used=self.used)
        return fresh._replace(size=self.size)


def fresh_rev() -> int:
    """A random rev: one that was never given before, without a counter that processes would have to share."""
    return int.from_bytes(os.urandom(REV_BYTES)) >> 2


def row_of(item: Item, *, entry: bytes, body: bytes | None, used: float) -> Row:
    """The row of an item, under a fresh rev."""
    return Row(
        rev=fresh_rev(),
        entry=entry,
        sealed=item.sealed,
        body=body,
        info=_encode(_Info(item.url, item.method, item.status, item.tags)),
        variant=item.variant,
        resource=item.resource,
        partition=item.partition,
        used=used,
        requested_at=item.requested_at,
        received_at=item.received_at,
        stale_at=item.stale_at,
        purge_at=item.purge_at,
        size=item.size,
    )


def pack(row: Row) -> bytes:
    """The bytes of a row."""
    body = row.body
    return b"".join(
        (
            _HOT.pack(row.rev, row.entry, len(row.sealed), -1 if body is None else len(body), len(row.info)),
            _COLD.pack(*row[5:]),
            row.sealed,
            body or b"",
            row.info,
        )
    )


def unpack(data: bytes, at: int = 0) -> list[Row]:
    """The rows that lie one after the other from ``at`` on; none at all where anything does not add up."""
    rows: list[Row] = []
    while at < len(data):
        end = at + AHEAD
        if end > len(data):
            return []
        rev, entry, sealed, body, info = _HOT.unpack_from(data, at)
        cold = _COLD.unpack_from(data, at + _HOT.size)
        of_body, of_info = end + sealed, end + sealed + max(body, 0)
        at = of_info + info
        if at > len(data) or any(map(math.isnan, cold[3:8])):
            return []
        rows.append(
            Row(
                *(rev, entry, data[end:of_body], data[of_body:of_info] if body >= 0 else None),
                *(data[of_info:at], *cold),
            )
        )
    return rows


def stored_in(data: bytes, at: int = 0) -> list[Stored]:
    """The parts of :func:`unpack` that a hit needs."""
    found: list[Stored] = []
    total = len(data)
    while at < total:
        end = at + AHEAD
        if end > total:
            return []
        rev, entry, sealed, body, info = _HOT.unpack_from(data, at)
        of_body = end + sealed
        of_info = of_body + body if body >= 0 else of_body
        at = of_info + info
        if at > total:
            return []
        found.append(Stored(data[end:of_body], data[of_body:of_info] if body >= 0 else None, entry, rev))
    return found
