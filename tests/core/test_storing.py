"""Storing: RFC 9111 §3, and what the settings add to it."""

from __future__ import annotations

from typing import Any

import pytest
from core_rows import DATE, NOW, ask, facts_of, fields, got, record_of, rows, rules_of
from hypothesis import given
from strategies import policies, replies, requests

from sansio_cache.cache_control import parse_cache_control
from sansio_cache.dates import format_date
from sansio_cache.expiry import DO_NOT_CACHE, Expiry, Resident
from sansio_cache.freshness import Flags, read_facts
from sansio_cache.messages import Received, Request
from sansio_cache.policy import Policy
from sansio_cache.storing import Storing, dated_headers, may_keep, may_store, storable_headers

FRESH = "Cache-Control: max-age=60"
NO_STORE = "Cache-Control: no-store"
PRIVATE = "Cache-Control: private"
UNDERSTAND = "Cache-Control: must-understand"
FRESH_TO_SHARED = "CDN-Cache-Control: max-age=60"
NO_STORE_TO_SHARED = "CDN-Cache-Control: no-store"
CODED = "Content-Encoding: br"
MODIFIED = "Last-Modified: " + format_date(NOW - 86_400)
SHARED = {"shared": True}
TTL_ONLY = {"cache_control": False}
KEEP = Storing.KEEP
TOO_LARGE = Storing.TOO_LARGE


@rows(
    "lines status settings expected",
    ("max-age", "3", [FRESH], 200, {}, KEEP),
    ("Expires", "3", ["Expires: 0"], 200, {}, KEEP),
    ("Expires, for any final code", "3", ["Expires: 0"], 599, {}, KEEP),
    ("max-age, for a code of no freshness", "3", [FRESH], 201, {}, KEEP),
    ("max-age, for a redirect", "3", [FRESH], 302, {}, KEEP),
    ("max-age, for an error", "3", [FRESH], 500, {}, KEEP),
    ("s-maxage, in a shared cache", "3", ["Cache-Control: s-maxage=60"], 200, SHARED, KEEP),
    ("s-maxage, in a private one", "3", ["Cache-Control: s-maxage=60"], 200, {}, Storing.NO_FRESHNESS),
    ("a validator, for a code cacheable by it", "3", [MODIFIED], 200, {}, KEEP),
    ("a validator, for another", "3", [MODIFIED], 302, {}, Storing.STATUS),
    ("a validator and public", "3", [MODIFIED, "Cache-Control: public"], 599, {}, KEEP),
    ("a validator and private", "3", [MODIFIED, PRIVATE], 599, {}, KEEP),
    (
        "a validator and private, in a shared one",
        "5.2.2.7",
        [MODIFIED, PRIVATE],
        200,
        SHARED,
        Storing.PRIVATE,
    ),
    ("neither freshness nor validator", "3", [], 200, {}, Storing.NO_FRESHNESS),
    ("neither, and a heuristic for all", "4.2.2", [], 200, {"heuristic": 60}, KEEP),
    ("neither, and no heuristic", "4.2.2", [], 200, {"heuristic": None}, Storing.NO_FRESHNESS),
    ("a validator and no heuristic", "4.3", ['ETag: "a"'], 200, {"heuristic": None}, KEEP),
    ("no final code", "3", [FRESH], 199, {}, Storing.STATUS),
    ("206", "3.3", [FRESH], 206, {}, Storing.STATUS),
    ("304", "3", [FRESH], 304, {}, Storing.STATUS),
    ("412", "G14", [FRESH], 412, {}, Storing.STATUS),
    ("416", "G14", [FRESH], 416, {}, Storing.STATUS),
    ("206, even if allowed", "3.3", [FRESH], 206, {"allowed_codes": [206]}, Storing.STATUS),
    ("a code that is not allowed", "settings", [FRESH], 404, {"allowed_codes": [200]}, Storing.STATUS),
    ("a code that is allowed", "settings", [FRESH], 404, {"allowed_codes": [404]}, KEEP),
    ("no-store", "5.2.2.5", [FRESH, NO_STORE], 200, {}, Storing.NO_STORE),
    ("no-store in any spelling", "G11", [FRESH, "Cache-Control: No-Store=x"], 200, {}, Storing.NO_STORE),
    ("no-store to all, in a shared one", "5.2.2.5", [FRESH, NO_STORE], 200, SHARED, Storing.NO_STORE),
    ("no-store to others", "9213-3.1", [NO_STORE, FRESH_TO_SHARED], 200, SHARED, KEEP),
    (
        "no-store to others, in a private one",
        "9213-2.2",
        [NO_STORE, FRESH_TO_SHARED],
        200,
        {},
        Storing.NO_STORE,
    ),
    ("no-store to shared ones", "9213-2.2", [FRESH, NO_STORE_TO_SHARED], 200, SHARED, Storing.NO_STORE),
    ("no-store to shared ones, in a private one", "9213-2.2", [FRESH, NO_STORE_TO_SHARED], 200, {}, KEEP),
    ("must-understand, understood", "5.2.2.3", [FRESH, "Cache-Control: no-store, must-understand"], 200, {}, KEEP),
    (
        "must-understand, not understood",
        "5.2.2.3",
        [FRESH, UNDERSTAND],
        599,
        {},
        Storing.NO_STORE,
    ),
    (
        "must-understand to others only",
        "9213-2.2",
        [FRESH, UNDERSTAND, NO_STORE_TO_SHARED],
        200,
        SHARED,
        Storing.NO_STORE,
    ),
    ("private, in a private one", "5.2.2.7", [FRESH, PRIVATE], 200, {}, KEEP),
    ("private, in a shared one", "5.2.2.7", [FRESH, PRIVATE], 200, SHARED, Storing.PRIVATE),
    ("private with an empty list", "G11", [FRESH, 'Cache-Control: private=""'], 200, SHARED, Storing.PRIVATE),
    ("private fields, in a shared one", "5.2.2.7", [FRESH, 'Cache-Control: private="a"'], 200, SHARED, KEEP),
    ("no-cache", "5.2.2.4", [FRESH, "Cache-Control: no-cache"], 200, {}, KEEP),
    ("a plain TTL cache: no-store", "cache_control", [FRESH, NO_STORE], 200, TTL_ONLY, KEEP),
    (
        "a plain TTL cache: private",
        "cache_control",
        [FRESH, PRIVATE],
        200,
        {**TTL_ONLY, **SHARED},
        KEEP,
    ),
    ("a plain TTL cache: nothing said", "cache_control", [], 200, TTL_ONLY, KEEP),
    ("a plain TTL cache: a redirect", "cache_control", [], 302, TTL_ONLY, KEEP),
    ("a plain TTL cache: an error", "cache_control", [], 500, TTL_ONLY, Storing.STATUS),
    ("a plain TTL cache: an error allowed", "cache_control", [], 500, {**TTL_ONLY, "allowed_codes": [500]}, KEEP),
    ("a plain TTL cache: 206", "G14", [], 206, TTL_ONLY, Storing.STATUS),
)
def test_a_response_is_stored_or_not(
    lines: list[str], status: int, settings: dict[str, Any], expected: Storing
) -> None:
    policy = Policy(**settings)
    assert may_keep("GET", status, facts_of(DATE, *lines), policy, policy.expiry) is expected


