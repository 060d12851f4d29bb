"""Freshness and age: RFC 9111 §4.2, and the user's own time against the response's."""

from __future__ import annotations

import math
from typing import Any

import pytest
from core_rows import DATE, NOW, facts_of, got, rows
from hypothesis import given
from hypothesis import strategies as st
from strategies import moments, policies, replies

from sansio_cache.dates import format_date
from sansio_cache.expiry import DO_NOT_CACHE, Expiry, Resident, Until
from sansio_cache.freshness import (
    Facts,
    Flags,
    current_age,
    expires_at,
    expiry_time,
    freshness_lifetime,
    read_facts,
    remaining,
    resident_time,
)
from sansio_cache.messages import Received
from sansio_cache.policy import Heuristic, Policy

HOUR = 3600.0
DAY = 86_400.0
PRIVATE, SHARED = Policy(), Policy(shared=True)
MAX_AGE_60 = "Cache-Control: max-age=60"
NO_STORE = "Cache-Control: no-store"
IMMUTABLE = "Cache-Control: immutable"
REVALIDATE = Flags.PROXY_REVALIDATE
TTL_ONLY = {"cache_control": False}
SHARED_ONLY = {"shared": True}


def at(seconds: float) -> str:
    """An HTTP-date so many seconds from now."""
    return format_date(NOW + seconds)


def expires(seconds: float) -> str:
    return f"Expires: {at(seconds)}"


def modified(seconds: float) -> str:
    return f"Last-Modified: {at(seconds)}"


# §4.2.1


@rows(
    "lines private shared",
    ("max-age", "4.2.1", [DATE, MAX_AGE_60], 60.0, 60.0),
    ("s-maxage is for shared caches", "4.2.1", [DATE, "Cache-Control: max-age=60, s-maxage=5"], 60.0, 5.0),
    ("s-maxage longer", "4.2.1", [DATE, "Cache-Control: max-age=5", "Cache-Control: s-maxage=60"], 5.0, 60.0),
    ("s-maxage against Expires", "5.3", [DATE, expires(5), "Cache-Control: s-maxage=60"], 5.0, 60.0),
    ("max-age against an earlier Expires", "5.3", [DATE, expires(-60), MAX_AGE_60], 60.0, 60.0),
    ("max-age against a later Expires", "5.3", [DATE, expires(60), "Cache-Control: max-age=0"], 0.0, 0.0),
    ("max-age against an invalid Expires", "5.3", [DATE, "Expires: 0", MAX_AGE_60], 60.0, 60.0),
    ("an unreadable max-age against Expires", "4.2.1", [DATE, expires(60), "Cache-Control: max-age=x"], 0.0, 0.0),
    ("Expires less Date", "4.2.1", [DATE, expires(60)], 60.0, 60.0),
    ("Expires less a Date in the future", "4.2.1", [f"Date: {at(40)}", expires(30)], 0.0, 0.0),
    ("Expires in the past", "4.2.1", [DATE, expires(-60)], 0.0, 0.0),
    ("Expires at Date", "4.2.1", [DATE, expires(0)], 0.0, 0.0),
    ("Expires without Date", "4.2.1", [expires(60)], 60.0, 60.0),
    ("Expires with an invalid Date", "4.2.1", ["Date: foo", expires(60)], 60.0, 60.0),
    ("Expires 0", "5.3", [DATE, "Expires: 0"], 0.0, 0.0),
    ("Expires empty", "5.3", [DATE, "Expires: "], 0.0, 0.0),
    ("Expires with another zone", "4.2", [DATE, "Expires: " + at(60).replace("GMT", "EST")], 0.0, 0.0),
    ("Expires in lower case", "4.2", [DATE, "Expires: " + at(60).lower()], 60.0, 60.0),
    ("Expires twice the same", "4.2.1", [DATE, expires(60), expires(60)], 60.0, 60.0),
    ("Expires twice", "4.2.1", [DATE, expires(60), expires(90)], 0.0, 0.0),
    ("Expires often the same", "4.2.1", [DATE, *[expires(60)] * 2000], 60.0, 60.0),
    ("in more spellings than are read", "G31", [DATE, *(expires(60) + " " * n for n in range(17))], 0.0, 0.0),
    ("a year of five digits", "G18", [DATE, "Expires: Sun, 06 Nov 99999 08:49:37 GMT"], 0.0, 0.0),
    ("a year of 9999", "G18", [DATE, "Expires: Fri, 31 Dec 9999 23:59:59 GMT"], 251_702_300_799.0, 251_702_300_799.0),
    (
        "CDN-Cache-Control is for shared caches",
        "9213-2.2",
        [DATE, MAX_AGE_60, "CDN-Cache-Control: max-age=5"],
        60.0,
        5.0,
    ),
    ("it hides Expires", "9213-2.2", [DATE, expires(60), "CDN-Cache-Control: foo"], 60.0, None),
    ("it hides s-maxage", "9213-2.2", [DATE, "Cache-Control: s-maxage=60", "CDN-Cache-Control: max-age=5"], None, 5.0),
    (
        "one that cannot be parsed hides nothing",
        "9213-2.1",
        [DATE, MAX_AGE_60, "CDN-Cache-Control: max-age=5, &"],
        60.0,
        60.0,
    ),
    ("an empty one hides nothing", "9213-2.1", [DATE, MAX_AGE_60, "CDN-Cache-Control: "], 60.0, 60.0),
    ("nothing", "4.2.1", [DATE], None, None),
)
def test_a_response_states_its_freshness(lines: list[str], private: float | None, shared: float | None) -> None:
    facts = facts_of(*lines)
    stated = [terms.lifetime if terms.flags & Flags.EXPLICIT else None for terms in (facts.private, facts.shared)]
    assert stated == [private, shared]


