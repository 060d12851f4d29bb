"""The limit of a trio session that answers from a store: the checkpoint that trio asks for, then a read."""

from __future__ import annotations

import trio

from suite.limits.records import Head, Records


class LazyResponse:
    """A response whose parts are made when asked for."""

    __slots__ = ("content", "head")

    def __init__(self, head: Head, content: bytes) -> None:
        self.head = head
        self.content = content


class CheckpointSession:
    """A session with nothing but `get`."""

    def __init__(self, records: Records) -> None:
        self.records = records

    async def get(self, url: str) -> LazyResponse:
        await trio.lowlevel.checkpoint()
        return LazyResponse(*self.records.read(url))
