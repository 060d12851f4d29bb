"""Differences that a request of a session meets, each told of when it does."""

from __future__ import annotations

from typing import Any, Final

from requests import PreparedRequest

from sansio_cache_adapters.compat.addresses import tell_of_url
from sansio_cache_adapters.compat.keys import names_a_user
from sansio_cache_adapters.compat.notes import REQUESTS_CACHE

from .policy.actions import METHOD_OVERRIDE_HEADERS
from .policy.directives import CacheDirectives
from .policy.settings import AUTH_PARAMS, DEFAULT_IGNORED_PARAMS, CacheSettings

__all__ = ["tell_of_replacing", "tell_of_request", "tell_of_response"]

_UTF_8: Final = frozenset({"ascii", "utf-8", "utf8"})
_CONDITIONS: Final = (*("If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range"),)


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
    if any(name in request.headers for name in _CONDITIONS) or _asks_for_age(request):
        REQUESTS_CACHE.differs(
            "directives", "what a request says of age in Cache-Control, and its own preconditions and ranges, is obeyed"
        )
    if any(name in request.headers for name in METHOD_OVERRIDE_HEADERS):
        REQUESTS_CACHE.differs(
            "methods", "a field makes no other method of a request: allowable_methods asks for its own"
        )
    if keywords.get("verify") is False and url.startswith("http:"):
        REQUESTS_CACHE.differs("verify", "verify=False makes no other request of one without TLS")
    tell_of_url(REQUESTS_CACHE, url)


def _asks_for_age(request: PreparedRequest) -> bool:
    if "Cache-Control" not in request.headers:
        return False
    said = CacheDirectives.from_headers(request.headers)
    return said.max_age is not None or said.must_revalidate


def tell_of_replacing(expire_after: object) -> None:
    """Warn of a response that one request would not have kept: an older one is gone all the same.

    :param expire_after: what the request says of it; None for nothing.
    """
    if expire_after is not None:
        REQUESTS_CACHE.differs("replaced", "what was stored is gone when a newer response is not to be kept")


def tell_of_response(response: Any, *, decodes: bool) -> None:
    """Warn of a redirect that was followed, and of a body that is kept as it came.

    :param decodes: whether requests-cache would keep its text.
    """
    coded = response.headers.get("Content-Encoding") or (response.encoding or "utf-8").lower() not in _UTF_8
    if decodes and coded:
        REQUESTS_CACHE.differs("decoded", "a body is kept as it came, and not as text in UTF-8 of another length")
    if response.history or response.is_redirect:
        REQUESTS_CACHE.differs(
            "redirects", "redirects are stored one by one, each for its own URL, and one that is stored is followed"
        )