# §4.2.2


@rows(
    "lines status settings expected",
    ("a tenth of the time since Last-Modified", "4.2.2", [DATE, modified(-DAY)], 200, {}, DAY / 10),
    ("a week at most", "4.2.2", [DATE, modified(-DAY * 365)], 200, {}, DAY * 7),
    ("another share and cap", "4.2.2", [DATE, modified(-DAY)], 200, {"heuristic": Heuristic(0.5, HOUR)}, HOUR),
    ("a fixed time, without Last-Modified too", "4.2.2", [DATE], 200, {"heuristic": 60}, 60.0),
    ("none wanted", "4.2.2", [DATE, modified(-DAY)], 200, {"heuristic": None}, 0.0),
    ("Last-Modified in the future", "4.2.2", [DATE, modified(DAY)], 200, {}, 0.0),
    ("Last-Modified invalid", "4.2.2", [DATE, "Last-Modified: x"], 200, {}, 0.0),
    ("no Last-Modified", "4.2.2", [DATE], 200, {}, 0.0),
    ("never against an explicit time", "4.2.2", [DATE, modified(-DAY), "Expires: 0"], 200, {}, 0.0),
    ("not for a code that is not cacheable so", "4.2.2", [DATE, modified(-DAY)], 599, {}, 0.0),
    ("nor for 302", "9110-15.1", [DATE, modified(-DAY)], 302, {}, 0.0),
    ("for 404", "9110-15.1", [DATE, modified(-DAY)], 404, {}, DAY / 10),
    ("for any that is public", "5.2.2.9", [DATE, modified(-DAY), "Cache-Control: public"], 599, {}, DAY / 10),
    (
        "public to others only",
        "9213-2.2",
        [DATE, modified(-DAY), "Cache-Control: public", "CDN-Cache-Control: a"],
        599,
        {"shared": True},
        0.0,
    ),
    (
        "s-maxage is no word to a private cache",
        "4.2.2",
        [DATE, modified(-DAY), "Cache-Control: s-maxage=5"],
        200,
        {},
        DAY / 10,
    ),
)
def test_a_heuristic_is_used_where_it_may(
    lines: list[str], status: int, settings: dict[str, Any], expected: float
) -> None:
    assert freshness_lifetime(facts_of(*lines), status, Policy(**settings)) == pytest.approx(expected)


# §4.2.3


