"""``judge``: what becomes of a reply (RFC 9111 §3, §4.3.3 to §4.3.5)."""

from __future__ import annotations

from typing import Any

import pytest
from core_rows import DATE, NOW, ask, fields, got, record_of, rows, rules_of
from core_words import judged, verdict_said
from hypothesis import given
from msgspec.structs import replace
from strategies import policies, replies, requests

from sansio_cache import judging
from sansio_cache.cache_status import CacheStatus, Fwd
from sansio_cache.dates import format_date
from sansio_cache.decisions import (
    Again,
    Forward,
    Freshened,
    FromStore,
    Keep,
    Pass,
)
from sansio_cache.freshness import read_facts
from sansio_cache.keys import Keys
from sansio_cache.messages import Received, Request
from sansio_cache.policy import Policy
from sansio_cache.records import Item, Record, open_record
from sansio_cache.storing import Storing, may_store

FRESH = "Cache-Control: max-age=60"
TAG = 'ETag: "a"'
LAST = f"Last-Modified: {format_date(NOW - 3000)}"
OTHER_LAST = f"Last-Modified: {format_date(NOW - 2000)}"
LATER = NOW + 100
"""When a record with max-age=60 is stale by 40 s."""
GONE = ConnectionError("gone")


# §3 and §4.3.3


@rows(
    "lines status settings expected",
    ("a response to keep", "3", [FRESH], 200, {}, "Keep 200 network stale"),
    ("one with nothing to keep it by", "3", [], 200, {}, "Pass 200 network no-freshness"),
    ("one that forbids it", "5.2.2.5", ["Cache-Control: no-store"], 200, {}, "Pass 200 network no-store"),
    ("a reader keeps nothing", "settings", [FRESH], 200, {"read_only": True}, "Pass 200 network read-only"),
    ("an error with a time of its own", "3", [FRESH], 500, {}, "Keep 500 network stale"),
    ("part of one", "3.3", [FRESH], 206, {}, "Pass 206 network status"),
    ("a 304 that nobody asked for", "9110-15.4.5", [FRESH], 304, {}, "Pass 304 network stale"),
)
def test_a_reply_to_what_is_not_stored(lines: list[str], status: int, settings: dict[str, Any], expected: str) -> None:
    assert verdict_said(judged(got(DATE, *lines, status=status), rules=rules_of(Policy(**settings)))) == expected


@rows(
    "lines status expected",
    ("a full response takes its place", "4.3.3", [FRESH], 200, "Keep 200 network stale"),
    ("another status, too", "4.3.3", [FRESH], 404, "Keep 404 network stale"),
    ("an error of the server does not", "4.3.3", [FRESH], 500, "Pass 500 network stale"),
    ("no error of a server does", "4.3.3", [FRESH], 599, "Pass 599 network stale"),
    ("nor what may not be stored", "4.3.3", ["Cache-Control: no-store"], 200, "Pass 200 network no-store"),
)
def test_a_reply_to_a_validation(lines: list[str], status: int, expected: str) -> None:
    """With validators to ask by, and without."""
    for stored in ([FRESH, TAG], [FRESH]):
        assert verdict_said(judged(got(DATE, *lines, status=status, at=LATER), record_of(DATE, *stored))) == expected


def test_an_error_takes_the_place_of_a_stored_error() -> None:
    """Else an error with a time of its own would be cached only once."""
    assert verdict_said(judged(got(FRESH, status=503), record_of(FRESH, TAG, status=500))) == "Keep 503 network stale"


def test_what_is_kept_is_the_answer_and_says_how_to_store_it() -> None:
    request, rules = ask("Accept: a"), rules_of()
    verdict = judged(got(DATE, FRESH, "Vary: Accept", delay=0.5), None, request, rules)
    assert isinstance(verdict, Keep)
    answer = verdict.answer
    assert answer.keeping is not None
    assert answer.key == answer.keeping.keys.partition == rules.maker.keys(request).partition
    assert answer.expires == NOW + 60 - 0.5
    assert answer.cache_status == CacheStatus(fwd=Fwd.STALE, fwd_status=200, stored=True, detail="stale")
    assert (answer.from_cache, answer.record, answer.revalidated) == (False, None, False)
    item = answer.keeping.finish(b"", b"", 0, b"")
    assert isinstance(item, Item)
    assert item.variant != rules.maker.keys(request).partition


