"""``choose``: RFC 9111 §4, §4.2.4 and §5.2.1, RFC 5861 §3, RFC 8246."""

from __future__ import annotations

from typing import Any

from core_rows import DATE, NOW, ask, record_of, rows
from core_words import choice_said, chosen

from sansio_cache.choosing import choose, prohibits_stale, request_directives
from sansio_cache.messages import Options
from sansio_cache.policy import Policy

FRESH = "Cache-Control: max-age=60"
TAG = 'ETag: "a"'
LENGTH = "Content-Length: 10"
SHARED = {"shared": True}
LATER = NOW + 100
"""When a record with max-age=60 is stale by 40 s."""


# §5.2.1, read


@rows(
    "lines expected",
    ("none", "5.2.1", [], False),
    ("no-cache", "5.2.1.4", ["Cache-Control: no-cache"], True),
    ("Pragma", "5.4", ["Pragma: No-Cache"], True),
    ("another Pragma", "5.4", ["Pragma: foo"], False),
    ("Pragma beside Cache-Control", "5.4", ["Pragma: no-cache", "Cache-Control: foo"], False),
)
def test_a_request_wants_validation(lines: list[str], expected: bool) -> None:
    assert request_directives(ask(*lines)).no_cache is expected


# §4


@rows(
    "lines now expected",
    ("fresh", "4.2", [FRESH], NOW + 59, "Reuse"),
    ("stale at the very end", "4.2", [FRESH], NOW + 60, "Forward stale stale"),
    ("stale, to be validated", "4.3", [FRESH, TAG], LATER, "Validate stale stale"),
    ("Age beyond max-age", "4.2", ["Cache-Control: max-age=3600", "Age: 7200"], NOW, "Forward stale stale"),
    ("Age unreadable", "5.1", ["Cache-Control: max-age=3600", "Age: x"], NOW, "Reuse"),
    ("no-cache, though fresh", "5.2.2.4", [FRESH, TAG, "Cache-Control: no-cache"], NOW, "Validate stale no-cache"),
    ("no-cache and nothing to ask by", "5.2.2.4", [FRESH, "Cache-Control: no-cache"], NOW, "Forward stale no-cache"),
    ("no-cache for fields only", "5.2.2.4", [FRESH, 'Cache-Control: no-cache="a"'], NOW, "Reuse"),
    ("must-revalidate, fresh", "5.2.2.2", [FRESH, "Cache-Control: must-revalidate"], NOW, "Reuse"),
    ("from our future", "G25", [FRESH], NOW - 61, "Forward stale stale"),
    ("from a clock a little ahead", "G25", [FRESH], NOW - 60, "Reuse"),
)
def test_a_stored_response_is_reused_or_not(lines: list[str], now: float, expected: str) -> None:
    assert chosen(lines, now=now) == expected


def test_nothing_stored_is_a_miss() -> None:
    assert choice_said(choose(ask(), [], NOW, Policy())) == "Forward miss"


# §5.2.1