@rows(
    "lines delay expected",
    ("no Age, no delay", "4.2.3", [DATE], 0.0, 0.0),
    ("the delay counts", "4.2.3", [DATE], 5.0, 5.0),
    ("Age and the delay", "4.2.3", [DATE, "Age: 30"], 5.0, 35.0),
    ("the apparent age", "4.2.3", [f"Date: {at(-100)}", "Age: 30"], 5.0, 100.0),
    ("a Date in our future is no age", "4.2.3", [f"Date: {at(100)}", "Age: 30"], 5.0, 35.0),
    ("no Date is our time", "9110-6.6.1", ["Age: 30"], 0.0, 30.0),
    ("an invalid Date is our time", "9110-6.6.1", ["Date: x"], 0.0, 0.0),
    ("a clock set back while waiting", "4.2.3", [DATE], -5.0, 0.0),
    ("an Age beyond 2^31", "1.2.2", [DATE, "Age: 99999999999999999999"], 0.0, 2_147_483_648.0),
    ("white space around it", "5.1", [DATE, "Age:  30\t"], 0.0, 30.0),
    ("no number", "5.1", [DATE, "Age: abc"], 5.0, 5.0),
    ("negative", "5.1", [DATE, "Age: -7200"], 5.0, 5.0),
    ("a decimal", "5.1", [DATE, "Age: 7200.0"], 5.0, 5.0),
    ("empty", "5.1", [DATE, "Age: "], 5.0, 5.0),
    ("a parameter", "5.1", [DATE, "Age: 0;foo=bar"], 5.0, 5.0),
    ("a list: its first member", "5.1", [DATE, "Age: 0, 7200"], 0.0, 0.0),
    ("a list: its first member, old", "5.1", [DATE, "Age: 7200,0"], 0.0, 7200.0),
    ("a list longer than is read", "G31", [DATE, "Age: " + ", ".join(map(str, range(1001)))], 0.0, math.inf),
    ("a list of the same", "5.1", [DATE, "Age: 30, 30"], 5.0, 35.0),
    ("a list that begins with nothing", "5.1", [DATE, "Age: , 30"], 0.0, 30.0),
    ("a list that begins with junk", "5.1", [DATE, "Age: abc, 30"], 0.0, 0.0),
    ("two lines: the first", "5.1", [DATE, "Age: 7200", "Age: 0"], 0.0, 7200.0),
    ("two lines: the first, young", "5.1", [DATE, "Age: 0", "Age: 7200"], 0.0, 0.0),
    ("two lines, the first empty", "5.1", [DATE, "Age:", "Age: 30"], 0.0, 30.0),
    ("in quotes", "5.1", [DATE, 'Age: "7200"'], 0.0, 0.0),
    ("with a sign", "5.1", [DATE, "Age: +7200"], 0.0, 0.0),
    ("digits of another script", "5.1", [DATE, "Age: \u0663"], 0.0, 0.0),
    ("ignored, and the apparent age counts", "5.1", [f"Date: {at(-100)}", "Age: abc"], 5.0, 100.0),
)
def test_a_response_arrives_with_an_age(lines: list[str], delay: float, expected: float) -> None:
    assert facts_of(*lines, delay=delay).initial_age == expected


@rows(
    "now expected",
    ("at once", "4.2.3", NOW, 0.0),
    ("later", "4.2.3", NOW + 5, 5.0),
    ("another host's clock is a minute ahead", "G25", NOW - 60, 0.0),
    ("more is another time", "G25", NOW - 61, math.inf),
)
def test_resident_time_is_ours(now: float, expected: float) -> None:
    assert resident_time(NOW, now) == expected
    assert current_age(facts_of(DATE, "Age: 30"), NOW, now) == expected + 30


# What is left