@rows(
    "lines status expiry expected",
    ("nothing said", "precedence", [], 200, Resident(60.0), KEEP),
    ("a redirect", "precedence", [], 307, Resident(60.0), KEEP),
    ("an error", "precedence", [], 503, Resident(60.0), Storing.STATUS),
    ("no-store stays", "precedence", [NO_STORE], 200, Resident(60.0), Storing.NO_STORE),
    ("no-cache gives way", "precedence", ["Cache-Control: no-cache"], 200, Resident(60.0), KEEP),
    ("DO_NOT_CACHE", "precedence", [FRESH], 200, DO_NOT_CACHE, Storing.DO_NOT_CACHE),
)
def test_the_users_own_time_stores_what_says_nothing(
    lines: list[str], status: int, expiry: Expiry, expected: Storing
) -> None:
    assert may_keep("GET", status, facts_of(DATE, *lines), Policy(), expiry) is expected


@rows(
    "directive expected",
    ("none", "3.5", "max-age=60", Storing.AUTHORIZATION),
    ("public", "3.5", "max-age=60, public", KEEP),
    ("must-revalidate", "3.5", "max-age=60, must-revalidate", KEEP),
    ("s-maxage", "3.5", "s-maxage=60", KEEP),
    ("s-maxage unreadable", "G11", "s-maxage=x", Storing.AUTHORIZATION),
    ("proxy-revalidate is none of them", "3.5", "max-age=60, proxy-revalidate", Storing.AUTHORIZATION),
    ("private forbids", "5.2.2.7", "max-age=60, public, private", Storing.PRIVATE),
)
def test_a_shared_cache_needs_leave_to_store_what_was_asked_with_credentials(directive: str, expected: Storing) -> None:
    facts = facts_of(DATE, f"Cache-Control: {directive}", authorized=True)
    assert may_keep("GET", 200, facts, Policy(shared=True), None) is expected
    assert may_keep("GET", 200, facts_of(DATE, FRESH, authorized=True), Policy(), None) is KEEP


