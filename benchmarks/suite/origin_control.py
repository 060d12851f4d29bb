"""The origin seen from the measuring side: its addresses, and what it was asked for."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit


class OriginControl:
    """The address of a running origin (`suite.origin`)."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._netloc = urlsplit(base).netloc

    def url(self, kind: str, size: int, name: object) -> str:
        """The URL of a body of that size; kinds are explained in `suite.origin`."""
        return f"{self.base}/{kind}/{size}/{name}"

    def urls(self, kind: str, size: int, count: int, name: object = "") -> list[str]:
        """That many URLs."""
        return [self.url(kind, size, f"{name}{index}") for index in range(count)]

    def fetches(self, url: str) -> int:
        """How often this URL was asked for."""
        return int(self._ask("/_" + urlsplit(url).path))

    def totals(self) -> tuple[int, int]:
        """How many requests came in all, and how many of them were answered with 304."""
        requests, not_modified = self._ask("/_").split()
        return int(requests), int(not_modified)

    def _ask(self, path: str) -> bytes:
        connection = http.client.HTTPConnection(self._netloc, timeout=30)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()