def test_the_cache_does_not_touch_what_passes() -> None:
    reply = got(DATE, "X-A: 1", "Connection: close", "Set-Cookie: a=b", "Age: 5")
    verdict = judged(reply)
    assert isinstance(verdict, Pass)
    assert verdict.answer.headers is reply.headers


# §4.3.4


@rows(
    "lines expected",
    ("the same tag", "4.3.4", [TAG], "Freshened 200 stored written"),
    ("no tag", "disputed", [], "Freshened 200 stored written"),
    ("another tag", "4.3.4", ['ETag: "b"'], "Again validator-mismatch"),
    ("another weak form", "4.3.4", ['ETag: W/"a"'], "Freshened 200 stored written"),
    ("a date that is not stored", "4.3.4", [OTHER_LAST], "Again validator-mismatch"),
    ("a Vary that says the same", "4.1", ["Vary: "], "Freshened 200 stored written"),
    ("another Vary", "4.1", ["Vary: Accept"], "Pass 200 stored stale invalidates"),
    ("Vary: *", "4.1", ["Vary: *"], "Pass 200 stored stale invalidates"),
    ("no-store", "5.2.2.5", ["Cache-Control: no-store"], "Pass 200 stored stale invalidates"),
    ("more directives than are read", "G31", [FRESH + ", a" * 1000], "Pass 200 stored stale invalidates"),
    (
        "more fields of the hop than are read",
        "G31",
        ["Connection: a" + ", a" * 1000],
        "Pass 200 stored stale invalidates",
    ),
    ("no-cache", "5.2.2.4", ["Cache-Control: no-cache"], "Freshened 200 stored written"),
    ("more fields than are kept", "G31", [f"A{n}: b" for n in range(1001)], "Again too-large"),
)
def test_a_304_updates_the_stored_response(lines: list[str], expected: str) -> None:
    assert verdict_said(judged(got(*lines, status=304, at=LATER), record_of(DATE, FRESH, TAG))) == expected


def test_private_in_a_304_invalidates_it_for_a_shared_cache() -> None:
    rules = rules_of(Policy(shared=True))
    record = record_of(DATE, FRESH, TAG, rules=rules)
    reply = got("Cache-Control: private", status=304)
    assert verdict_said(judged(reply, record, rules=rules)) == "Pass 200 stored stale invalidates"


def test_a_reader_does_not_write_what_a_304_says() -> None:
    rules = rules_of(Policy(read_only=True))
    assert (
        verdict_said(judged(got(TAG, status=304), record_of(DATE, FRESH, TAG), rules=rules)) == "Freshened 200 stored"
    )


def test_a_304_makes_it_fresh_again_from_its_own_times() -> None:
    rules = rules_of()
    record = record_of(DATE, FRESH, TAG, "Age: 30", "X-A: 1", "X-B: 1", rules=rules)
    date = f"Date: {format_date(LATER)}"
    reply = got(date, TAG, "X-B: 2", "Age: 5", "Cache-Control: max-age=70", status=304, at=LATER, delay=1.0)
    verdict = judged(reply, record, rules=rules)
    assert isinstance(verdict, Freshened)
    answer = verdict.answer
    assert (answer.status, answer.reason, answer.revalidated) == (200, "OK", True)
    assert answer.headers == fields(TAG, "X-A: 1", date, "X-B: 2", "Cache-Control: max-age=70", "Age: 6")
    assert answer.cache_status == CacheStatus(fwd=Fwd.STALE, fwd_status=304, ttl=64.0, detail="stale")
    assert answer.expires == LATER + 64
    assert verdict.rev == record.stored.rev
    item = verdict.item
    assert item is not None
    assert (item.requested_at, item.received_at, item.stale_at) == (LATER - 1, LATER, LATER + 64)
    opened = open_record(record.stored._replace(sealed=item.sealed), rules.maker.keys(ask()), rules.place, rules.sealer)
    assert isinstance(opened, Record)
    assert opened.headers == fields(TAG, "X-A: 1", date, "X-B: 2", "Cache-Control: max-age=70")
    assert (opened.head.digest, opened.head.length) == (record.head.digest, record.head.length)


def test_a_304_without_date_counts_from_our_own_time() -> None:
    """Else its age would be that of the message it updates."""
    verdict = judged(got(TAG, status=304, at=LATER), record_of(DATE, FRESH, TAG))
    assert isinstance(verdict, Freshened)
    assert verdict.answer.expires == LATER + 60
    assert verdict.answer.headers.get("age") == "0"
    assert verdict.answer.headers.get("date") == format_date(LATER)


