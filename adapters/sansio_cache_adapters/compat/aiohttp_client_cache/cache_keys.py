"""What aiohttp-client-cache makes of requests before it compares them; here the core makes the keys themselves."""

# The values of programs are whatever they are.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from json import dumps
from typing import Any

from multidict import MultiDict
from yarl import URL

from sansio_cache.keys import digest_of
from sansio_cache.urls import normalise

__all__ = ["create_key", "filter_ignored_params", "normalize_url_params"]


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
    parts: list[object] = [method.upper(), plain, _said(data), _said(json)]
    if include_headers:
        parts.append(_said(headers))
    return digest_of(*(str(part).encode() for part in parts)).hex()


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


def _said(value: Any) -> str:
    return repr(sorted(value.items())) if isinstance(value, Mapping) else repr(value)
