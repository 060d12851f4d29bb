"""``judge``: errors of network and origin (RFC 5861 §4), and invalidation by unsafe requests (RFC 9111 §4.4)."""

from __future__ import annotations

from typing import Any

import pytest
from core_rows import DATE, NOW, ask, fields, got, record_of, rows, rules_of
from core_words import judged, verdict_said
from hypothesis import given
from strategies import policies, replies, requests

from sansio_cache.cache_status import CacheStatus, Fwd
from sansio_cache.decisions import (
    Answer,
    Bypass,
    Fail,
    FromNetwork,
    Keep,
    LookUp,
    Pass,
    Validate,
    Verdict,
)
from sansio_cache.messages import Headers, Options, Received, Request, Unreachable
from sansio_cache.policy import Policy
from sansio_cache.records import Item
from sansio_cache.storing import Storing

FRESH = "Cache-Control: max-age=60"
TAG = 'ETag: "a"'
LATER = NOW + 100
"""When a record with max-age=60 is stale by 40 s."""
GONE = ConnectionError("gone")


# RFC 5861 §4


@rows(
    "stored settings request_lines expected",
    ("nothing allows it", "4.2.4", [], {}, [], None),
    ("the response does", "5861-4", ["Cache-Control: stale-if-error=40"], {}, [], "stale"),
    ("not for so long", "5861-4", ["Cache-Control: stale-if-error=39"], {}, [], None),
    ("the request does", "5861-4", [], {}, ["Cache-Control: stale-if-error=40"], "stale"),
    ("not for so long, neither", "5861-4", [], {}, ["Cache-Control: stale-if-error=39"], None),
    ("unreadable is no leave", "G11", [], {}, ["Cache-Control: stale-if-error=x"], None),
    ("the user does", "settings", [], {"stale_if_error": True}, [], "stale"),
    ("the user does, for a time", "settings", [], {"stale_if_error": 40}, [], "stale"),
    ("the longest counts", "5861-4", ["Cache-Control: stale-if-error=5"], {"stale_if_error": 40}, [], "stale"),
    (
        "even when asked to validate",
        "disputed",
        ["Cache-Control: stale-if-error=40"],
        {},
        ["Cache-Control: no-cache"],
        "stale",
    ),
    (
        "must-revalidate forbids",
        "5.2.2.2",
        ["Cache-Control: must-revalidate, stale-if-error=99"],
        {"stale_if_error": True},
        ["Cache-Control: stale-if-error=99"],
        None,
    ),
    ("no-cache forbids", "5.2.2.4", ["Cache-Control: no-cache, stale-if-error=99"], {"stale_if_error": True}, [], None),
    (
        "s-maxage forbids, in a shared cache",
        "5.2.2.10",
        ["Cache-Control: s-maxage=5"],
        {"stale_if_error": True, "shared": True},
        [],
        None,
    ),
    ("but not in a private one", "5.2.2.10", ["Cache-Control: s-maxage=5"], {"stale_if_error": True}, [], "stale"),
    (
        "a shared cache's own window",
        "9213-2.2",
        ["CDN-Cache-Control: max-age=60, stale-if-error=40"],
        {"shared": True},
        [],
        "stale",
    ),
)
def test_a_stale_response_stands_in_for_an_error(
    stored: list[str], settings: dict[str, Any], request_lines: list[str], expected: str | None
) -> None:
    """G27: for a lost connection, and for 500, 502, 503 and 504."""
    rules = rules_of(Policy(**settings))
    for tag in ([TAG], []):
        record = record_of(DATE, FRESH, *stored, *tag, rules=rules)
        request = ask(*request_lines)
        lost = verdict_said(judged(Unreachable(GONE, LATER), record, request, rules))
        assert lost == ("Pass 200 stored stale-if-error" if expected else "Fail ConnectionError")
        for status in (500, 502, 503, 504):
            answer = verdict_said(judged(got(status=status, at=LATER), record, request, rules))
            assert answer == ("Pass 200 stored stale-if-error" if expected else f"Pass {status} network stale")
        assert verdict_said(judged(got(status=501, at=LATER), record, request, rules)) == "Pass 501 network stale"


def test_what_stands_in_is_visibly_stale() -> None:
    """RFC 5861 §4: it SHOULD have its Age."""
    verdict = judged(Unreachable(GONE, LATER), record_of(DATE, FRESH, TAG), rules=rules_of(Policy(stale_if_error=True)))
    assert isinstance(verdict, Pass)
    assert verdict.answer.headers.get("age") == "100"
    assert verdict.answer.cache_status == CacheStatus(hit=True, ttl=-40.0, detail="stale-if-error")
    assert verdict.answer.expires == NOW + 60


