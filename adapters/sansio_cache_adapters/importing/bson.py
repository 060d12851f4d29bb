"""BSON (bsonspec.org), as far as caches write it: documents of plain values, read in bounded depth."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from .report import Reason, Skipped

__all__ = ["is_bson", "read_bson"]

_MOST_DEPTH: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def is_bson(data: bytes) -> bool:
    """Whether it begins with its own length and ends as a document does."""
    return len(data) >= 5 and int.from_bytes(data[:4], "little") == len(data) and data[-1] == 0


def read_bson(data: bytes) -> dict[str, object]:
    """The value of a document.

    :raises Skipped: it is damaged.
    """
    try:
        document, end = _document(data, 0, 0)
    except (IndexError, KeyError, ValueError, OverflowError, struct.error):
        raise Skipped(Reason.DAMAGED) from None
    if end != len(data):
        raise Skipped(Reason.DAMAGED)
    return document


def _document(data: bytes, at: int, depth: int) -> tuple[dict[str, object], int]:
    if depth > _MOST_DEPTH:
        raise ValueError("too deep")
    end = at + _length(data, at)
    if not at + 5 <= end <= len(data) or data[end - 1] != 0:
        raise ValueError("no document")
    at += 4
    members: dict[str, object] = {}
    while data[at] != 0:
        kind = data[at]
        stop = data.index(0, at + 1, end)
        name = data[at + 1 : stop].decode()
        members[name], at = _KINDS[kind](data, stop + 1, depth)
        if at >= end:
            raise ValueError("a value beyond its document")
    if at != end - 1:
        raise ValueError("a document that ends too early")
    return members, end


def _length(data: bytes, at: int) -> int:
    length: int = struct.unpack_from("<i", data, at)[0]
    if length < 0 or length > len(data) - at:
        raise ValueError("a length beyond the data")
    return length


def _array(data: bytes, at: int, depth: int) -> tuple[object, int]:
    members, end = _document(data, at, depth + 1)
    return list(members.values()), end


def _text(data: bytes, at: int, _: int) -> tuple[object, int]:
    end = at + 4 + _length(data, at)
    if data[end - 1] != 0:
        raise ValueError("a text without an end")
    return data[at + 4 : end - 1].decode(), end


def _binary(data: bytes, at: int, _: int) -> tuple[object, int]:
    start = at + 5
    end = start + _length(data, at)
    if end > len(data):
        raise ValueError("a length beyond the data")
    return data[start:end], end


def _plain(form: str) -> Callable[[bytes, int, int], tuple[object, int]]:
    packed = struct.Struct(form)
    return lambda data, at, _: (packed.unpack_from(data, at)[0], at + packed.size)


def _moment(data: bytes, at: int, _: int) -> tuple[object, int]:
    milliseconds: int = struct.unpack_from("<q", data, at)[0]
    return _EPOCH + timedelta(milliseconds=milliseconds), at + 8


_KINDS: Final[dict[int, Callable[[bytes, int, int], tuple[object, int]]]] = {
    0x01: _plain("<d"),
    0x02: _text,
    0x03: lambda data, at, depth: _document(data, at, depth + 1),
    0x04: _array,
    0x05: _binary,
    0x08: _plain("<?"),
    0x09: _moment,
    0x0A: lambda _, at, __: (None, at),
    0x10: _plain("<i"),
    0x12: _plain("<q"),
}
"""The types that caches write; they do not write code, regular expressions or references to other documents."""