def test_cookies_of_a_304_are_the_users_and_never_stored() -> None:
    """G13."""
    rules = rules_of()
    record = record_of(DATE, FRESH, TAG, rules=rules)
    verdict = judged(got(TAG, "Set-Cookie: a=1", "Set-Cookie: b=2", status=304), record, rules=rules)
    assert isinstance(verdict, Freshened)
    assert verdict.answer.headers.lines("set-cookie") == ["a=1", "b=2"]
    assert verdict.item is not None
    assert b"a=1" not in verdict.item.sealed


def test_fields_that_no_cache_names_are_given_with_the_304_that_brings_them() -> None:
    """RFC 9111 §5.2.2.4: after validation they may be used, "updating or removing those fields"."""
    rules = rules_of()
    qualified = 'Cache-Control: max-age=60, no-cache="x-own, x-gone"'
    record = record_of(DATE, FRESH, TAG, "X-Own: 1", "X-Gone: 1", rules=rules)
    verdict = judged(got(TAG, qualified, "X-Own: 2", "Age: 3", status=304), record, rules=rules)
    assert isinstance(verdict, Freshened)
    assert verdict.answer.headers.lines("x-own") == ["2"]
    assert "x-gone" not in verdict.answer.headers
    assert verdict.answer.headers.lines("age") == ["3"]
    assert verdict.item is not None
    assert b"X-Own" not in verdict.item.sealed


def test_a_304_for_another_variant_updates_that_one() -> None:
    asked, other = record_of(DATE, FRESH, TAG), record_of(DATE, FRESH, 'ETag: "b"', body=b"other")
    verdict = judged(got('ETag: "b"', status=304), asked, others=(other,))
    assert isinstance(verdict, Freshened)
    assert isinstance(verdict.answer.body, FromStore)
    assert verdict.answer.body.record.stored.body == b"other"


def test_a_head_that_grew_too_large_is_answered_and_not_written() -> None:
    reply = got(TAG, "X-Large: " + "x" * 66_000, status=304)
    assert verdict_said(judged(reply, record_of(DATE, FRESH, TAG))) == "Freshened 200 stored"


# The user's own preconditions


@rows(
    "request_lines stored reply_lines expected",
    ("ours is theirs", "4.3.2", ['If-None-Match: "a"'], [TAG], [TAG], "Freshened 304 stored written"),
    (
        "ours is theirs, and the 304 has no tag",
        "4.3.2",
        ['If-None-Match: "a"'],
        [TAG],
        [],
        "Freshened 304 stored written",
    ),
    ("ours, not theirs", "4.3.2", ['If-None-Match: "b"'], [TAG], [TAG], "Freshened 200 stored written"),
    (
        "theirs, not ours",
        "4.3.2",
        ['If-None-Match: "b"'],
        [TAG],
        ['ETag: "b"'],
        "Pass 304 network validator-of-the-user",
    ),
    ("nobody knows whose", "4.3.2", ['If-None-Match: "b"'], [TAG], [], "Again validator-unknown"),
    (
        "a comma within theirs, which is ours",
        "9110-8.8.3",
        ['If-None-Match: "a,b"'],
        ['ETag: "a,b"'],
        [],
        "Freshened 304 stored written",
    ),
    (
        "theirs, and the 304 has our date",
        "4.3.4",
        ['If-None-Match: "b"'],
        [TAG, LAST],
        [LAST],
        "Freshened 200 stored written",
    ),
    (
        "theirs, and the 304 has another date",
        "4.3.4",
        ['If-None-Match: "b"'],
        [TAG, LAST],
        [OTHER_LAST],
        "Pass 304 network validator-of-the-user",
    ),
    ("theirs alone", "4.3.2", ["If-None-Match: *"], [TAG], [TAG], "Pass 304 network stale"),
    ("a date of theirs", "4.3.2", [f"If-Modified-Since: {format_date(NOW)}"], [TAG], [TAG], "Pass 304 network stale"),
    ("a range of what is confirmed", "9110-14.2", ["Range: bytes=0-1"], [TAG], [TAG], "Freshened 206 stored written"),
    (
        "ranges that only the origin gives",
        "9110-14.2",
        ["Range: bytes=0-1,3-4"],
        [TAG],
        [TAG],
        "Again precondition-or-range",
    ),
)
def test_no_304_reaches_who_did_not_ask_for_it(
    request_lines: list[str], stored: list[str], reply_lines: list[str], expected: str
) -> None:
    """G15: what is the cache's own business stays within."""
    verdict = judged(got(*reply_lines, status=304), record_of(DATE, FRESH, *stored), ask(*request_lines))
    assert verdict_said(verdict) == expected


