"""What an entry of requests-cache 1.x means: a dict, whichever serializer wrote it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final, cast

from sansio_cache.expiry import Expiry
from sansio_cache.messages import Headers

from .entries import MOST_HOPS, Entry, Exchange, damaged, expiry_at, fields_of, moment, undecoded
from .report import Reason, Skipped

__all__ = ["entry_of"]

_MOST_SECONDS: Final = 86_400.0


def entry_of(value: Mapping[str, object]) -> Entry:
    """What an entry keeps.

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
    return Entry(_exchange(value, expiry), tuple(_exchange(_mapping(hop), expiry) for hop in listed))


def _exchange(value: Mapping[str, object], expiry: Expiry) -> Exchange:
    asked = _mapping(value.get("request"))
    method, url, status = asked.get("method"), asked.get("url"), value.get("status_code")
    if not isinstance(method, str) or not isinstance(url, str) or not isinstance(status, int) or not method:
        raise damaged()
    method = method.upper()
    headers, body = _content(value, method)
    received = moment(value.get("created_at"))
    return Exchange(
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


def _content(value: Mapping[str, object], method: str) -> tuple[Headers, bytes]:
    """Fields and body as that cache itself reads them: what it keeps as text or JSON is written out again."""
    headers = fields_of(_mapping(value.get("headers") or {}).items())
    decoded: Any = value.get("_decoded_content")
    if decoded is None:
        return headers, _bytes(value.get("_content"))
    kind = headers.get("content-type") or ""
    try:
        if kind.startswith("application/") and "json" in kind:
            decoded = json.dumps(decoded)
        if not isinstance(decoded, str):
            return headers, _bytes(value.get("_content"))
        body = decoded.encode()
    except (ValueError, TypeError, RecursionError):
        raise damaged() from None
    if "content-length" in headers and method != "HEAD":
        headers = headers.with_field("Content-Length", str(len(body)))
    return headers, body


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
    """Seconds between request and response; what is none is no reason to lose the entry."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_SECONDS:
        return 0.0
    return float(value)