@rows(
    "lines expiry settings now expected",
    ("lifetime less age", "4.2", [MAX_AGE_60, "Age: 10"], None, {}, NOW + 5, 45.0),
    ("stale", "4.2", [MAX_AGE_60], None, {}, NOW + 65, -5.0),
    ("stale at the very end", "4.2", [MAX_AGE_60], None, {}, NOW + 60, 0.0),
    ("an invalid Age is as none", "5.1", [MAX_AGE_60, "Age: x"], None, {}, NOW, 60.0),
    ("from our future", "G25", [MAX_AGE_60], None, {}, NOW - 61, -math.inf),
    (
        "the user's time, Age not counted",
        "precedence",
        ["Cache-Control: max-age=5", "Age: 10"],
        Resident(60.0),
        {},
        NOW + 5,
        55.0,
    ),
    ("the user's time, whatever Age", "precedence", ["Age: x"], Resident(60.0), {}, NOW + 5, 55.0),
    ("for ever", "precedence", ["Cache-Control: max-age=5"], Resident(math.inf), {}, NOW + 5, math.inf),
    ("for ever, but not from our future", "G25", [], Resident(math.inf), {}, NOW - 61, -math.inf),
    ("the user's moment", "precedence", ["Cache-Control: max-age=5"], Until(NOW + 60), {}, NOW + 5, 55.0),
    ("the user's moment, from our future", "G25", [], Until(NOW + 60), {}, NOW - 61, -math.inf),
    ("not at all", "precedence", [MAX_AGE_60], DO_NOT_CACHE, {}, NOW, -math.inf),
    (
        "a plain TTL cache keeps for ever",
        "cache_control",
        ["Cache-Control: max-age=0"],
        None,
        TTL_ONLY,
        NOW + 5,
        math.inf,
    ),
    ("but not from our future", "cache_control", [], None, TTL_ONLY, NOW - 61, -math.inf),
    ("or for the user's time", "cache_control", [], Resident(60.0), TTL_ONLY, NOW + 5, 55.0),
)
def test_a_response_stays_fresh_for(
    lines: list[str], expiry: Expiry | None, settings: dict[str, Any], now: float, expected: float
) -> None:
    assert remaining(facts_of(DATE, *lines), 200, NOW, now, Policy(**settings), expiry) == expected


@rows(
    "lines expected",
    ("the end of its freshness", "4.2", [MAX_AGE_60, "Age: 10"], NOW + 50),
    ("long ago", "4.2", [MAX_AGE_60, "Age: 100"], NOW - 40),
)
def test_a_response_expires_at(lines: list[str], expected: float) -> None:
    assert expires_at(facts_of(DATE, *lines), 200, NOW, PRIVATE, None) == expected


def test_never_is_infinite() -> None:
    assert expires_at(facts_of(DATE), 200, NOW, PRIVATE, Resident(math.inf)) == math.inf
    assert expiry_time(NOW, math.inf) == math.inf


# What else it says


