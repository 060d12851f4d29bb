"""The limit of a requests session that answers from a store."""

from __future__ import annotations

from typing import Any

import requests

from suite.limits.records import Head, Records


class LazyResponse:
    """A response whose parts are made when asked for; a whole `requests.Response` costs ten times as much."""

    __slots__ = ("content", "head")

    def __init__(self, head: Head, content: bytes) -> None:
        self.head = head
        self.content = content


class Unprepared(requests.Session):
    """`request()` overridden, nothing prepared: right only for a plain GET."""

    records: Records
    validates = False
    """Whether what is stored is confirmed each time."""
    _like: requests.PreparedRequest | None = None

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> Any:
        try:
            found = self.records.read(str(url))
        except KeyError:
            return self._fetched(str(url))
        return self._confirmed(*found) if self.validates else LazyResponse(*found)

    def _fetched(self, url: str) -> LazyResponse:
        response = self._sent(url, {})
        found = Head(url, response.status_code, 0.0, list(response.raw.headers.items())), response.content
        self.records.write(*found)
        return LazyResponse(*found)

    def _confirmed(self, head: Head, body: bytes) -> LazyResponse:
        tag = next(value for name, value in head.fields if name.lower() == "etag")
        response = self._sent(head.url, {"If-None-Match": tag})
        if response.status_code != 304 or response.content:
            raise ValueError(head.url)
        head.fields = list(response.raw.headers.items())
        self.records.renew(head, body)
        return LazyResponse(head, body)

    def _sent(self, url: str, fields: dict[str, str]) -> requests.Response:
        """By the adapter, with a request prepared once: the environment is not looked at."""
        if self._like is None:
            self._like = self.prepare_request(requests.Request("GET", url))
        prepared = self._like.copy()
        prepared.url = url
        prepared.headers.update(fields)
        return self.get_adapter(url).send(prepared, stream=True, timeout=None, verify=True, cert=None, proxies={})


class Prepared(Unprepared):
    """`request()` overridden, the request still prepared by requests: right for every GET."""

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("allow_redirects", None)
        prepared = self.prepare_request(requests.Request(str(method), str(url), *args, **kwargs))
        assert prepared.url is not None
        return LazyResponse(*self.records.read(prepared.url))
