"""The limit of an aiohttp session that answers from a store, reading inline on the loop."""

from __future__ import annotations

import warnings
from typing import Any, Self

import aiohttp

from suite.limits.records import Head, Records


class LazyResponse:
    """As much of a `ClientResponse` as `async with session.get(url) as response: await response.read()` touches."""

    __slots__ = ("body", "head")

    def __init__(self, head: Head, body: bytes) -> None:
        self.head = head
        self.body = body

    async def read(self) -> bytes:
        return self.body

    def release(self) -> None: ...

    async def wait_for_close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *args: object) -> None: ...


def _fields(response: aiohttp.ClientResponse) -> list[tuple[str, str]]:
    """As they came; those of `headers` have names of a class of their own."""
    return [(name.decode(), value.decode("latin-1")) for name, value in response.raw_headers]


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # aiohttp discourages subclassing its session

    class InlineSession(aiohttp.ClientSession):
        """`_request` overridden: key, read and decode on the loop, no thread and no lock."""

        ATTRS = aiohttp.ClientSession.ATTRS | {"records", "validates"}
        records: Records
        validates = False
        """Whether what is stored is confirmed each time."""

        async def _request(self, method: str, str_or_url: Any, **kwargs: Any) -> Any:
            url = str(str_or_url)
            try:
                found = self.records.read(url)
            except KeyError:
                return await self._fetched(url, **kwargs)
            return await self._confirmed(*found, **kwargs) if self.validates else LazyResponse(*found)

        async def _fetched(self, url: str, **kwargs: Any) -> LazyResponse:
            response = await super()._request("GET", url, **kwargs)
            found = Head(url, response.status, 0.0, _fields(response)), await response.read()
            self.records.write(*found)
            return LazyResponse(*found)

        async def _confirmed(self, head: Head, body: bytes, **kwargs: Any) -> LazyResponse:
            tag = next(value for name, value in head.fields if name.lower() == "etag")
            response = await super()._request("GET", head.url, headers={"If-None-Match": tag}, **kwargs)
            if response.status != 304 or await response.read():
                raise ValueError(head.url)
            head.fields = _fields(response)
            self.records.renew(head, body)
            return LazyResponse(head, body)
