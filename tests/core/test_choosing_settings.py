"""``choose``: the settings, several records, and waiting for another's fetch."""

from __future__ import annotations

from typing import Any

from core_rows import DATE, NOW, ask, record_of, rows
from core_words import chosen

from sansio_cache.choosing import choose
from sansio_cache.decisions import Forward, Refuse, Reuse, Validate
from sansio_cache.errors import NotCached
from sansio_cache.expiry import Resident
from sansio_cache.messages import Options
from sansio_cache.policy import Policy

FRESH = "Cache-Control: max-age=60"
TAG = 'ETag: "a"'
LENGTH = "Content-Length: 10"
SHARED = {"shared": True}
LATER = NOW + 100
"""When a record with max-age=60 is stale by 40 s."""


# The settings


@rows(
    "lines settings options now expected",
    ("refresh", "settings", [FRESH, TAG], {}, Options(refresh=True), NOW, "Validate request refresh"),
    ("refresh of what is stale", "settings", [FRESH, TAG], {}, Options(refresh=True), LATER, "Validate stale refresh"),
    (
        "always_revalidate",
        "settings",
        [FRESH, TAG],
        {"always_revalidate": True},
        Options(),
        NOW,
        "Validate request refresh",
    ),
    ("expire_after prolongs", "precedence", [FRESH, TAG], {"expire_after": 200}, Options(), LATER, "Reuse"),
    (
        "expire_after shortens",
        "precedence",
        [FRESH, TAG],
        {"expire_after": 5},
        Options(),
        NOW + 6,
        "Validate stale stale",
    ),
    ("EXPIRE_IMMEDIATELY", "precedence", [FRESH, TAG], {"expire_after": 0}, Options(), NOW, "Validate stale stale"),
    ("NEVER_EXPIRE", "precedence", [FRESH, TAG], {"expire_after": -1}, Options(), NOW + 1e9, "Reuse"),
    (
        "expire_after against no-cache",
        "precedence",
        [FRESH, TAG, "Cache-Control: no-cache"],
        {"expire_after": 60},
        Options(),
        NOW,
        "Reuse",
    ),
    (
        "expire_after of this request",
        "precedence",
        [FRESH, TAG],
        {"expire_after": 5},
        Options(expiry=Resident(200.0)),
        LATER,
        "Reuse",
    ),
    (
        "a plain TTL cache",
        "cache_control",
        ["Cache-Control: no-cache, max-age=0", TAG],
        {"cache_control": False},
        Options(),
        NOW + 1e9,
        "Reuse",
    ),
    (
        "a plain TTL cache with a time",
        "cache_control",
        [FRESH, TAG],
        {"cache_control": False, "expire_after": 200},
        Options(),
        LATER,
        "Reuse",
    ),
    ("only_if_cached, fresh", "settings", [FRESH], {}, Options(only_if_cached=True), NOW, "Reuse"),
    ("only_if_cached, stale", "settings", [FRESH, TAG], {}, Options(only_if_cached=True), LATER, "Refuse 504"),
    (
        "only_if_cached, though stale is allowed",
        "settings",
        [FRESH],
        {"stale_while_revalidate": True},
        Options(only_if_cached=True),
        LATER,
        "Refuse 504",
    ),
    ("offline, fresh", "settings", [FRESH], {"offline": True}, Options(), NOW, "Reuse offline"),
    (
        "offline, of any age",
        "settings",
        [FRESH, "Cache-Control: no-cache"],
        {"offline": True},
        Options(),
        NOW + 1e9,
        "Reuse offline",
    ),
    ("offline, from our future", "settings", [FRESH], {"offline": True}, Options(), NOW - 1e6, "Reuse offline"),
    (
        "offline, asked to validate",
        "settings",
        [FRESH, TAG],
        {"offline": True},
        Options(refresh=True),
        LATER,
        "Reuse offline",
    ),
    (
        "offline, never meanwhile",
        "settings",
        [FRESH],
        {"offline": True, "stale_while_revalidate": True},
        Options(),
        LATER,
        "Reuse offline",
    ),
)
def test_a_setting_is_heeded(
    lines: list[str], settings: dict[str, Any], options: Options, now: float, expected: str
) -> None:
    assert chosen(lines, ask(options=options), settings, now=now) == expected


def test_offline_and_nothing_stored_is_an_error() -> None:
    choice = choose(ask(), [], NOW, Policy(offline=True))
    assert isinstance(choice, Refuse)
    assert isinstance(choice.answer, NotCached)


# What only the origin may answer


@rows(
    "line settings expected",
    ("If-Match", "4.3.2", 'If-Match: "a"', {}, "Forward request precondition-or-range"),
    ("several ranges", "9110-14.2", "Range: bytes=0-1,3-4", {}, "Forward request precondition-or-range"),
    ("and it must not be asked", "5.2.1.7", "Range: bytes=0-1,3-4", {"only": True}, "Refuse 504"),
    ("nor offline", "settings", "Range: bytes=0-1,3-4", {"offline": True}, "Refuse NotCached"),
)
def test_a_fresh_response_may_not_do(line: str, settings: dict[str, Any], expected: str) -> None:
    options = Options(only_if_cached=settings.pop("only", False))
    assert chosen([FRESH, TAG], ask(line, options=options), settings, now=NOW) == expected


