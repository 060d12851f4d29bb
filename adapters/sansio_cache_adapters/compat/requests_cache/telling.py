"""Differences that a request of a session meets, each told of when it does."""

from __future__ import annotations

from typing import Any

from requests import PreparedRequest

from sansio_cache_adapters.compat.addresses import tell_of_url
from sansio_cache_adapters.compat.keys import names_a_user
from sansio_cache_adapters.compat.notes import REQUESTS_CACHE

from .policy.settings import AUTH_PARAMS, DEFAULT_IGNORED_PARAMS, CacheSettings

__all__ = ["tell_of_history", "tell_of_request"]


def tell_of_request(request: PreparedRequest, settings: CacheSettings, keywords: dict[str, Any]) -> None:
    """Warn of what is in a request that makes a difference."""
    url = request.url or ""
    if any(names_a_user(name) for name in request.headers):
        REQUESTS_CACHE.differs("users", "a credential in a header field always separates users, whatever is ignored")
    ignores_all = settings.ignored_parameters is DEFAULT_IGNORED_PARAMS
    if ignores_all and any(f"{name}=" in url for name in AUTH_PARAMS):
        REQUESTS_CACHE.differs(
            "users", "a credential in a URL separates users unless you name it: ignored_parameters=['api_key']"
        )
    if keywords.get("verify") is False and url.startswith("http:"):
        REQUESTS_CACHE.differs("verify", "verify=False makes no other request of one without TLS")
    tell_of_url(REQUESTS_CACHE, url)


def tell_of_history(response: Any) -> None:
    """Warn of a redirect that was followed."""
    if response.history or response.is_redirect:
        REQUESTS_CACHE.differs(
            "redirects", "redirects are stored one by one, each for its own URL, and one that is stored is followed"
        )