@rows(
    "request_ reply settings expected",
    ("a plain response", "3", ask(), got(DATE, FRESH), {}, KEEP),
    ("HEAD", "3", ask(method="HEAD"), got(DATE, FRESH), {}, KEEP),
    ("another method", "3", ask(method="POST"), got(DATE, FRESH), {}, Storing.METHOD),
    ("one that was opted in", "settings", ask(method="POST"), got(DATE, FRESH), {"allowed_methods": ["POST"]}, KEEP),
    ("a reader", "settings", ask(), got(DATE, FRESH), {"read_only": True}, Storing.READ_ONLY),
    ("a request that forbids it", "5.2.1.5", ask(NO_STORE), got(FRESH), {}, Storing.REQUEST_NO_STORE),
    (
        "also of a plain TTL cache",
        "5.2.1.5",
        ask(NO_STORE),
        got(FRESH),
        TTL_ONLY,
        Storing.REQUEST_NO_STORE,
    ),
    ("Vary: *", "4.1", ask(), got(FRESH, "Vary: Accept, *"), {}, Storing.VARY),
    ("Vary: * in a plain TTL cache", "G12", ask(), got(FRESH, "Vary: *"), TTL_ONLY, Storing.VARY),
    ("more fields of the hop than are read", "G31", ask(), got(FRESH, "Connection: " + "a," * 1000), {}, TOO_LARGE),
    ("in a plain TTL cache, too", "G31", ask(), got("Connection: " + "a," * 1000), TTL_ONLY, TOO_LARGE),
    ("more fields than are kept", "G31", ask(), got(FRESH, *(f"A{n}: b" for n in range(1000))), {}, TOO_LARGE),
    ("more codings than are read", "G31", ask(), got(FRESH, "Content-Encoding: gzip" + ", gzip" * 1000), {}, TOO_LARGE),
    ("more lengths than are read", "G31", ask(), got(FRESH, "Content-Length: 5" + ", 5" * 1000), {}, TOO_LARGE),
    ("more directives than are read", "G31", ask(), got(FRESH + ", a" * 1000), {}, Storing.NO_STORE),
    ("more fields in Vary than are read", "G31", ask(), got(FRESH, "Vary: a" + ", a" * 1000), {}, Storing.VARY),
    ("more of the request's directives", "G31", ask(FRESH + ", a" * 1000), got(FRESH), {}, Storing.REQUEST_NO_STORE),
)
def test_the_response_to_a_request_is_stored_or_not(
    request_: Request, reply: Received, settings: dict[str, Any], expected: Storing
) -> None:
    policy = Policy(**settings)
    assert may_store(request_, reply, read_facts(reply, authorized=False), policy, policy.expiry) is expected


X_AB = ["x-a", "x-b"]
STORED = ("Content-Type: a", "X-A: 1", "X-B: 2", "X-C: 3")


