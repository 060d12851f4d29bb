"""Keywords of a cached session of trio, for type checkers."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar
from typing import Any

from sansio_cache.settings import Settings
from sansio_cache_adapters.cache.options import CacheOptions
from sansio_cache_adapters.trio.http.sending import RequestOptions

__all__ = ["CachedOptions", "SessionOptions"]


class SessionOptions(Settings, total=False):
    """The settings, and the keywords of :class:`~sansio_cache_adapters.trio.http.client.HTTPSession`."""

    base_url: str | None
    params: Any
    headers: Mapping[str, str | None] | None
    cookies: CookieJar | Mapping[str, str] | None
    auth: tuple[str, str] | None
    timeout: Any
    limits: Any
    ssl_context: ssl.SSLContext | None
    verify: bool
    follow_redirects: bool
    max_redirects: int


class CachedOptions(RequestOptions, CacheOptions, total=False):
    """The keywords of one request, for the client and for the cache."""