@rows(
    "lines private shared",
    ("no-store", "5.2.2.5", ["Cache-Control: no-store"], Flags.NO_STORE, Flags.NO_STORE),
    ("no-cache", "5.2.2.4", ["Cache-Control: no-cache"], Flags.NO_CACHE, Flags.NO_CACHE),
    ("no-cache restricted to fields", "5.2.2.4", ['Cache-Control: no-cache="a"'], 0, 0),
    ("private", "5.2.2.7", ["Cache-Control: private"], Flags.PRIVATE, Flags.PRIVATE),
    ("private restricted to fields", "5.2.2.7", ['Cache-Control: private="a"'], 0, 0),
    ("public", "5.2.2.9", ["Cache-Control: public"], Flags.PUBLIC, Flags.PUBLIC),
    ("must-revalidate", "5.2.2.2", ["Cache-Control: must-revalidate"], Flags.MUST_REVALIDATE, Flags.MUST_REVALIDATE),
    ("proxy-revalidate", "5.2.2.8", ["Cache-Control: proxy-revalidate"], REVALIDATE, REVALIDATE),
    ("must-understand", "5.2.2.3", ["Cache-Control: must-understand"], Flags.MUST_UNDERSTAND, Flags.MUST_UNDERSTAND),
    ("s-maxage", "5.2.2.10", ["Cache-Control: s-maxage=0"], Flags.S_MAXAGE, Flags.S_MAXAGE | Flags.EXPLICIT),
    (
        "s-maxage unreadable prohibits, permits nothing",
        "G11",
        ["Cache-Control: s-maxage=x"],
        Flags.PROXY_REVALIDATE,
        Flags.PROXY_REVALIDATE | Flags.EXPLICIT,
    ),
    (
        "immutable, of known length",
        "8246-3",
        ["Cache-Control: immutable", "Content-Length: 5"],
        Flags.IMMUTABLE,
        Flags.IMMUTABLE,
    ),
    (
        "immutable, in chunks",
        "8246-3",
        ["Cache-Control: immutable", "Transfer-Encoding: chunked"],
        Flags.IMMUTABLE,
        Flags.IMMUTABLE,
    ),
    ("immutable, until the connection closes", "8246-3", [IMMUTABLE], 0, 0),
    ("Pragma means nothing in a response", "5.4", ["Pragma: no-cache"], 0, 0),
    (
        "one word to all, another to shared caches",
        "9213-2.2",
        ["Cache-Control: no-store", "CDN-Cache-Control: no-cache"],
        Flags.NO_STORE,
        Flags.NO_CACHE,
    ),
    (
        "must-understand to all only",
        "9213-2.2",
        ["Cache-Control: no-store, must-understand", "CDN-Cache-Control: no-store"],
        Flags.NO_STORE | Flags.MUST_UNDERSTAND,
        Flags.NO_STORE,
    ),
)
def test_a_response_says(lines: list[str], private: int, shared: int) -> None:
    facts = facts_of(DATE, *lines)
    assert (facts.terms(PRIVATE).flags, facts.terms(SHARED).flags) == (private, shared)


@rows(
    "lines while_revalidate if_error",
    ("both", "5861", ["Cache-Control: stale-while-revalidate=5, stale-if-error=6"], 5.0, 6.0),
    ("neither", "5861", [], 0.0, 0.0),
    ("unreadable is none", "5861", ["Cache-Control: stale-while-revalidate=x, stale-if-error"], 0.0, 0.0),
)
def test_a_response_gives_windows_of_staleness(lines: list[str], while_revalidate: float, if_error: float) -> None:
    terms = facts_of(*lines).private
    assert (terms.while_revalidate, terms.if_error) == (while_revalidate, if_error)


def test_the_windows_of_a_shared_cache_are_its_own() -> None:
    """RFC 9213 §2.2."""
    facts = facts_of("Cache-Control: stale-if-error=60", "CDN-Cache-Control: stale-if-error=5")
    assert (facts.private.if_error, facts.shared.if_error) == (60.0, 5.0)


@rows(
    "lines validator coded last_modified",
    ("nothing", "8.8", [], False, False, None),
    ("an ETag", "8.8.3", ['ETag: "a"'], True, False, None),
    ("a Last-Modified", "8.8.2", [modified(-5)], True, False, NOW - 5),
    ("a Last-Modified that is no date", "8.8.2", ["Last-Modified: x"], True, False, None),
    ("a coding", "8.4", ["Content-Encoding: gzip"], False, True, None),
)
def test_a_response_has(lines: list[str], validator: bool, coded: bool, last_modified: float | None) -> None:
    facts = facts_of(*lines)
    assert (facts.validator, facts.coded, facts.last_modified) == (validator, coded, last_modified)


def test_who_asked_with_credentials_is_noted() -> None:
    """RFC 9111 §3.5."""
    assert [read_facts(got(), authorized=authorized).authorized for authorized in (False, True)] == [False, True]


@given(replies, policies, moments, st.floats(0, 1e9), st.sampled_from([None, Resident(60.0), Until(NOW + 60)]))
def test_a_later_now_never_makes_stale_fresh(
    reply: Received, policy: Policy, now: float, later: float, expiry: Expiry | None
) -> None:
    facts: Facts = read_facts(reply, authorized=False)
    first, second = (
        remaining(facts, reply.status, reply.received_at, moment, policy, expiry) for moment in (now, now + later)
    )
    assert second <= first
    assert first <= 0 or math.isfinite(current_age(facts, NOW, now)) or expiry or not policy.cache_control
