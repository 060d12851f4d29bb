"""The request that a stored response answers, as far as it is kept: its method and its URL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict

from sansio_cache_adapters.compat.notes import REQUESTS_CACHE

from .base import RichMixin

__all__ = ["CachedRequest", "StoredRequest", "prepared_of", "to_be_keyed"]

_UNKEPT: Final = frozenset({"body", "cookies", "headers", "_cookies"})


@dataclass(repr=False)
class CachedRequest(RichMixin):
    """A request; of a stored response only what is kept, which is neither fields nor a body."""

    body: Any = b""
    cookies: Any = field(default_factory=RequestsCookieJar)
    headers: Any = field(default_factory=CaseInsensitiveDict[str])
    method: str | None = None
    url: str | None = None

    def __post_init__(self) -> None:
        given = vars(self)  # whatever a class below tells of looking at them
        if not isinstance(given["body"], bytes):
            given["body"] = str(given["body"] or "").encode()
        given["headers"] = CaseInsensitiveDict(given["headers"] or {})
        if given["cookies"] is None:
            given["cookies"] = RequestsCookieJar()

    @classmethod
    def from_request(cls, original_request: Any) -> CachedRequest:
        """A copy of a request."""
        given: Any = original_request
        return cls(given.body, getattr(given, "_cookies", None), given.headers, given.method, given.url)

    @property
    def path_url(self) -> str:
        """The path and the query."""
        parts = urlsplit(self.url or "")
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def copy(self) -> CachedRequest:
        """A copy."""
        return replace(self)

    def prepare(self) -> requests.PreparedRequest:
        """The request as it could be sent."""
        return prepared_of(self)

    @property
    def _cookies(self) -> Any:
        return self.cookies

    def __str__(self) -> str:
        return f"{self.method} {self.url}"


class StoredRequest(CachedRequest):
    """The request of a response in the cache."""

    def prepare(self) -> requests.PreparedRequest:
        """The request as it could be sent, as far as it is kept."""
        _ = self.body
        return prepared_of(self)

    def __getattribute__(self, name: str) -> Any:
        if name in _UNKEPT:
            REQUESTS_CACHE.differs("requests", "of the request of a stored response its method and its URL are kept")
        return super().__getattribute__(name)

    def __rich_repr__(self) -> Iterator[tuple[str, Any, Any]]:
        yield "method", self.method, None
        yield "url", self.url, None


def prepared_of(request: CachedRequest) -> requests.PreparedRequest:
    """A request as it could be sent."""
    given = vars(request)
    prepared: Any = requests.PreparedRequest()
    prepared.prepare(
        method=given["method"],
        url=given["url"],
        headers=given["headers"],
        cookies=given["cookies"],
        data=given["body"] or None,
    )
    made: requests.PreparedRequest = prepared
    return made


def to_be_keyed(request: Any) -> Any:
    """A request as its key is made of it."""
    if not isinstance(request, CachedRequest):
        return request
    # Of one that has no body nothing is missed.
    return prepared_of(request) if request.method in ("GET", "HEAD") else request.prepare()
