"""The request that a stored response answers, as far as it is kept: its method and its URL."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict

__all__ = ["CachedRequest"]


class CachedRequest:
    """A request; of a stored response only what is kept, which is neither fields nor a body."""

    def __init__(
        self,
        body: bytes | str | None = None,
        cookies: RequestsCookieJar | None = None,
        headers: Any = None,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        self.body = body.encode() if isinstance(body, str) else body or b""
        self.cookies = RequestsCookieJar() if cookies is None else cookies
        self.headers: CaseInsensitiveDict[str] = CaseInsensitiveDict(headers or {})
        self.method = method
        self.url = url

    @classmethod
    def from_request(cls, original_request: requests.PreparedRequest) -> CachedRequest:
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
        return CachedRequest(self.body, self.cookies, self.headers, self.method, self.url)

    def prepare(self) -> requests.PreparedRequest:
        """The request as it could be sent."""
        prepared: Any = requests.PreparedRequest()
        prepared.prepare(
            method=self.method, url=self.url, headers=self.headers, cookies=self.cookies, data=self.body or None
        )
        made: requests.PreparedRequest = prepared
        return made

    @property
    def _cookies(self) -> RequestsCookieJar:
        return self.cookies

    def __str__(self) -> str:
        return f"{self.method} {self.url}"
