"""What aiohttp-client-cache makes of requests before it compares them; here the core makes the keys themselves."""

# The values of programs are whatever they are.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from io import IOBase
from json import dumps
from typing import Any, Final
from urllib.parse import urlencode

from multidict import MultiDict
from yarl import URL

from sansio_cache.keys import digest_of
from sansio_cache.urls import normalise

__all__ = ["SOMETHING_ELSE", "asking_for", "create_key", "filter_ignored_params", "is_followed", "normalize_url_params"]


SOMETHING_ELSE: Final = ""
"""What no URL is."""
_asked_for: ContextVar[list[str] | None] = ContextVar("sansio_cache_compat_url", default=None)


@contextmanager
def asking_for(*urls: str) -> Generator[None]:
    """Keep what redirects lead to apart from what is asked for by itself, as aiohttp-client-cache does.

    :param urls: what is asked for; left out, it is what is looked for first.
    """
    token = _asked_for.set(list(urls))
    try:
        yield
    finally:
        _asked_for.reset(token)


def is_followed(url: str) -> bool:
    """Whether a redirect led to a URL, and not the program."""
    asked = _asked_for.get()
    if asked is None:
        return False
    if not asked:
        asked.append(url)
    return url != asked[0]


def create_key(
    method: str,
    url: Any,
    params: Any = None,
    data: Any = None,
    json: Any = None,
    headers: Any = None,
    include_headers: bool = False,
    ignored_params: Iterable[str] | None = None,
    json_serialize: Callable[[Any], str | bytes] = dumps,
    **kwargs: Any,
) -> str:
    """A key that requests have in common that say the same. The keys of a cache are those of its ``create_key``."""
    plain = normalize_url_params(url, params)
    if ignored_params:
        ignored = set(ignored_params)
        plain = plain.with_query(filter_ignored_params(plain.query, ignored))
        headers, data, json = (filter_ignored_params(each, ignored) for each in (headers, data, json))
    parts = [method.upper().encode(), str(plain).encode(), *_data(data), _json(json, json_serialize)]
    if include_headers:
        parts.append(_pairs(headers))
    return digest_of(*parts).hex()


def filter_ignored_params(data: Any, ignored_params: Iterable[str]) -> Any:
    """The parameters that count."""
    if not isinstance(data, Mapping) or not ignored_params:
        return data
    ignored = set(ignored_params)
    return MultiDict((name, value) for name, value in data.items() if name not in ignored)


def normalize_url_params(url: Any, params: Any = None) -> URL:
    """A URL with its parameters, in the form in which it is compared."""
    whole = URL(url)
    pairs = MultiDict([pair for pair in whole.query.items() if pair != ("", "")])
    if params:
        pairs.extend(whole.with_query(params).query)
    plain, _ = normalise(str(whole.with_query(sorted(pairs.items()))))
    return URL(plain, encoded=True)


def _data(data: Any) -> tuple[bytes, bytes]:
    """What a body is, and what it says."""
    if data is None:
        return b"", b""
    if isinstance(data, bytes):
        return b"bytes", data
    if isinstance(data, bytearray | memoryview):
        return b"bytes", bytes(data)
    if isinstance(data, str):
        return b"str", data.encode()
    if isinstance(data, Mapping):
        fields = sorted(data.items(), key=_name_of)
        if any(isinstance(value, bytes | bytearray | memoryview | IOBase) for _, value in fields):
            return b"multipart", digest_of(
                *(part for name, value in fields for part in (str(name).encode(), *_data(value)))
            )
        return b"form", urlencode(fields, doseq=True).encode()
    return b"other", str(data).encode()


def _name_of(field: tuple[Any, Any]) -> str:
    return str(field[0])


def _json(value: Any, serialize: Callable[[Any], str | bytes]) -> bytes:
    if value is None:
        return b""
    if isinstance(value, Mapping):
        value = dict(value)
        if all(isinstance(name, str) for name in value):
            value = dict(sorted(value.items()))
    said = serialize(value)
    return said.encode() if isinstance(said, str) else said


def _pairs(fields: Any) -> bytes:
    if not isinstance(fields, Mapping):
        return str(fields or "").encode()
    return urlencode(sorted(fields.items())).encode()
