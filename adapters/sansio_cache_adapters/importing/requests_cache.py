"""Entries of requests-cache 1.x: each is a dict, whichever serializer wrote it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final, cast

from sansio_cache.expiry import Expiry
from sansio_cache.messages import Headers

from .entries import MOST_HOPS, ForeignEntry, ForeignExchange, damaged, expiry_at, fields_of, moment, undecoded
from .report import Reason, Skipped

__all__ = ["entry_of"]

_MOST_SECONDS: Final = 86_400.0
_MOST_WRITTEN: Final = 200_000_000
"""Characters of JSON that is written out again."""


def entry_of(value: Mapping[str, object], size: int) -> ForeignEntry:
    """The content of an entry.

    :param size: bytes or characters that it was read from.
    :raises Skipped: it is none of that cache's, or cannot be imported.
    """
    if "status_code" not in value or "request" not in value:
        raise damaged()
    expiry = expiry_at(value.get("expires"))
    hops: object = value.get("history")
    if not isinstance(hops, list | None):
        raise damaged()
    listed = cast("list[object]", hops or [])
    if len(listed) > MOST_HOPS:
        raise Skipped(Reason.TOO_LARGE)
    # The whole is one entry there: a redirect is as fresh as what it led to.
    return ForeignEntry(_exchange(value, expiry, size), tuple(_exchange(_mapping(hop), expiry, size) for hop in listed))


def _exchange(value: Mapping[str, object], expiry: Expiry, size: int) -> ForeignExchange:
    asked = _mapping(value.get("request"))
    method, url, status = asked.get("method"), asked.get("url"), value.get("status_code")
    if not isinstance(method, str) or not isinstance(url, str) or not isinstance(status, int) or not method:
        raise damaged()
    method = method.upper()
    headers, body = _content(value, method, size)
    received = moment(value.get("created_at"))
    return ForeignExchange(
        method=method,
        url=url,
        asked=fields_of(_mapping(asked.get("headers") or {}).items()),
        sent=_bytes(asked.get("body")),
        status=status,
        reason=_reason(value.get("reason")),
        headers=undecoded(method, headers),
        body=body,
        requested_at=received - _elapsed(value.get("elapsed")),
        received_at=received,
        expiry=expiry,
    )


def _content(value: Mapping[str, object], method: str, size: int) -> tuple[Headers, bytes]:
    """Fields and body as that cache itself reads them: a body that it keeps as text or JSON is written out again."""
    headers = fields_of(_mapping(value.get("headers") or {}).items())
    decoded: Any = value.get("_decoded_content")
    if decoded is None:
        return headers, _bytes(value.get("_content"))
    kind = headers.get("content-type") or ""
    try:
        if kind.startswith("application/") and "json" in kind:
            decoded = json.dumps(_bounded(decoded, size))
        if not isinstance(decoded, str):
            return headers, _bytes(value.get("_content"))
        body = decoded.encode()
    except (ValueError, TypeError, RecursionError):
        raise damaged() from None
    if "content-length" in headers and method != "HEAD":
        headers = headers.with_field("Content-Length", str(len(body)))
    return headers, body


def _bounded(value: object, size: int) -> object:
    """A value that may be written out: in a pickle a list may stand in itself, or a thousand times in others.

    :param size: of what it was read from, which has a byte for each value at the least.

    :raises Skipped: there would be too much of it.
    """
    length, todo = 0, [value]
    while todo:
        each: Any = todo.pop()
        size -= 1
        length += len(each) if isinstance(each, str) else 0
        if size < 0 or length > _MOST_WRITTEN:
            raise Skipped(Reason.TOO_LARGE)
        if isinstance(each, dict):
            todo += [*cast("dict[object, object]", each), *cast("dict[object, object]", each).values()]
        elif isinstance(each, list | tuple):
            todo += cast("list[object]", each)
    return value


def _bytes(value: object) -> bytes:
    """Bytes, or what a serializer of text has made of them."""
    if value is None or value == "":
        return b""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise damaged()
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        pass
    try:
        return base64.b85decode(value)  # until 1.1
    except ValueError:
        raise damaged() from None


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise damaged()
    return cast("dict[str, object]", value)


def _reason(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 512 or not value.isprintable():
        raise damaged()
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return ""
    return value


def _elapsed(value: object) -> float:
    """Seconds between request and response; a wrong value is no reason to lose the entry."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_SECONDS:
        return 0.0
    return float(value)
