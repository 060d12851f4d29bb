"""Conversations (see ``test_conversations.py``): HEAD, unsafe methods, users, parts and what is never stored."""

from __future__ import annotations

from typing import Any

from core_rows import DATE, ask, rows, rules_of
from core_world import SmallWorld, Step, converse, reply, source_of, step

from sansio_cache.policy import Policy

FRESH = "Cache-Control: max-age=3600"
SHORT = "Cache-Control: max-age=2"
TAG = 'ETag: "a"'
B = ask(url="https://example.org/b")
POST = ask(method="POST", body=b"x")
HEAD = ask(method="HEAD")
PLAIN = ask()


@rows(
    "settings steps",
    (
        "a HEAD renews a GET without validators",
        "head-200-freshness-update",
        {},
        [
            step(PLAIN, reply(DATE, SHORT, "Template-A: 1"), 200, "origin"),
            step(HEAD, reply("Template-A: 2", FRESH), 200, "origin", after=3),
            step(PLAIN, None, 200, "store", "Template-A: 2"),
        ],
    ),
    (
        "a HEAD that differs invalidates a GET",
        "9111-4.3.5",
        {},
        [
            step(PLAIN, reply(DATE, SHORT, TAG), 200, "origin"),
            step(HEAD, reply('ETag: "b"', FRESH), 200, "origin", after=3),
            step(PLAIN, reply(DATE, FRESH, 'ETag: "b"'), 200, "origin"),
        ],
    ),
    (
        "a HEAD is answered from a GET, a GET never from a HEAD",
        "G14",
        {},
        [
            step(HEAD, reply(DATE, FRESH, body=b""), 200, "origin"),
            step(HEAD, None, 200, "store"),
            step(PLAIN, reply(DATE, FRESH, "X-Get: 1"), 200, "origin"),
            step(HEAD, None, 200, "store"),
        ],
    ),
    (
        "an unsafe request invalidates its resource",
        "invalidate-POST",
        {},
        [
            step(PLAIN, reply(DATE, FRESH), 200, "origin"),
            step(POST, reply(status=204), 204, "origin"),
            step(PLAIN, reply(DATE, FRESH), 200, "origin"),
        ],
    ),
    (
        "one that fails invalidates nothing",
        "invalidate-POST-failed",
        {},
        [
            step(PLAIN, reply(DATE, FRESH), 200, "origin"),
            step(POST, reply(status=500), 500, "origin"),
            step(PLAIN, None, 200, "store"),
        ],
    ),
    (
        "it invalidates what it locates",
        "invalidate-POST-location",
        {},
        [
            step(B, reply(DATE, FRESH), 200, "origin"),
            step(POST, reply("Location: /b", status=201), 201, "origin"),
            step(B, reply(DATE, FRESH), 200, "origin"),
        ],
    ),
    (
        "a POST by one user invalidates the entries of all",
        "9111-4.4",
        {},
        [
            step(ask("Authorization: a"), reply(DATE, FRESH), 200, "origin"),
            step(ask("Authorization: a"), None, 200, "store"),
            step(ask("Authorization: b", method="POST"), reply(), 200, "origin"),
            step(ask("Authorization: a"), reply(DATE, FRESH), 200, "origin"),
        ],
    ),
    (
        "one user's answer is not another's",
        "G10",
        {},
        [
            step(ask("Authorization: a"), reply(DATE, FRESH, "Cache-Control: public"), 200, "origin"),
            step(ask("Authorization: b"), reply(DATE, FRESH, "Cache-Control: public"), 200, "origin"),
            step(ask(), reply(DATE, FRESH), 200, "origin"),
        ],
    ),
    (
        "parts are taken from the whole",
        "partial-store-complete-reuse-partial",
        {},
        [
            step(PLAIN, reply(DATE, FRESH, body=b"01234567890"), 200, "origin"),
            step(ask("Range: bytes=0-1"), None, 206, "store", "Content-Range: bytes 0-1/11", "Content-Length: 2"),
            step(ask("Range: bytes=-1"), None, 206, "store", "Content-Range: bytes 10-10/11"),
            step(ask("Range: bytes=99-"), None, 416, "store", "Content-Range: bytes */11"),
            step(ask("Range: bytes=0-1,3-4"), reply(FRESH, status=206), 206, "origin"),
        ],
    ),
    (
        "a part never answers for the whole",
        "G14",
        {},
        [
            step(ask("Range: bytes=0-1"), reply(DATE, FRESH, "Content-Range: bytes 0-1/11", status=206), 206, "origin"),
            step(PLAIN, reply(DATE, FRESH), 200, "origin"),
        ],
    ),
    (
        "fields that Connection names are not stored",
        "headers-omit-headers-listed-in-Connection",
        {},
        [
            step(PLAIN, reply(DATE, FRESH, "Connection: a", "A: 1", "B: 2"), 200, "origin", "A: 1"),
            step(PLAIN, None, 200, "store", "B: 2", "!A"),
        ],
    ),
    (
        "cookies are the first reader's alone",
        "G13",
        {},
        [
            step(PLAIN, reply(DATE, FRESH, "Set-Cookie: a=b"), 200, "origin", "Set-Cookie: a=b"),
            step(PLAIN, None, 200, "store", "!Set-Cookie"),
        ],
    ),
    (
        "no-store in a request passes by, and leaves what is stored",
        "ccreq-no-store",
        {},
        [
            step(PLAIN, reply(DATE, FRESH, "X: 1"), 200, "origin"),
            step(ask("Cache-Control: no-store"), reply(DATE, FRESH, "X: 2"), 200, "origin", "X: 2"),
            step(PLAIN, None, 200, "store", "X: 1"),
        ],
    ),
    (
        "a plain TTL cache keeps for ever",
        "reader",
        {"cache_control": False},
        [
            step(PLAIN, reply(DATE, "Cache-Control: no-store"), 200, "origin"),
            step(PLAIN, None, 200, "store", after=1e9),
        ],
    ),
    (
        "a fixed time, whatever the response says",
        "expire_after",
        {"expire_after": 60},
        [
            step(PLAIN, reply(DATE, "Cache-Control: no-cache, max-age=0", TAG), 200, "origin"),
            step(PLAIN, None, 200, "store", after=59),
            step(PLAIN, reply(TAG, status=304), 200, "validated", after=2),
            step(PLAIN, None, 200, "store", after=59),
        ],
    ),
    (
        "s-maxage, in a shared cache",
        "freshness-max-age-s-maxage-shared-longer",
        {"shared": True},
        [
            step(PLAIN, reply(DATE, FRESH, "Cache-Control: s-maxage=1"), 200, "origin"),
            step(PLAIN, reply(DATE, FRESH), 200, "origin", after=3),
        ],
    ),
    (
        "credentials, in a shared cache without identities",
        "other-authorization",
        {"shared": True, "identity": []},
        [
            step(ask("Authorization: FOO"), reply(DATE, FRESH), 200, "origin"),
            step(PLAIN, reply(DATE, FRESH), 200, "origin"),
        ],
    ),
    (
        "credentials and public, in a shared cache without identities",
        "other-authorization-public",
        {"shared": True, "identity": []},
        [
            step(ask("Authorization: FOO"), reply(DATE, FRESH + ", public"), 200, "origin"),
            step(PLAIN, None, 200, "store"),
        ],
    ),
    (
        "no-store to all but shared caches",
        "9213-3.1",
        {"shared": True},
        [
            step(PLAIN, reply(DATE, "Cache-Control: no-store", "CDN-Cache-Control: max-age=600"), 200, "origin"),
            step(PLAIN, None, 200, "store", after=599),
            step(PLAIN, reply(), 200, "origin", after=2),
        ],
    ),
    (
        "a 304 that forbids storing invalidates what is stored",
        "9111-5.2.2.5",
        {},
        [
            step(PLAIN, reply(DATE, FRESH, TAG), 200, "origin"),
            step(ask("Cache-Control: no-cache"), reply(TAG, "Cache-Control: no-store", status=304), 200, "validated"),
            step(PLAIN, reply(DATE, FRESH), 200, "origin"),
        ],
    ),
)
def test_a_conversation(settings: dict[str, Any], steps: list[Step]) -> None:
    converse(settings, steps)


def test_a_strict_session_does_not_take_what_a_plain_ttl_cache_kept() -> None:
    """ "A stored response is reused only if the reader's own policy would have stored it.\""""
    loose = SmallWorld(rules_of(Policy(cache_control=False)), [reply(DATE, "Cache-Control: no-store")])
    loose.answer(PLAIN)
    assert len(loose.items()) == 1
    loose.rules = rules_of()
    loose.script = [reply(DATE, FRESH)]
    assert source_of(loose.answer(PLAIN)) == "origin"