@rows(
    "directive lines now expected",
    ("no-cache", "5.2.1.4", "no-cache", [FRESH, TAG], NOW, "Validate request request-no-cache"),
    ("no-cache in any form", "5.2.1.4", 'no-cache="a"', [FRESH, TAG], NOW, "Validate request request-no-cache"),
    ("no-cache of what is stale", "5.2.1.4", "no-cache", [FRESH, TAG], LATER, "Validate stale request-no-cache"),
    ("max-age=0", "5.2.1.1", "max-age=0", [FRESH, TAG], NOW + 1, "Validate request request-max-age"),
    ("max-age=0 of what has just come", "5.2.1.1", "max-age=0", [FRESH, TAG], NOW, "Reuse"),
    ("max-age below Age", "5.2.1.1", "max-age=20", [FRESH, TAG, "Age: 30"], NOW, "Validate request request-max-age"),
    ("max-age above Age", "5.2.1.1", "max-age=40", [FRESH, TAG, "Age: 30"], NOW, "Reuse"),
    ("max-age unreadable", "G11", "max-age=x", [FRESH, TAG], NOW, "Validate request request-max-age"),
    (
        "max-age wants nothing stale",
        "5.2.1.1",
        "max-age=1000",
        [FRESH, TAG, "Cache-Control: stale-while-revalidate=99"],
        LATER,
        "Validate stale stale",
    ),
    ("max-age and max-stale", "5.2.1.1", "max-age=1000, max-stale", [FRESH, TAG], LATER, "Reuse stale-allowed"),
    (
        "min-fresh above what is left",
        "5.2.1.3",
        "min-fresh=61",
        [FRESH, TAG],
        NOW,
        "Validate request request-min-fresh",
    ),
    ("min-fresh below it", "5.2.1.3", "min-fresh=60", [FRESH, TAG], NOW, "Reuse"),
    (
        "min-fresh less Age",
        "5.2.1.3",
        "min-fresh=31",
        [FRESH, TAG, "Age: 30"],
        NOW,
        "Validate request request-min-fresh",
    ),
    ("min-fresh unreadable", "G11", "min-fresh=x", [FRESH, TAG], NOW, "Validate request request-min-fresh"),
    ("max-stale of any age", "5.2.1.2", "max-stale", [FRESH, TAG], LATER, "Reuse stale-allowed"),
    ("max-stale above staleness", "5.2.1.2", "max-stale=40", [FRESH, TAG], LATER, "Reuse stale-allowed"),
    ("max-stale below it", "5.2.1.2", "max-stale=39", [FRESH, TAG], LATER, "Validate stale stale"),
    ("max-stale unreadable", "G11", "max-stale=x", [FRESH, TAG], LATER, "Validate stale stale"),
    ("max-stale of unknown age", "G25", "max-stale", [FRESH, TAG], NOW - 61, "Validate stale stale"),
    ("only-if-cached, fresh", "5.2.1.7", "only-if-cached", [FRESH], NOW, "Reuse"),
    ("only-if-cached, stale", "5.2.1.7", "only-if-cached", [FRESH, TAG], LATER, "Refuse 504"),
    ("only-if-cached, stale allowed", "5.2.1.7", "only-if-cached, max-stale", [FRESH], LATER, "Reuse stale-allowed"),
    (
        "only-if-cached, to be validated meanwhile",
        "5.2.1.7",
        "only-if-cached",
        [FRESH, "Cache-Control: stale-while-revalidate=99"],
        LATER,
        "Refuse 504",
    ),
    ("directives nobody knows", "5.2.3", "nothing-to-see-here", [FRESH], NOW, "Reuse"),
)
def test_a_request_directive_is_heeded(directive: str, lines: list[str], now: float, expected: str) -> None:
    assert chosen(lines, ask(f"Cache-Control: {directive}"), now=now) == expected
    # "cache_control=False ignores freshness, no-cache, no-store and private of the response and nothing else"
    if directive.startswith(("no-cache", "max-age=20")):
        assert chosen(lines, ask(f"Cache-Control: {directive}"), {"cache_control": False}, now=now).startswith(
            "Validate"
        )


def test_only_if_cached_and_nothing_stored_is_504() -> None:
    assert choice_said(choose(ask("Cache-Control: only-if-cached"), [], NOW, Policy())) == "Refuse 504"
    assert choice_said(choose(ask(options=Options(only_if_cached=True)), [], NOW, Policy())) == "Refuse 504"


# §4.2.4: prohibitions


@rows(
    "lines settings expected",
    ("nothing", "4.2.4", [], {}, False),
    ("no-cache", "4.2.4", ["Cache-Control: no-cache"], {}, True),
    ("must-revalidate", "4.2.4", ["Cache-Control: must-revalidate"], {}, True),
    ("proxy-revalidate, in a private cache", "5.2.2.8", ["Cache-Control: proxy-revalidate"], {}, False),
    ("proxy-revalidate, in a shared one", "5.2.2.8", ["Cache-Control: proxy-revalidate"], SHARED, True),
    ("s-maxage, in a private cache", "5.2.2.10", ["Cache-Control: s-maxage=5"], {}, False),
    ("s-maxage, in a shared one", "5.2.2.10", ["Cache-Control: s-maxage=5"], SHARED, True),
    ("s-maxage unreadable", "G11", ["Cache-Control: s-maxage=x"], SHARED, True),
    ("a word to shared caches", "9213-2.2", ["CDN-Cache-Control: must-revalidate"], SHARED, True),
    ("a word to others", "9213-2.2", ["Cache-Control: must-revalidate", "CDN-Cache-Control: max-age=5"], SHARED, False),
    ("the user's own time", "precedence", ["Cache-Control: must-revalidate"], {"expire_after": 60}, False),
    ("a plain TTL cache", "cache_control", ["Cache-Control: must-revalidate"], {"cache_control": False}, False),
)
def test_a_response_prohibits_to_be_used_stale(lines: list[str], settings: dict[str, Any], expected: bool) -> None:
    policy = Policy(**settings)
    assert prohibits_stale(record_of(DATE, *lines), policy, policy.expiry) is expected
    stale = [FRESH, TAG, *lines]
    answer = chosen(stale, ask("Cache-Control: max-stale"), {**settings, "stale_while_revalidate": True}, now=NOW + 1e6)
    if expected:
        assert answer.startswith("Validate")


