"""What requests-cache makes of requests before it compares them; here the core makes the keys themselves."""

# The values of programs are whatever they are.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests
from requests.structures import CaseInsensitiveDict

from sansio_cache.keys import digest_of
from sansio_cache.urls import normalise
from sansio_cache_adapters.requests.plain import PLAIN

__all__ = [
    "create_key",
    "normalize_body",
    "normalize_headers",
    "normalize_params",
    "normalize_request",
    "normalize_url",
]

ParamList = Iterable[str] | None
MAX_NORM_BODY_SIZE: Final = 10 * 1024 * 1024


def create_key(
    request: Any,
    ignored_parameters: ParamList = None,
    match_headers: ParamList | bool = False,
    serializer: Any = None,
    content_root_key: str | None = None,
    **request_kwargs: Any,
) -> str:
    """A key that requests have in common that say the same. The keys of a cache are those of ``cache.create_key``."""
    normal = normalize_request(request, ignored_parameters, content_root_key)
    names = sorted(normal.headers) if match_headers is True else sorted(match_headers or (), key=str.lower)
    said = [f"{name.lower()}={normal.headers[name]}" for name in names if name in normal.headers]
    parts = [normal.method or "", normal.url or "", str(bool(request_kwargs.get("verify", True))), *said]
    return digest_of(*(part.encode() for part in parts), _bytes(normal.body)).hex()[:16]


def normalize_request(request: Any, ignored_parameters: ParamList = None, content_root_key: str | None = None) -> Any:
    """A copy of a request in the form in which it is compared."""
    normal = PLAIN().prepare_request(request) if isinstance(request, requests.Request) else request.copy()
    normal.method = (normal.method or "").upper()
    normal.url = normalize_url(normal.url or "", ignored_parameters)
    normal.headers = normalize_headers(normal.headers, ignored_parameters)
    normal.body = normalize_body(normal, ignored_parameters, content_root_key)
    return normal


def normalize_headers(headers: Mapping[str, Any], ignored_parameters: ParamList = None) -> CaseInsensitiveDict[str]:
    """Fields in the form in which they are compared."""
    shown = _redacted({name: _text(value) for name, value in headers.items()}, ignored_parameters)
    for name, value in shown.items():
        if "," in value:
            shown[name] = ", ".join(sorted(each.strip() for each in value.lower().split(",") if each.strip()))
    return CaseInsensitiveDict(shown)


def normalize_url(url: str, ignored_parameters: ParamList = None) -> str:
    """A URL in the form in which it is compared."""
    parts = urlsplit(url)
    plain, _ = normalise(urlunsplit(parts._replace(query=normalize_params(parts.query, ignored_parameters))))
    return plain


def normalize_params(value: str | bytes, ignored_parameters: ParamList = None) -> str:
    """Parameters in the form in which they are compared."""
    text = _text(value)
    ignored = set(ignored_parameters or ())
    pairs = [(name, "REDACTED" if name in ignored else said) for name, said in sorted(parse_qsl(text))]
    bare = "&".join(sorted(name for name in text.split("&") if name and "=" not in name))
    return "&".join(filter(None, (urlencode(pairs), bare)))


def normalize_body(request: Any, ignored_parameters: ParamList = None, content_root_key: str | None = None) -> bytes:
    """A body in the form in which it is compared."""
    body = request.body
    if not body:
        return b""
    if hasattr(body, "read"):
        content = body.read() or b""
        if hasattr(body, "seek"):
            body.seek(0)
        body = content
    kind = _text((request.headers or {}).get("Content-Type", "")).partition(";")[0].lower()
    if kind.startswith("application/") and "json" in kind:
        return _bytes(normalize_json_body(body, ignored_parameters, content_root_key))
    if kind == "application/x-www-form-urlencoded":
        return normalize_params(body, ignored_parameters).encode()
    return _bytes(body)


def normalize_json_body(
    original_body: str | bytes, ignored_parameters: ParamList = None, content_root_key: str | None = None
) -> str | bytes:
    """A JSON body in the form in which it is compared; what is none, or very long, stays as it is."""
    body, ignored, root = original_body, ignored_parameters, content_root_key
    if len(body) <= 2 or len(body) > MAX_NORM_BODY_SIZE:
        return body
    try:
        value = json.loads(_text(body))
    except ValueError:
        return body
    if root and isinstance(value, dict) and root in value:
        value[root] = _sorted_json(value[root], ignored)
        return json.dumps(value)
    return json.dumps(_sorted_json(value, ignored))


def filter_url(url: str, ignored_parameters: ParamList = None) -> str:
    """A URL without the values of some parameters."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=normalize_params(parts.query, ignored_parameters)))


def redact_response(response: Any, ignored_parameters: ParamList = None) -> Any:
    """A response without the values of some parameters and fields."""
    if ignored_parameters:
        response.url = filter_url(response.url, ignored_parameters)
        response.headers = CaseInsensitiveDict(_redacted(response.headers, ignored_parameters))
        request = response.request
        request.url = filter_url(request.url, ignored_parameters)
        request.headers = CaseInsensitiveDict(_redacted(request.headers, ignored_parameters))
        request.body = normalize_body(request, ignored_parameters)
    return response


def _sorted_json(value: Any, ignored: ParamList) -> Any:
    if isinstance(value, Mapping):
        return _redacted(value, ignored)
    try:
        return [each for each in sorted(value) if each not in set(ignored or ())] if isinstance(value, list) else value
    except TypeError:
        return value


def _redacted(values: Mapping[str, Any], ignored: ParamList) -> dict[str, Any]:
    names = set(ignored or ())
    return {name: "REDACTED" if name in names else value for name, value in sorted(values.items())}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value or "").encode()
