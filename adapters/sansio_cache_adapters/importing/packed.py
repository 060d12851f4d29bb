"""Entries of hishel 2.x and CacheControl: MessagePack beside, or around, bodies as they came."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from sansio_cache.dates import parse_date
from sansio_cache.messages import HTTP_1_1, Headers

from .entries import ForeignEntry, ForeignExchange, checked_time, damaged, fields_of
from .report import Reason, Skipped

__all__ = ["cachecontrol_entry", "cachecontrol_name", "hishel_entry"]

_MARK: Final = b"cc=4,"
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_CHUNKED: Final = ("transfer-encoding",)
# RFC 3986 appendix B, as CacheControl spells it.
_URL: Final = re.compile(r"^(([^:/?#]+):)?(//([^/?#]*))?([^?#]*)(\?([^#]*))?(#(.*))?")

_Lists = dict[str, list[str]]


class _PackedRequest(msgspec.Struct):
    method: str
    url: str
    headers: _Lists


class _PackedAnswer(msgspec.Struct):
    status_code: int
    headers: _Lists


class _Pair(msgspec.Struct):
    request: _PackedRequest
    response: _PackedAnswer


class _PackedResponse(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes = b""
    reason: str | None = None
    version: int = HTTP_1_1


class _PackedRecord(msgspec.Struct):
    response: _PackedResponse
    vary: dict[str, str | None] = msgspec.field(default_factory=dict[str, str | None])


_decode_pair = msgspec.msgpack.Decoder(_Pair).decode
_decode_stored = msgspec.msgpack.Decoder(_PackedRecord).decode


def hishel_entry(data: object, body: bytes, used_at: object) -> ForeignEntry:
    """The content of an entry of hishel.

    :param body: its chunks in one.
    :param used_at: when it was last read or written: what it was received by, at the latest.
    :raises Skipped: it is none of that cache's.
    """
    if not isinstance(data, bytes):
        raise damaged()
    try:
        pair = _decode_pair(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise damaged() from None
    asked, answered = _fields(pair.request.headers), _fields(pair.response.headers)
    method = pair.request.method.upper()
    sends = "transfer-encoding" in asked or (asked.get("content-length") or "0").strip() != "0"
    received = _received(answered, checked_time(used_at))
    sent = None if sends or (method not in _BODILESS and "content-length" not in asked) else b""
    last = ForeignExchange(
        *(method, pair.request.url, asked, sent, pair.response.status_code, "", answered.without(_CHUNKED), body),
        *(received, received, None),
    )
    return ForeignEntry(last)


def _fields(lists: _Lists) -> Headers:
    return fields_of((name, value) for name, values in lists.items() for value in values)


def _received(headers: Headers, latest: float) -> float:
    """When a response was received; neither cache keeps that, and its Date is as near as one can come."""
    date = parse_date(headers.get("date") or "", latest)
    return latest if date is None or date > latest else date


def cachecontrol_name(url: str) -> str:
    """The name of the file of a URL's response.

    :raises ValueError: it is no absolute URL.
    """
    match = _URL.match(url)
    parts: tuple[str | None, ...] = match.groups() if match else ()
    if not parts or not parts[1] or not parts[3]:
        raise ValueError(url)
    asked = f"{parts[4] or '/'}?{parts[6]}" if parts[6] else parts[4] or "/"
    return hashlib.sha224(f"{parts[1].lower()}://{parts[3].lower()}{asked}".encode()).hexdigest()


def cachecontrol_entry(data: bytes, url: str, body: bytes | None, written_at: float) -> ForeignEntry:
    """The content of a file of CacheControl.

    :param url: whose response it is.
    :param body: where it lies in a file of its own.
    :param written_at: when the file was written.
    :raises Skipped: it is none of that cache's.
    """
    if not data.startswith(_MARK):
        raise damaged()
    try:
        stored = _decode_stored(memoryview(data)[len(_MARK) :])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise damaged() from None
    kept = stored.response
    headers = fields_of(kept.headers.items())
    received = _received(headers, written_at)
    last = ForeignExchange(
        *("GET", url, fields_of(_said(stored.vary)), b"", kept.status, _reason(kept.reason)),
        *(headers.without(_CHUNKED), kept.body if body is None else body, received, received, None),
        version=kept.version if 0 <= kept.version <= 99 else HTTP_1_1,
        asker_known=False,
    )
    return ForeignEntry(last)


def _said(vary: Mapping[str, str | None]) -> Iterable[tuple[str, str]]:
    return [(name, value) for name, value in vary.items() if value is not None]


def _reason(reason: str | None) -> str:
    if reason is None or not reason.isprintable() or len(reason) > 512:
        return ""
    if not reason.isascii():
        raise Skipped(Reason.DAMAGED)
    return reason