def test_to_ask_again_is_to_ask_without_validators_of_ours() -> None:
    verdict = judged(got('ETag: "b"', status=304), record_of(DATE, FRESH, TAG))
    assert isinstance(verdict, Again)
    assert verdict.forward == Forward(ask(), None, Fwd.STALE, "validator-mismatch")


# §4.3.5


@rows(
    "lines stored status settings expected",
    ("it confirms", "4.3.5", [TAG], [FRESH, TAG], 200, {}, "Freshened 200 network written"),
    ("it confirms what has no validator", "4.3.5", [], [FRESH], 200, {}, "Freshened 200 network written"),
    ("another tag", "4.3.5", ['ETag: "b"'], [FRESH, TAG], 200, {}, "Pass 200 network head-differs invalidates"),
    (
        "another length",
        "4.3.5",
        ["Content-Length: 99"],
        [FRESH, TAG],
        200,
        {},
        "Pass 200 network head-differs invalidates",
    ),
    (
        "another tag, to a reader",
        "settings",
        ['ETag: "b"'],
        [FRESH, TAG],
        200,
        {"read_only": True},
        "Pass 200 network head-differs",
    ),
    (
        "it forbids to store",
        "5.2.2.5",
        [TAG, "Cache-Control: no-store"],
        [FRESH, TAG],
        200,
        {},
        "Pass 200 network stale invalidates",
    ),
    ("another status is stored for itself", "4.3.5", [FRESH], [FRESH, TAG], 410, {}, "Keep 410 network stale"),
    ("304 confirms as to GET", "4.3.4", [TAG], [FRESH, TAG], 304, {}, "Freshened 200 stored written"),
)
def test_a_reply_to_head_is_about_the_stored_get(
    lines: list[str], stored: list[str], status: int, settings: dict[str, Any], expected: str
) -> None:
    verdict = judged(
        got(DATE, *lines, status=status), record_of(DATE, *stored), ask(method="HEAD"), rules_of(Policy(**settings))
    )
    assert verdict_said(verdict) == expected


def test_a_head_updates_the_fields_and_the_freshness_of_a_get() -> None:
    record = record_of(DATE, FRESH, "X-A: 1")
    verdict = judged(got("Cache-Control: max-age=1000", "X-A: 2", at=LATER), record, ask(method="HEAD"))
    assert isinstance(verdict, Freshened)
    assert verdict.item is not None
    assert verdict.item.stale_at == LATER + 1000
    assert verdict.answer.headers == fields("Cache-Control: max-age=1000", "X-A: 2")


def test_a_reply_to_head_is_stored_for_head_where_no_get_is() -> None:
    request = ask(method="HEAD")
    assert verdict_said(judged(got(DATE, FRESH), None, request)) == "Keep 200 network stale"
    stored = record_of(DATE, FRESH, TAG, request=request, body=b"")
    assert verdict_said(judged(got(DATE, FRESH, TAG), stored, request)) == "Keep 200 network stale"


def test_a_head_whose_answer_only_the_origin_gives_is_stored_as_any() -> None:
    """What is confirmed cannot be put together for a request with If-Match: nothing is updated."""
    request = ask('If-Match: "a"', method="HEAD")
    assert verdict_said(judged(got(DATE, FRESH, TAG), record_of(DATE, FRESH, TAG), request)) == "Keep 200 network stale"


@pytest.mark.once
@given(requests, replies, policies)
def test_what_forbids_to_store_is_what_storing_finds(request: Request, reply: Received, policy: Policy) -> None:
    """A shortcut for private caches gives what the long way gives."""
    rules = rules_of(policy)
    terms = judging.Context(policy, rules.maker, rules.place, rules.sealer)
    case = judging._Case(request, Forward(request, None, Fwd.URI_MISS, ""), reply, Keys(b"", b""), (), terms)
    whole = replace(reply, status=200) if reply.status in (206, 304) else reply
    facts = read_facts(whole, authorized="authorization" in request.headers)
    found = may_store(request, whole, facts, policy, case.time().expiry)
    assert case.forbids() == (found in {Storing.NO_STORE, Storing.PRIVATE, Storing.AUTHORIZATION, Storing.VARY})
