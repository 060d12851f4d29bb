"""Requests, responses and records for rows of tests, written as HTTP is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import pytest

from sansio_cache.freshness import Facts, read_facts
from sansio_cache.keeping import Keeping
from sansio_cache.messages import NO_OPTIONS, Headers, Options, Received, Request
from sansio_cache.policy import Policy
from sansio_cache.records import Item, Meta, Record, Stored, chunk_hashes, open_record
from sansio_cache.rules import Rules
from sansio_cache.sealing import UNSIGNED, Sealer
from sansio_cache.vary import nominated

NOW: Final = 1_700_000_000.0
"""Tue, 14 Nov 2023 22:13:20 GMT."""
DATE: Final = "Date: Tue, 14 Nov 2023 22:13:20 GMT"
URL: Final = "https://example.org/a"
META: Final = Meta(b"store id, 16 by.", b"a salt of exactly thirty-two by.", signed=False)
SECRET: Final = b"a secret of at least sixteen bytes"
BODY: Final = b"0123456789"


def fields(*lines: str) -> Headers:
    """Header fields from lines like ``"Cache-Control: max-age=60"``."""
    return Headers((name, value.removeprefix(" ")) for name, _, value in (line.partition(":") for line in lines))


def ask(
    *lines: str,
    method: str = "GET",
    url: str = URL,
    body: bytes | None = b"",
    peer: str = "",
    options: Options = NO_OPTIONS,
) -> Request:
    """A request with these header fields."""
    return Request(method, url, fields(*lines), body, peer, options)


def got(*lines: str, status: int = 200, reason: str = "OK", at: float = NOW, delay: float = 0.0) -> Received:
    """A response with these header fields, its head received at ``at``."""
    return Received(status, reason, fields(*lines), at - delay, at)


def facts_of(*lines: str, at: float = NOW, delay: float = 0.0, authorized: bool = False) -> Facts:
    """The facts of a response with these header fields."""
    return read_facts(got(*lines, at=at, delay=delay), authorized=authorized)


def rules_of(
    policy: Policy | None = None,
    *,
    secret: bytes | None = None,
    meta: Meta = META,
    undecodable: Collection[str] = (),
) -> Rules:
    """Rules over a store with a known id and salt."""
    sealer = UNSIGNED if secret is None else Sealer([secret])
    return Rules(Policy() if policy is None else policy, meta, sealer, frozenset(undecodable))


def item_of(reply: Received, request: Request | None = None, rules: Rules | None = None, *, body: bytes = BODY) -> Item:
    """A response as a store is given it, whether or not the policy would store it."""
    request = ask() if request is None else request
    rules = rules_of() if rules is None else rules
    facts = read_facts(reply, authorized="authorization" in request.headers)
    vary = tuple((name, rules.vary_tag(name, request.headers)) for name in nominated(reply.headers))
    keys = rules.maker.keys(request)
    keeping = Keeping(request, reply, facts, vary, keys, rules.place, rules.sealer, rules.policy)
    item = keeping.finish(body, b"", len(body), chunk_hashes(body))
    assert isinstance(item, Item), item
    return item


def stored_of(item: Item, rev: int = 1) -> Stored:
    """An item as a store gives it back."""
    return Stored(item.sealed, item.body, item.entry or b"entry of 16 byte", rev)


def record_of(
    *lines: str,
    status: int = 200,
    at: float = NOW,
    delay: float = 0.0,
    body: bytes = BODY,
    request: Request | None = None,
    rules: Rules | None = None,
) -> Record:
    """The record of a response with these header fields, stored and opened again."""
    request = ask() if request is None else request
    rules = rules_of() if rules is None else rules
    item = item_of(got(*lines, status=status, at=at, delay=delay), request, rules, body=body)
    record = open_record(stored_of(item), rules.maker.keys(request), rules.place, rules.sealer)
    assert isinstance(record, Record), record
    return record


def rows(names: str, *table: tuple[object, ...]) -> pytest.MarkDecorator:
    """Rows of a test: what the rule says, the section it comes from, then a value for each of ``names``."""
    ids = [f"{section} {rule}" for rule, section, *_ in table]
    assert len(set(ids)) == len(ids), "two rows of one name"
    one = " " not in names
    return pytest.mark.parametrize(names.replace(" ", ","), [row[2] if one else row[2:] for row in table], ids=ids)
