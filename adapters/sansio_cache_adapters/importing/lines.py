"""A stored response as a line of JSON, and back."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import msgspec

from sansio_cache.digests import SHA256, digest_named
from sansio_cache.freshness import Facts, Terms
from sansio_cache.messages import HTTP_1_1
from sansio_cache.records import CHUNK_SIZE, FORMAT, INLINE_LIMIT, Head, Meta, Remembered, body_digest, chunk_hashes
from sansio_cache.urls import redact

from .entries import damaged, fields_of
from .report import Reason, Skipped

__all__ = ["First", "LoadedLine", "first_line", "line_of", "read_first", "read_line"]

VERSION: Final = 1

_Number = float | None
"""JSON has no infinity: None stands for it."""
_Terms = tuple[_Number, _Number, _Number, int]
_Time = tuple[int, _Number]


class First(msgspec.Struct, frozen=True):
    """The first line: that it is an export, and what the others were kept under.

    :ivar salt: keys of responses to users who were told apart, and of those that Vary selects, are made with it.
    """

    sansio_cache: str
    version: int
    salt: bytes


class _Facts(msgspec.Struct, frozen=True):
    date: float
    initial_age: _Number
    last_modified: float | None
    validator: bool
    authorized: bool
    coded: bool
    private: _Terms
    shared: _Terms


class _RecordLine(msgspec.Struct, frozen=True, omit_defaults=True):
    url: str
    method: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    requested_at: float
    received_at: float
    stale_at: _Number
    resource: bytes
    partition: bytes
    facts: _Facts
    text: str | None = None
    body: bytes | None = None
    vary: tuple[tuple[str, bytes], ...] = ()
    tags: tuple[str, ...] = ()
    namespace: str = ""
    remembered: tuple[_Time, _Time] | None = None
    version: int = HTTP_1_1
    hashed_with: str = ""


class LoadedLine(NamedTuple):
    """A stored response that was read from a line; its head names no store yet."""

    head: Head
    body: bytes
    hashes: bytes


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_RecordLine).decode
_decode_first = msgspec.json.Decoder(First).decode


def first_line(meta: Meta) -> bytes:
    """The line that an export begins with."""
    return _encode(First("export", VERSION, meta.salt)) + b"\n"


def read_first(line: bytes) -> First | None:
    """The content of the first line; None where it is not one of ours."""
    try:
        first = _decode_first(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return first if first.sansio_cache == "export" and first.version == VERSION and len(first.salt) == 32 else None


def line_of(head: Head, body: bytes) -> bytes:
    """A stored response as a line."""
    facts, kept = head.facts, head.remembered
    text = _text(body)
    return (
        _encode(
            _RecordLine(
                url=head.url,
                method=head.method,
                status=head.status,
                reason=head.reason,
                headers=head.headers,
                requested_at=head.requested_at,
                received_at=head.received_at,
                stale_at=head.stale_at,
                resource=head.resource,
                partition=head.partition,
                facts=_Facts(
                    *(facts.date, facts.initial_age, facts.last_modified, facts.validator, facts.authorized),
                    *(facts.coded, _terms(facts.private), _terms(facts.shared)),
                ),
                text=text,
                body=body if text is None else None,
                vary=head.vary,
                tags=head.tags,
                namespace=head.namespace,
                remembered=None if kept is None else (kept.time, kept.settings),
                version=head.version,
                hashed_with=head.hashed_with,
            )
        )
        + b"\n"
    )


def _text(body: bytes) -> str | None:
    """A body that a person can read, as text."""
    if b"\0" in body:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _terms(terms: Terms) -> _Terms:
    return terms.lifetime, terms.while_revalidate, terms.if_error, terms.flags


def read_line(line: bytes) -> LoadedLine:
    """The stored response that a line describes. Nothing of it is taken on trust that can be worked out.

    :raises Skipped: it describes none.
    """
    try:
        read = _decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise damaged() from None
    body = _body(read)
    if len(read.resource) != 32 or len(read.partition) != 32 or not 200 <= read.status <= 999:
        raise damaged()
    fields_of(read.headers)
    fields_of([("reason", read.reason), ("method", read.method)])
    digest = (digest_named(read.hashed_with) if len(body) > INLINE_LIMIT else None) or SHA256
    hashes = chunk_hashes(body, digest)
    head = Head(
        format=FORMAT,
        store_id=b"",
        namespace=read.namespace,
        resource=read.resource,
        partition=read.partition,
        method=read.method,
        status=read.status,
        reason=read.reason,
        headers=read.headers,
        vary=read.vary,
        requested_at=read.requested_at,
        received_at=read.received_at,
        length=len(body),
        chunk_size=CHUNK_SIZE,
        digest=body_digest(hashes, digest),
        facts=_facts(read.facts),
        url=redact(read.url),
        tags=read.tags,
        stale_at=_number(read.stale_at),
        remembered=_remembered(read.remembered),
        version=read.version if 0 <= read.version <= 99 else HTTP_1_1,
    )
    return LoadedLine(head, body, hashes)


def _body(read: _RecordLine) -> bytes:
    if (read.text is None) == (read.body is None):
        raise damaged()
    try:
        return read.text.encode() if read.text is not None else read.body or b""
    except UnicodeEncodeError:
        raise Skipped(Reason.DAMAGED) from None


def _number(value: _Number) -> float:
    return math.inf if value is None else value


def _facts(facts: _Facts) -> Facts:
    pair = facts.private, facts.shared
    terms = [Terms(_number(one), _number(two), _number(three), says) for one, two, three, says in pair]
    given = (facts.date, _number(facts.initial_age), facts.last_modified, facts.validator, facts.authorized)
    return Facts(*given, facts.coded, *terms)


def _remembered(pair: tuple[_Time, _Time] | None) -> Remembered | None:
    if pair is None:
        return None
    (kind, number), (under, what) = pair
    return Remembered((kind, _number(number)), (under, _number(what)))
