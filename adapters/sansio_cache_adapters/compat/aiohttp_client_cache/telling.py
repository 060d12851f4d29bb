"""Differences that a request of a session meets, each told of when it does."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import ClientResponse
from yarl import URL

from sansio_cache_adapters.compat.addresses import tell_of_url
from sansio_cache_adapters.compat.keys import names_a_user
from sansio_cache_adapters.compat.notes import AIOHTTP_CLIENT_CACHE

__all__ = ["tell_of_request", "tell_of_response"]


def tell_of_request(url: URL, names: Iterable[str]) -> None:
    """Warn of what is in a request that makes a difference.

    :param names: of its header fields.
    """
    if any(names_a_user(name) for name in names):
        AIOHTTP_CLIENT_CACHE.differs("users", "a credential in a header field always separates users")
    tell_of_url(AIOHTTP_CLIENT_CACHE, str(url))


def tell_of_response(response: ClientResponse, *, is_traced: bool) -> None:
    """Warn of what is in a response that makes a difference.

    :param is_traced: whether the session has ``trace_configs``.
    """
    if is_traced and getattr(response, "from_cache", False):
        AIOHTTP_CLIENT_CACHE.differs("traces", "trace_configs hear of a request that the cache answers, too")
    if response.headers.get("Vary"):
        AIOHTTP_CLIENT_CACHE.differs("vary", "a response answers requests with the same fields that its Vary names")
    if response.history:
        AIOHTTP_CLIENT_CACHE.differs("redirects", "redirects are stored one by one, each for its own URL")
