"""Keywords of a cached session of aiohttp and of its requests, for type checkers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import BaseConnector, BasicAuth, ClientResponse, ClientTimeout
from aiohttp.abc import AbstractCookieJar
from aiohttp.typedefs import LooseHeaders, StrOrURL

from sansio_cache.settings import Settings
from sansio_cache_adapters.cache.options import CacheOptions

__all__ = ["RequestOptions", "SessionOptions"]

if TYPE_CHECKING:
    from aiohttp.client import _RequestOptions  # pyright: ignore[reportPrivateUsage]

    class RequestOptions(_RequestOptions, CacheOptions, total=False):
        """The keywords of a single request."""


class SessionOptions(Settings, total=False):
    """The settings, and the keywords of ``aiohttp.ClientSession``."""

    connector: BaseConnector | None
    loop: Any
    cookies: Any
    headers: LooseHeaders | None
    proxy: StrOrURL | None
    proxy_auth: BasicAuth | None
    skip_auto_headers: Iterable[str] | None
    auth: BasicAuth | None
    json_serialize: Callable[[Any], str]
    json_serialize_bytes: Callable[[Any], bytes] | None
    request_class: type[Any]
    response_class: type[Any]
    ws_response_class: type[Any]
    version: Any
    cookie_jar: AbstractCookieJar | None
    connector_owner: bool
    raise_for_status: bool | Callable[[ClientResponse], Awaitable[None]]
    read_timeout: Any
    conn_timeout: float | None
    timeout: ClientTimeout | Any
    auto_decompress: bool
    trust_env: bool
    requote_redirect_url: bool
    trace_configs: list[Any] | None
    read_bufsize: int
    max_line_size: int
    max_field_size: int
    max_headers: int
    fallback_charset_resolver: Callable[[ClientResponse, bytes], str]
    middlewares: Sequence[Any]
    ssl_shutdown_timeout: Any