def test_what_has_unknown_age_stands_in_without_end_only() -> None:
    """One from our future."""
    record = record_of(DATE, FRESH, TAG, at=LATER + 61)
    for settings, expected in (({"stale_if_error": 1e9}, Fail), ({"stale_if_error": True}, Pass)):
        verdict = judged(Unreachable(GONE, LATER), record, rules=rules_of(Policy(**settings)))
        assert isinstance(verdict, expected)
    assert isinstance(verdict, Pass)
    assert verdict.answer.expires == LATER


def test_the_preferred_one_stands_in_though_another_is_asked_about() -> None:
    """Of one without a validator, and an older one of another variant that has one."""
    rules = rules_of(Policy(stale_if_error=True))
    newest, older = (record_of(DATE, FRESH, *lines, rules=rules) for lines in (["Vary: A"], ["Vary: B", TAG]))
    choice = Validate(ask(), older, [newest, older], Fwd.STALE, "stale")
    verdict = rules.judge(ask(), choice, got(status=503, at=LATER), rules.maker.keys(ask()))
    assert isinstance(verdict, Pass)
    assert verdict.answer.record is newest


def test_nothing_stored_cannot_stand_in() -> None:
    rules = rules_of(Policy(stale_if_error=True))
    assert verdict_said(judged(Unreachable(GONE, LATER), None, rules=rules)) == "Fail ConnectionError"
    assert verdict_said(judged(got(status=503), None, rules=rules)) == "Pass 503 network status"


def test_what_only_the_origin_may_answer_is_not_stood_in_for() -> None:
    rules = rules_of(Policy(stale_if_error=True))
    record = record_of(DATE, FRESH, TAG)
    assert verdict_said(judged(Unreachable(GONE, LATER), record, ask('If-Match: "a"'), rules)) == "Fail ConnectionError"


# §4.4


def passed(reply: Received | Unreachable, policy: Policy | None = None, method: str = "POST") -> Verdict:
    return rules_of(policy).judge_bypass(ask(method=method), reply, Bypass(Fwd.METHOD, "method"))


def test_an_unsafe_request_invalidates_its_resource_and_what_it_locates() -> None:
    rules = rules_of()
    verdict = passed(got("Location: /b", "Content-Location: https://other.org/"))
    assert isinstance(verdict, Pass)
    urls = [ask().url, "https://example.org/b"]
    assert verdict.invalidates == [rules.maker.resource(ask(url=url)) for url in urls]
    assert verdict.answer == Answer(
        200,
        "OK",
        fields("Location: /b", "Content-Location: https://other.org/"),
        FromNetwork(),
        CacheStatus(fwd=Fwd.METHOD, fwd_status=200, detail="method"),
    )


@rows(
    "reply policy method expected",
    ("success", "4.4", got(), None, "POST", 1),
    ("failure", "4.4", got(status=500), None, "POST", 0),
    ("a safe method", "4.4", got(), None, "OPTIONS", 0),
    ("of a reader", "settings", got(), Policy(read_only=True), "POST", 0),
    ("a method that was opted in", "settings", got(), Policy(allowed_methods=["POST"]), "POST", 0),
)
def test_what_passes_the_cache_by_invalidates(
    reply: Received, policy: Policy | None, method: str, expected: int
) -> None:
    verdict = passed(reply, policy, method)
    assert isinstance(verdict, Pass)
    assert len(verdict.invalidates) == expected


def test_the_network_may_fail_what_passes_by() -> None:
    assert passed(Unreachable(GONE, NOW)) == Fail(GONE)


@pytest.mark.once
@given(requests, replies, policies, replies)
def test_any_reply_is_judged(request: Request, stored: Received, policy: Policy, reply: Received) -> None:
    """G18: no head raises out of the core, whatever is stored; what is kept can be sealed."""
    rules = rules_of(policy)
    plan = rules.plan(request)
    if isinstance(plan, Bypass):
        assert isinstance(rules.judge_bypass(request, reply, plan), Pass)
        return
    if not isinstance(plan, LookUp):
        return
    plain = Request("GET", request.url, Headers(), options=Options())
    lines = [f"{name}: {value}" for name, value in stored.headers]
    record = record_of(*lines, status=stored.status, request=plain, rules=rules)
    for candidate in (None, record):
        verdict = judged(reply, candidate, request, rules)
        assert verdict_said(verdict)
        if isinstance(verdict, Keep) and verdict.answer.keeping is not None:
            assert isinstance(verdict.answer.keeping.finish(b"", b"", 0, b""), Item | Storing)
