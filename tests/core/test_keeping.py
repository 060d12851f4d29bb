"""Keeping: a response on its way into the store, and how long it may stay there."""

from __future__ import annotations

import math
from typing import Any

import pytest
from core_rows import (
    BODY,
    DATE,
    META,
    NOW,
    SECRET,
    ask,
    facts_of,
    fields,
    got,
    record_of,
    rows,
    rules_of,
    stored_of,
)
from msgspec.structs import replace

from sansio_cache.keeping import Keeping, purge_time
from sansio_cache.messages import Headers, Kept, Options, Request
from sansio_cache.policy import Policy
from sansio_cache.records import (
    CHUNK_SIZE,
    FORMAT,
    Head,
    Item,
    Record,
    body_digest,
    chunk_hashes,
    open_record,
    variant_of,
)
from sansio_cache.storing import Storing

DAY = 86_400.0
FRESH = "Cache-Control: max-age=60"
REPLY = got(DATE, "Cache-Control: max-age=60", "Vary: Accept", "Set-Cookie: a=b", 'ETag: "a"', delay=0.5)
REQUEST = ask("Accept: text/html", url="https://u:p@example.org/a?token=1", options=Options(tags=("t",)))
HASHES = chunk_hashes(BODY)


def keeping_of(policy: Policy, request: Request = REQUEST) -> Keeping:
    rules = rules_of(policy, secret=SECRET)
    vary = (("accept", rules.vary_tag("accept", request.headers)),)
    keys = rules.maker.keys(request)
    return Keeping(request, REPLY, facts_of(DATE, 'ETag: "a"'), vary, keys, rules.place, rules.sealer, policy)


@rows(
    "lines settings room",
    ("a validator is worth a month", "4.3", ['ETag: "a"'], {}, 30 * DAY),
    ("nothing to ask by is worth a day", "4.3", [], {}, DAY),
    ("a longer window of staleness", "5861", ["Cache-Control: stale-if-error=200000"], {}, 200_000.0),
    ("the other window", "5861", ["Cache-Control: stale-while-revalidate=200000"], {}, 200_000.0),
    ("a shorter one changes nothing", "5861", ["Cache-Control: stale-if-error=5"], {}, DAY),
    ("the window of a shared cache", "9213", ["CDN-Cache-Control: stale-if-error=200000"], {"shared": True}, 200_000.0),
    ("the user's time", "settings", [], {"stale_if_error": 200_000}, 200_000.0),
    ("the user's other time", "settings", [], {"stale_while_revalidate": 200_000}, 200_000.0),
    ("for ever is not for ever on disk", "G28", [], {"stale_if_error": True}, DAY),
)
def test_a_stale_response_has_room(lines: list[str], settings: dict[str, Any], room: float) -> None:
    assert purge_time(NOW, facts_of(*lines), Policy(**settings)) == NOW + room


def test_what_never_expires_is_never_purged_by_its_time() -> None:
    assert purge_time(math.inf, facts_of(), Policy()) == math.inf


def test_a_kept_response_is_sealed_with_all_that_a_reader_needs() -> None:
    policy = Policy(namespace="n")
    rules = rules_of(policy, secret=SECRET)
    keeping = keeping_of(policy)
    item = keeping.finish(BODY, b"", len(BODY), HASHES)
    assert isinstance(item, Item)
    record = open_record(stored_of(item), keeping.keys, rules.place, rules.sealer)
    assert isinstance(record, Record)
    assert record.head == Head(
        format=FORMAT,
        store_id=META.store_id,
        namespace="n",
        resource=keeping.keys.resource,
        partition=keeping.keys.partition,
        method="GET",
        status=200,
        reason="OK",
        headers=fields(DATE, "Cache-Control: max-age=60", "Vary: Accept", 'ETag: "a"').items,
        vary=(("accept", rules.vary_tag("accept", REQUEST.headers)),),
        requested_at=NOW - 0.5,
        received_at=NOW,
        length=len(BODY),
        chunk_size=CHUNK_SIZE,
        digest=body_digest(HASHES),
        facts=facts_of(DATE, 'ETag: "a"'),
        url="https://example.org/a?token=REDACTED",
        tags=("t",),
        stale_at=NOW,
    )
    assert item == Item(
        resource=keeping.keys.resource,
        partition=keeping.keys.partition,
        variant=variant_of("GET", record.head.vary),
        sealed=item.sealed,
        body=BODY,
        entry=b"",
        hashes=HASHES,
        size=len(BODY),
        requested_at=NOW - 0.5,
        received_at=NOW,
        stale_at=NOW,
        purge_at=NOW + 30 * DAY,
        url=record.head.url,
        method="GET",
        status=200,
        tags=("t",),
    )


def test_a_response_without_date_is_stored_with_one() -> None:
    """RFC 9110 §6.6.1."""
    assert record_of(FRESH).headers == fields(FRESH, DATE)


def test_a_large_body_lies_under_its_entry() -> None:
    item = keeping_of(Policy()).finish(None, b"entry", CHUNK_SIZE + 1, b"h" * 64)
    assert isinstance(item, Item)
    assert (item.body, item.entry, item.size, item.hashes) == (None, b"entry", CHUNK_SIZE + 1, b"h" * 64)


def test_who_feeds_it_sees_what_it_needs() -> None:
    keeping = keeping_of(Policy(max_body=5, vary_limit=7))
    assert (keeping.method, keeping.url, keeping.status) == ("GET", REQUEST.url, 200)
    assert keeping.headers is REPLY.headers
    assert (keeping.max_body, keeping.vary_limit) == (5, 7)


def test_filter_fn_sees_the_response_and_decides() -> None:
    """It is a plain function of core values; the header fields are those received, cookies included."""
    seen: list[tuple[Request, Kept]] = []

    def small(request: Request, response: Kept) -> bool:
        seen.append((request, response))
        return response.body is not None

    keeping = keeping_of(Policy(filter_fn=small))
    assert keeping.finish(None, b"entry", 5, b"h" * 32) is Storing.FILTERED
    assert isinstance(keeping.finish(BODY, b"", len(BODY), HASHES), Item)
    assert [request is REQUEST for request, _ in seen] == [True, True]
    assert seen[1][1] == Kept(200, "OK", REPLY.headers, BODY)


def test_an_error_of_filter_fn_is_the_users() -> None:
    def broken(_request: Request, _response: Kept) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        keeping_of(Policy(filter_fn=broken)).finish(BODY, b"", len(BODY), HASHES)


def test_a_head_that_is_too_large_is_not_kept() -> None:
    """G28: 64 KiB, whatever the origin sends."""
    rules = rules_of()
    reply = replace(REPLY, headers=Headers([("A", "x" * 70_000)]))
    keys = rules.maker.keys(ask())
    keeping = Keeping(ask(), reply, facts_of(), (), keys, rules.place, rules.sealer, rules.policy)
    assert keeping.finish(BODY, b"", len(BODY), HASHES) is Storing.TOO_LARGE