# RFC 5861


@rows(
    "lines settings now expected",
    (
        "within the window",
        "5861-3",
        ["Cache-Control: stale-while-revalidate=40"],
        {},
        LATER,
        "ReuseStale stale-while-revalidate",
    ),
    ("after it", "5861-3", ["Cache-Control: stale-while-revalidate=39"], {}, LATER, "Validate stale stale"),
    ("the user's window", "settings", [], {"stale_while_revalidate": 40}, LATER, "ReuseStale stale-while-revalidate"),
    (
        "the longer of both",
        "settings",
        ["Cache-Control: stale-while-revalidate=5"],
        {"stale_while_revalidate": 40},
        LATER,
        "ReuseStale stale-while-revalidate",
    ),
    ("always", "settings", [], {"stale_while_revalidate": True}, NOW + 1e9, "ReuseStale stale-while-revalidate"),
    (
        "never against a prohibition",
        "4.2.4",
        ["Cache-Control: must-revalidate, stale-while-revalidate=99"],
        {"stale_while_revalidate": True},
        LATER,
        "Validate stale stale",
    ),
    (
        "the response's, in a plain TTL cache",
        "cache_control",
        ["Cache-Control: stale-while-revalidate=99"],
        {"cache_control": False, "expire_after": 60},
        LATER,
        "Validate stale stale",
    ),
    (
        "the response's, against the user's time",
        "precedence",
        ["Cache-Control: stale-while-revalidate=99"],
        {"expire_after": 60},
        LATER,
        "Validate stale stale",
    ),
)
def test_a_stale_response_is_used_while_it_is_validated(
    lines: list[str], settings: dict[str, Any], now: float, expected: str
) -> None:
    assert chosen([FRESH, TAG, *lines], settings=settings, now=now) == expected


# RFC 8246

IMMUTABLE = "Cache-Control: immutable"


@rows(
    "url lines directive now expected",
    ("a reload is not sent", "8246-2", "https://x/", [IMMUTABLE, LENGTH], "max-age=0", NOW + 5, "Reuse"),
    ("whatever the scheme's case", "8246-2", "HTTPS://x/", [IMMUTABLE, LENGTH], "max-age=0", NOW + 5, "Reuse"),
    (
        "a forced one is",
        "8246-2.1",
        "https://x/",
        [IMMUTABLE, LENGTH],
        "no-cache",
        NOW + 5,
        "Validate request request-no-cache",
    ),
    (
        "stale is validated as ever",
        "8246-2",
        "https://x/",
        [IMMUTABLE, LENGTH],
        "max-age=0",
        LATER,
        "Validate stale request-max-age",
    ),
    (
        "not believed without TLS",
        "8246-3",
        "http://x/",
        [IMMUTABLE, LENGTH],
        "max-age=0",
        NOW + 5,
        "Validate request request-max-age",
    ),
    (
        "not believed without a length",
        "8246-3",
        "https://x/",
        [IMMUTABLE],
        "max-age=0",
        NOW + 5,
        "Validate request request-max-age",
    ),
    (
        "in a request it means nothing",
        "8246-2",
        "https://x/",
        [LENGTH],
        "max-age=0, immutable",
        NOW + 5,
        "Validate request request-max-age",
    ),
    (
        "min-fresh holds",
        "8246-2",
        "https://x/",
        [IMMUTABLE, LENGTH],
        "max-age=0, min-fresh=90",
        NOW + 5,
        "Validate request request-min-fresh",
    ),
)
def test_an_immutable_response_is_not_asked_for_again(
    url: str, lines: list[str], directive: str, now: float, expected: str
) -> None:
    assert chosen([FRESH, TAG, *lines], ask(f"Cache-Control: {directive}", url=url), now=now) == expected