@rows(
    "lines gone settings",
    ("nothing", "3.1", [], [], {}),
    ("Connection and what it names", "3.1", ["Connection: close, X-A ,x-b"], ["connection", "x-a", "x-b"], {}),
    ("on several lines", "3.1", ["Connection: x-a", "Connection: x-b"], ["connection", "x-a", "x-b"], {}),
    ("Keep-Alive", "9110-7.6.1", ["Keep-Alive: x"], ["keep-alive"], {}),
    ("Proxy-Authenticate", "3.1", ["Proxy-Authenticate: x"], ["proxy-authenticate"], {}),
    ("Proxy-Authentication-Info", "3.1", ["Proxy-Authentication-Info: x"], ["proxy-authentication-info"], {}),
    ("Proxy-Authorization", "3.1", ["Proxy-Authorization: x"], ["proxy-authorization"], {}),
    ("Proxy-Connection", "9110-7.6.1", ["Proxy-Connection: x"], ["proxy-connection"], {}),
    ("TE", "9110-7.6.1", ["TE: x"], ["te"], {}),
    ("Trailer", "9110-7.6.1", ["Trailer: x"], ["trailer"], {}),
    ("Transfer-Encoding", "9110-7.6.1", ["Transfer-Encoding: x"], ["transfer-encoding"], {}),
    ("Upgrade", "9110-7.6.1", ["Upgrade: x"], ["upgrade"], {}),
    ("Age, which is read into the facts", "4", ["Age: 5"], ["age"], {}),
    ("cookies", "G13", ["Set-Cookie: a=b", "Set-Cookie: c=d"], ["set-cookie"], {}),
    ("what no-cache names", "5.2.2.4", ['Cache-Control: no-cache="x-a, X-B"'], ["x-a", "x-b"], {}),
    ("in a plain TTL cache, too", "5.2.2.4", ['Cache-Control: no-cache="x-a"'], ["x-a"], TTL_ONLY),
    ("what private names, in a shared cache", "5.2.2.7", ['Cache-Control: private="x-a"'], ["x-a"], SHARED),
    ("but not in a private one", "5.2.2.7", ['Cache-Control: private="x-a"'], [], {}),
    (
        "what a field for it names",
        "9213-2.2",
        ['CDN-Cache-Control: private="x-a", no-cache="x-b"'],
        ["x-a", "x-b"],
        SHARED,
    ),
    ("both", "9213-2.2", ['CDN-Cache-Control: no-cache="x-a"', 'Cache-Control: private="x-b"'], ["x-a", "x-b"], SHARED),
    (
        "never the coding, without which nobody can read it",
        "8.4",
        ["Connection: content-encoding", "Content-Encoding: br"],
        ["connection"],
        {},
    ),
)
def test_fields_are_stored_but_for(lines: list[str], gone: list[str], settings: dict[str, Any]) -> None:
    headers = fields(*STORED, *lines)
    stored = storable_headers(headers, Policy(**settings))
    assert list(stored) == [item for item in headers if item[0].lower() not in gone]


def test_what_came_without_date_gets_the_time_of_its_receipt() -> None:
    """RFC 9110 §6.6.1: "a recipient with a clock … MUST … append a corresponding Date header field"."""
    assert dated_headers(fields("A: 1"), NOW + 0.9) == fields("A: 1", DATE)
    for stated in (DATE, "Date: junk"):
        headers = fields(stated)
        assert dated_headers(headers, NOW) is headers


def test_cookies_are_kept_where_the_user_says_so_and_shown_in_no_answer() -> None:
    """G13; never in a shared cache."""
    kept = storable_headers(fields("A: 1", "Set-Cookie: a=1"), Policy(keep_set_cookie=True))
    assert kept.lines("set-cookie") == ["a=1"]
    shared = Policy(keep_set_cookie=True, shared=True)
    assert "set-cookie" not in storable_headers(fields("Set-Cookie: a=1"), shared)
    record = record_of("Set-Cookie: a=1", rules=rules_of(Policy(keep_set_cookie=True)))
    assert record.headers.has("set-cookie")
    assert all(name.lower() != "set-cookie" for name, _ in record.shown)


def test_an_unknown_field_is_stored() -> None:
    """RFC 9111 §3.1: "Caches MUST include all received response header fields — including unrecognized ones"."""
    assert storable_headers(fields("X-New: 1", "x-new: \xff", "Set-Cookie2: a"), Policy()) == fields(
        "X-New: 1", "x-new: \xff", "Set-Cookie2: a"
    )


@given(requests, replies, policies)
def test_nothing_is_stored_against_a_prohibition(request: Request, reply: Received, policy: Policy) -> None:
    """RFC 9111 §3, whatever else is said and set."""
    facts = read_facts(reply, authorized="authorization" in request.headers)
    if may_store(request, reply, facts, policy, policy.expiry_for(request)) is not KEEP:
        return
    flags = facts.terms(policy).flags
    assert request.method in policy.methods
    assert not policy.read_only
    assert not parse_cache_control(request.headers.lines("cache-control")).no_store
    assert not policy.cache_control or not flags & Flags.NO_STORE or flags & Flags.MUST_UNDERSTAND
    assert not policy.cache_control or not policy.shared or not flags & Flags.PRIVATE
    assert "*" not in (reply.headers.get("vary") or "")
    assert reply.status not in (206, 304, 412, 416)


@pytest.mark.parametrize("reason", Storing)
def test_every_reason_is_a_word_for_people(reason: Storing) -> None:
    assert reason.value == reason.value.lower()
    assert " " not in reason.value
