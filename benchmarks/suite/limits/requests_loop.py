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

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> Any:
        return LazyResponse(*self.records.read(str(url)))


class Prepared(Unprepared):
    """`request()` overridden, the request still prepared by requests: right for every GET."""

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("allow_redirects", None)
        prepared = self.prepare_request(requests.Request(str(method), str(url), *args, **kwargs))
        assert prepared.url is not None
        return LazyResponse(*self.records.read(prepared.url))
