"""Invalidation (RFC 9111 §4.4): the resources that an unsafe request invalidates."""

from __future__ import annotations

from typing import Final

from .messages import Received, Request
from .urls import join, origin

__all__ = ["SAFE_METHODS", "invalidated_urls"]

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"})
"""Methods registered as safe; "methods whose safety is unknown" count as unsafe (§4.4)."""

_MOST_LINES: Final = 4
_LONGEST: Final = 8_192
"""Characters of a reference that is followed to the resource it names."""


def invalidated_urls(request: Request, response: Received) -> tuple[str, ...]:
    """The URLs whose stored responses an answer invalidates: the target's, and what it locates on the same origin.

    Only a non-error answer (2xx or 3xx) to an unsafe method does. Another origin's URLs are never touched: else any
    site could empty the cache of another.
    """
    if request.method in SAFE_METHODS or not 200 <= response.status < 400:
        return ()
    urls = [request.url]
    for name in ("location", "content-location"):
        # Each field has one value: else a single response could drop all resources of a store.
        for reference in response.headers.lines(name)[:_MOST_LINES]:
            url = join(request.url, reference) if len(reference) <= _LONGEST else ""
            if origin(url) == origin(request.url):
                urls.append(url)
    return tuple(dict.fromkeys(urls))
