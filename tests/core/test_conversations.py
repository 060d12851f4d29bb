"""Conversations of several requests, most of them after the public suite ``http-cache-tests``, with the core alone.

Each step is a request after a pause, what the origin would answer (None: it must not be asked), and what is answered:
status, where from, and fields that must be among the answer's.
"""

from __future__ import annotations

from typing import Any

from core_rows import DATE, NOW, ask, rows
from core_world import OriginGone, Step, converse, reply, step

from sansio_cache.dates import format_date

FRESH = "Cache-Control: max-age=3600"
SHORT = "Cache-Control: max-age=2"
TAG = 'ETag: "a"'
LAST = f"Last-Modified: {format_date(NOW - 3000)}"
POST = ask(method="POST", body=b"x")
HEAD = ask(method="HEAD")
PLAIN = ask()


@rows(
    "settings steps",
    (
        "a fresh response is reused and says its age",
        "other-age-gen",
        {},
        [step(PLAIN, reply(DATE, FRESH), 200, "origin"), step(PLAIN, None, 200, "store", "Age: 3", DATE, after=3)],
    ),
    (
        "an Age that it came with counts",
        "other-age-update-max-age",
        {},
        [
            step(PLAIN, reply(DATE, FRESH, "Age: 30"), 200, "origin", "Age: 30"),
            step(PLAIN, None, 200, "store", "Age: 33", after=3),
        ],
    ),
    (
        "neither freshness nor validator keeps nothing",
        "freshness-none",
        {},
        [step(PLAIN, reply(DATE), 200, "origin"), step(PLAIN, reply(DATE), 200, "origin", after=3)],
    ),
    (
        "another query is another resource",
        "query-args-different",
        {},
        [
            step(ask(url="https://example.org/a?test=1"), reply(FRESH), 200, "origin"),
            step(ask(url="https://example.org/a?test=2"), reply(FRESH), 200, "origin"),
            step(ask(url="https://example.org/a?test=1"), None, 200, "store"),
        ],
    ),
    (
        "two variants are stored side by side",
        "vary-invalidate",
        {},
        [
            step(ask("Foo: 1"), reply(FRESH, "Vary: Foo", "X-V: 1"), 200, "origin"),
            step(ask("Foo: 2"), reply(FRESH, "Vary: Foo", "X-V: 2"), 200, "origin"),
            step(ask("Foo: 1"), None, 200, "store", "X-V: 1"),
            step(ask("Foo: 2"), None, 200, "store", "X-V: 2"),
            step(ask(), reply(FRESH, "Vary: Foo"), 200, "origin"),
        ],
    ),
    (
        "a stale variant is preferred to a fresh default without Vary, and validated",
        "9111-4.1",
        {},
        [
            step(ask("Foo: 1"), reply(DATE, FRESH), 200, "origin"),
            step(ask("Foo: 1", "Cache-Control: no-cache"), reply(DATE, SHORT, TAG, "Vary: Foo"), 200, "origin"),
            step(ask("Foo: 1"), reply(TAG, SHORT, status=304), 200, "validated", after=5),
        ],
    ),
    (
        "a stale response is validated, and fresh again with the update",
        "304-etag-update-response-Cache-Control",
        {},
        [
            step(PLAIN, reply(DATE, "Cache-Control: max-age=1", TAG, "X-A: 1"), 200, "origin"),
            step(PLAIN, reply(FRESH, TAG, "X-A: 2", status=304), 200, "validated", FRESH, "X-A: 2", TAG, after=3),
            step(PLAIN, None, 200, "store", FRESH, "X-A: 2", "Age: 5", after=5),
        ],
    ),
    (
        "fields that a 304 omits stay",
        "304-lm-use-stored-Test-Header",
        {},
        [
            step(PLAIN, reply(DATE, SHORT, LAST, "Test-Header: A"), 200, "origin"),
            step(PLAIN, reply(LAST, status=304), 200, "validated", "Test-Header: A", after=3),
        ],
    ),
    (
        "fields of the stored content are not updated",
        "304-etag-update-response-Content-Encoding",
        {},
        [
            step(PLAIN, reply(DATE, SHORT, TAG, "Content-Encoding: a", "Content-Length: 15"), 200, "origin"),
            step(
                PLAIN,
                reply(SHORT, TAG, "Content-Encoding: b", "Content-Length: 5", status=304),
                200,
                "validated",
                "Content-Encoding: a",
                "Content-Length: 15",
                after=3,
            ),
            step(PLAIN, None, 200, "store", "Content-Encoding: a", "Content-Length: 15"),
        ],
    ),
    (
        "must-revalidate: fresh, then validated",
        "cc-resp-must-revalidate-stale",
        {},
        [
            step(PLAIN, reply(DATE, SHORT + ", must-revalidate", TAG), 200, "origin"),
            step(PLAIN, None, 200, "store"),
            step(PLAIN, reply(TAG, SHORT, status=304), 200, "validated", after=3),
        ],
    ),
    (
        "must-revalidate: an error rather than a stale response",
        "stale-close-must-revalidate",
        {"stale_if_error": True},
        [
            step(PLAIN, reply(DATE, SHORT + ", must-revalidate"), 200, "origin"),
            step(PLAIN, OriginGone(), 0, "error", after=3),
        ],
    ),
    (
        "stale-if-error: a stale response rather than an error",
        "stale-sie-503",
        {},
        [
            step(PLAIN, reply(DATE, SHORT + ", stale-if-error=60"), 200, "origin"),
            step(PLAIN, reply(status=503), 200, "store", "Age: 3", after=3),
            step(PLAIN, OriginGone(), 200, "store", "Age: 6", after=3),
            step(PLAIN, OriginGone(), 0, "error", after=60),
        ],
    ),
    (
        "a failed validation keeps the good entry",
        "G27",
        {},
        [
            step(PLAIN, reply(DATE, SHORT, TAG), 200, "origin"),
            step(PLAIN, reply(FRESH, status=500), 500, "origin", after=3),
            step(PLAIN, reply(FRESH, TAG, status=304), 200, "validated", after=3),
        ],
    ),
    (
        "an error that is fresh is reused, and stale it is not",
        "status-503-fresh",
        {},
        [
            step(PLAIN, reply(DATE, SHORT, status=503), 503, "origin"),
            step(PLAIN, None, 503, "store"),
            step(PLAIN, reply(DATE, SHORT, status=503), 503, "origin", after=3),
        ],
    ),
    (
        "If-None-Match of a fresh response is answered by 304",
        "conditional-304-etag",
        {},
        [
            step(PLAIN, reply(DATE, FRESH, TAG), 200, "origin"),
            step(ask('If-None-Match: "x", "a"'), None, 304, "store", TAG),
            step(ask('If-None-Match: "x"'), None, 200, "store"),
        ],
    ),
    (
        "If-Modified-Since of a stale response is answered by the origin's 304",
        "conditional-lm-stale",
        {},
        [
            step(PLAIN, reply(DATE, SHORT, LAST), 200, "origin"),
            step(ask(f"If-Modified-Since: {format_date(NOW - 3000)}"), reply(LAST, status=304), 304, "origin", after=3),
        ],
    ),
)
def test_a_conversation(settings: dict[str, Any], steps: list[Step]) -> None:
    converse(settings, steps)
