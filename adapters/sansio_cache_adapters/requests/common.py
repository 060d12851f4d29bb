"""Conversions from the types of requests to those of the core."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import requests
from requests.structures import CaseInsensitiveDict

from sansio_cache.messages import Headers, Options, Request, headers_of

from .peers import Way

__all__ = ["core_request", "items_of"]


def core_request(
    prepared: requests.PreparedRequest, way: Way, options: Options, fields: Headers | None = None
) -> Request:
    """A prepared request as the core sees it; it is not touched, and its body not consumed.

    :param way: how it would be sent.
    :param fields: its fields, where they are known.
    """
    body: Any = prepared.body
    if body is None:
        known: bytes | None = b""
    elif isinstance(body, str):
        known = body.encode()
    else:
        known = body if isinstance(body, bytes) else None
    url = prepared.url or ""
    if fields is None:
        fields = headers_of(items_of(prepared.headers))
    return Request(prepared.method or "", url, fields, known, way.peer(prepared), options)


def items_of(headers: Any) -> Iterable[tuple[Any, Any]]:
    """``headers.items()``, which of requests' own mapping take ten times as long."""
    kind = cast(object, type(headers))
    found: Iterable[tuple[Any, Any]] = headers._store.values() if kind is CaseInsensitiveDict else headers.items()
    return found
