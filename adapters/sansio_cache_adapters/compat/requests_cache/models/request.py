"""The request that a stored response answers, as far as it is kept: its method and its URL."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict

from .base import RichMixin

__all__ = ["CachedRequest"]


@dataclass(repr=False)
class CachedRequest(RichMixin):
    """A request; of a stored response only what is kept, which is neither fields nor a body."""

    body: Any = b""
    cookies: Any = field(default_factory=RequestsCookieJar)
    headers: Any = field(default_factory=CaseInsensitiveDict[str])
    method: str | None = None
    url: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.body, bytes):
            self.body = str(self.body or "").encode()
        self.headers = CaseInsensitiveDict(self.headers or {})
        if self.cookies is None:
            self.cookies = RequestsCookieJar()

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
        prepared: Any = requests.PreparedRequest()
        prepared.prepare(
            method=self.method, url=self.url, headers=self.headers, cookies=self.cookies, data=self.body or None
        )
        made: requests.PreparedRequest = prepared
        return made

    @property
    def _cookies(self) -> Any:
        return self.cookies

    def __str__(self) -> str:
        return f"{self.method} {self.url}"
