"""Keywords of requests of a cached session of requests, for type checkers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sansio_cache_adapters.cache.options import CacheOptions

__all__ = ["RequestOptions"]


class RequestOptions(CacheOptions, total=False):
    """The keywords of ``requests.Session.request``, and those for the cache."""

    params: Any
    data: Any
    headers: Mapping[str, str | bytes | None] | None
    cookies: Any
    files: Any
    auth: Any
    timeout: float | tuple[float | None, float | None] | None
    allow_redirects: bool
    proxies: Mapping[str, str] | None
    hooks: Mapping[str, Any] | None
    stream: bool | None
    verify: bool | str | None
    cert: str | tuple[str, str] | None
    json: Any