def test_what_goes_to_the_origin_names_what_may_stand_in() -> None:
    record = record_of(DATE, FRESH)
    choice = choose(ask('If-Match: "a"'), [record], NOW, Policy())
    assert isinstance(choice, Forward)
    assert choice.record is record


# Several


def test_the_preferred_record_alone_decides() -> None:
    """An older one, still fresh, must not be used because the newer has become stale (RFC 9111 §4)."""
    newer, older = record_of(DATE, FRESH, TAG), record_of(DATE, "Cache-Control: max-age=9999")
    choice = choose(ask(), [newer, older], LATER, Policy())
    assert isinstance(choice, Validate)
    assert (choice.record, list(choice.records)) == (newer, [newer, older])
    assert isinstance(choose(ask(), [older, newer], LATER, Policy()), Reuse)


def test_another_that_can_be_asked_by_is_asked_by() -> None:
    """RFC 9111 §4.3: a cache may validate any stored response that it could choose."""
    newer, older = record_of(DATE, FRESH), record_of(DATE, TAG)
    choice = choose(ask(), [newer, older], LATER, Policy())
    assert isinstance(choice, Validate)
    assert choice.record is older


def test_offline_takes_the_first_that_can_answer() -> None:
    empty = record_of(DATE, status=404)
    both = [record_of(DATE, TAG), empty]
    choice = choose(ask("Range: bytes=0-1,3-4"), both, LATER, Policy(offline=True))
    assert isinstance(choice, Reuse)
    assert choice.answer.status == 404


# After waiting for another's fetch


@rows(
    "lines directive settings waited_since expected",
    ("fetched meanwhile, fresh", "4", [FRESH], "", {}, NOW - 1, "Reuse"),
    ("fetched meanwhile, stale on arrival", "4", ["Cache-Control: max-age=0"], "", {}, NOW - 1, "Reuse collapsed"),
    ("fetched when the wait began", "4", ["Cache-Control: max-age=0"], "", {}, NOW, "Forward stale stale"),
    ("fetched before", "4", ["Cache-Control: max-age=0"], "", {}, NOW + 1, "Forward stale stale"),
    ("not waited", "4", ["Cache-Control: max-age=0"], "", {}, None, "Forward stale stale"),
    ("no-cache", "5.2.2.4", ["Cache-Control: max-age=60, no-cache"], "", {}, NOW - 1, "Forward stale no-cache"),
    (
        "must-revalidate",
        "5.2.2.2",
        ["Cache-Control: max-age=0, must-revalidate"],
        "",
        {},
        NOW - 1,
        "Forward stale stale",
    ),
    (
        "s-maxage, in a shared cache",
        "5.2.2.10",
        ["Cache-Control: s-maxage=0"],
        "",
        SHARED,
        NOW - 1,
        "Forward stale stale",
    ),
    (
        "the request wants no-cache",
        "5.2.1.4",
        ["Cache-Control: max-age=0"],
        "no-cache",
        {},
        NOW - 1,
        "Forward stale request-no-cache",
    ),
    (
        "the request wants max-age",
        "5.2.1.1",
        ["Cache-Control: max-age=0"],
        "max-age=99",
        {},
        NOW - 1,
        "Forward stale stale",
    ),
    (
        "the request wants min-fresh",
        "5.2.1.3",
        ["Cache-Control: max-age=0"],
        "min-fresh=5",
        {},
        NOW - 1,
        "Forward stale request-min-fresh",
    ),
    (
        "always_revalidate: it was just fetched",
        "settings",
        [FRESH],
        "",
        {"always_revalidate": True},
        NOW - 1,
        "Reuse collapsed",
    ),
)
def test_a_response_fetched_meanwhile_serves_those_who_waited(
    lines: list[str], directive: str, settings: dict[str, Any], waited_since: float | None, expected: str
) -> None:
    request = ask(f"Cache-Control: {directive}") if directive else ask()
    assert chosen(lines, request, settings, now=NOW + 0.5, waited_since=waited_since) == expected


def test_a_collapsed_answer_is_told_from_a_hit() -> None:
    """RFC 9211 §2.6."""
    record = record_of(DATE, FRESH)
    for waited_since, collapsed in ((None, False), (NOW - 1, True), (NOW + 1, False)):
        choice = choose(ask(), [record], NOW + 2, Policy(), waited_since=waited_since)
        assert isinstance(choice, Reuse)
        assert choice.answer.cache_status.collapsed is collapsed


def test_a_response_from_our_future_was_not_fetched_meanwhile() -> None:
    """G25: a clock set back while a request waits revives nothing; another host's may be ahead by a minute."""
    record = record_of(DATE, "Cache-Control: max-age=0")
    for now, expected in ((NOW - 60, Reuse), (NOW - 61, Forward)):
        assert isinstance(choose(ask(), [record], now, Policy(), waited_since=NOW - 3600), expected)
