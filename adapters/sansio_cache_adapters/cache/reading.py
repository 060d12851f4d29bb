"""Stored responses as they are shown to people and programs that look into a cache, whatever its client."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sansio_cache.decisions import FromStore
from sansio_cache.filtering import text_of
from sansio_cache.messages import Headers
from sansio_cache.records import Record, open_record, variant_of
from sansio_cache.rules import Rules
from sansio_cache_adapters.stores.work import awaited

from .decoding import taken_off
from .engine import Engine
from .response_attributes import moment
from .stored_body import StoredBody

__all__ = ["StoredResponse", "fetched", "shown", "whole_body", "without_coding"]


@dataclass(frozen=True)
class StoredResponse:
    """A stored response, looked at and not used.

    :ivar key: the partition key, hexadecimal.
    :ivar url: redacted.
    :ivar headers: with the ``Set-Cookie`` that ``keep_set_cookie=True`` has kept; a name's lines are
        ``headers.lines(name)``.
    :ivar body: as it was received, its content coding kept.
    :ivar stored_at: when it was received; aware, UTC.
    :ivar expires_at: when it becomes stale by the settings it was kept under; None for never.
    :ivar variant: tells it from others under its key, hexadecimal.
    """

    key: str
    method: str
    url: str
    status: int
    reason: str
    headers: Headers
    body: bytes = field(repr=False)
    stored_at: datetime | None
    expires_at: datetime | None
    tags: tuple[str, ...] = ()
    variant: str = field(default="", repr=False)

    @property
    def content(self) -> bytes:
        """The body, its content coding taken off.

        :raises ValueError: it cannot be taken off here.
        """
        return without_coding(self.headers.get("content-encoding") or "", self.body)

    @property
    def text(self) -> str:
        """The content as text, by the charset that Content-Type names, else UTF-8.

        :raises ValueError: its content coding cannot be taken off here.
        """
        return text_of(self.content, self.headers.get("content-type") or "")

    def json(self) -> Any:
        """The content, read as JSON.

        :raises ValueError: it is none.
        """
        return json.loads(self.content)

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400


def without_coding(coding: str, body: bytes) -> bytes:
    """A body, its content coding taken off.

    :raises ValueError: it cannot be taken off here.
    """
    return b"".join(taken_off(coding, body)) if body else body


async def fetched(engine: Engine, rules: Rules, partition: bytes) -> list[Record]:
    """The records of a partition that can be opened, the newest first, small bodies included."""
    stored = await awaited(engine.store.load(partition))
    opened = [open_record(each, None, rules.place, rules.sealer) for each in stored]
    records = [each for each in opened if isinstance(each, Record) and each.head.partition == partition]
    return sorted(records, key=lambda record: record.head.received_at, reverse=True)


def variant_in(record: Record) -> bytes:
    """What tells a record from the others of its partition."""
    return variant_of(record.head.method, record.head.vary)


async def whole_body(engine: Engine, rules: Rules, record: Record) -> bytes:
    """The body of a record, coding kept, verified.

    :raises BadSignature: it is not what was signed; the record is dropped.
    :raises StoreError: it is gone.
    """
    head = record.head
    if head.length and record.stored.body is None:
        # A walk over the store leaves small bodies out.
        again = await fetched(engine, rules, head.partition)
        record = next((each for each in again if variant_in(each) == variant_in(record)), record)
    body = StoredBody(engine, FromStore(record, 0, record.head.length))
    pieces: list[bytes] = []
    while not body.at_end:
        pieces.append(await body.read())
    return b"".join(pieces)


def shown(record: Record, body: bytes) -> StoredResponse:
    """A record with its body, as it is shown."""
    head = record.head
    return StoredResponse(
        head.partition.hex(),
        head.method,
        head.url,
        head.status,
        head.reason,
        record.headers,  # its Set-Cookie too, if that was kept: nothing is answered with this
        body,
        moment(head.received_at),
        moment(head.stale_at),
        head.tags,
        variant_in(record).hex(),
    )
