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


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # aiohttp discourages subclassing its session

    class InlineSession(aiohttp.ClientSession):
        """`_request` overridden: key, read and decode on the loop, no thread and no lock."""

        ATTRS = aiohttp.ClientSession.ATTRS | {"records"}
        records: Records

        async def _request(self, method: str, str_or_url: Any, **kwargs: Any) -> Any:
            return LazyResponse(*self.records.read(str(str_or_url)))
