"""The hand-written loops of `suite.limits` as contenders: all but those that fetch are filled by hand and only hit."""

from __future__ import annotations

import urllib.request
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from suite.clients import AsyncioClient, BlockingClient, Client, TrioClient

if TYPE_CHECKING:
    from suite.limits.records import Records
    from suite.model import Setting


class _Limit(Client):
    """Opens and fills the records."""

    records: Records

    def __init__(self, setting: Setting, *, signed: bool = False, memory: bool = False) -> None:
        super().__init__(setting)
        self.signed = signed
        self.memory = memory

    def open(self) -> Records:
        from suite.limits.records import MemoryRecords, Records

        self.records = MemoryRecords() if self.memory else Records(self.setting.folder, signed=self.signed)
        return self.records

    async def fill(self, urls: Sequence[str]) -> int:
        total = 0
        for url in urls:
            try:
                total += len(self.records.read(url)[1])
            except KeyError:
                total += self._fetch(url)
        return total

    def _fetch(self, url: str) -> int:
        from suite.limits.records import Head

        with urllib.request.urlopen(url) as reply:
            body = reply.read()
            self.records.write(Head(url, reply.status, 0.0, reply.getheaders()), body)
        return len(body)


class LimitRead(_Limit, BlockingClient):
    """Key, read and decode, with no client around them."""

    def begin(self) -> None:
        self.read = self.open().read

    def get(self, url: str) -> int:
        return len(self.read(url)[1])

    def stream(self, url: str) -> int:
        raise NotImplementedError

    def end(self) -> None:
        self.records.close()


class LimitRequests(LimitRead):
    """requests with nothing prepared."""

    session: Any

    def begin(self) -> None:
        from suite.limits.requests_loop import Unprepared

        self.session = Unprepared()
        self.session.records = self.open()
        self.session.validates = self.setting.mode == "validate"

    def get(self, url: str) -> int:
        return len(self.session.get(url).content)


class LimitRequestsPrepared(LimitRequests):
    """requests, which still prepares each request."""

    def begin(self) -> None:
        from suite.limits.requests_loop import Prepared

        self.session = Prepared()
        self.session.records = self.open()


class LimitAiohttp(_Limit, AsyncioClient):
    """aiohttp, read inline."""

    session: Any

    async def begin(self) -> None:
        from suite.limits.aiohttp_loop import InlineSession

        self.session = InlineSession()
        self.session.records = self.open()
        self.session.validates = self.setting.mode == "validate"

    async def get(self, url: str) -> int:
        async with self.session.get(url) as response:
            return len(await response.read())

    async def stream(self, url: str) -> int:
        raise NotImplementedError

    async def end(self) -> None:
        await self.session.close()
        self.records.close()


class LimitTrio(_Limit, TrioClient):
    """trio, one checkpoint."""

    session: Any

    async def begin(self) -> None:
        from suite.limits.trio_loop import CheckpointSession

        self.session = CheckpointSession(self.open())

    async def get(self, url: str) -> int:
        return len((await self.session.get(url)).content)

    async def stream(self, url: str) -> int:
        raise NotImplementedError

    async def end(self) -> None:
        self.records.close()
