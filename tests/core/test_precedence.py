"""Whose time counts: the request's, a remembered one, the settings', the response's; and for which statuses."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from core_rows import DATE, NOW, ask, rows, rules_of, stored_of
from core_world import SmallWorld, converse, reply, step

from sansio_cache.expiry import DO_NOT_CACHE, Expiry, Resident, Until, pack, parse_expire_after, unpack
from sansio_cache.messages import Options
from sansio_cache.policy import Policy
from sansio_cache.precedence import remembered, user_time
from sansio_cache.records import Remembered

FRESH = "Cache-Control: max-age=60"
TAG = 'ETag: "a"'
GET = ask()
CLASSIC: dict[str, Any] = {"cache_control": False}


def timed(seconds: Any) -> Any:
    """A request with a time of its own."""
    return ask(options=Options(expiry=parse_expire_after(seconds)))


@rows(
    "expiry",
    ("seconds", "settings", Resident(60.0)),
    ("for ever", "settings", Resident(math.inf)),
    ("a moment", "settings", Until(NOW)),
)
def test_a_time_is_packed_and_unpacked(expiry: Expiry) -> None:
    assert unpack(pack(expiry)) == expiry


def test_what_is_no_time_is_stale() -> None:
    """In an unsigned record."""
    for packed in ((9, 5.0), (1, -5.0), (1, math.nan), (0, 5.0)):
        assert unpack(packed) == Resident(0.0)


def test_settings_that_give_the_same_time_are_the_same() -> None:
    assert pack(None, cache_control=False) == pack(Resident(math.inf))
    assert len({pack(None), pack(None, cache_control=False), pack(DO_NOT_CACHE), pack(Resident(0.0))}) == 4


LATER = ask(options=Options(expiry=Resident(7.0), when_kept=True))
TO_COME = Remembered(pack(Until(NOW + 1)), pack(None))
PASSED = Remembered(pack(Until(NOW)), pack(None))
KEPT = Remembered(pack(Resident(60.0)), pack(Resident(5.0)))


@rows(
    "request_ kept settings expected",
    ("the request's own", "precedence", timed(7), KEPT, {"expire_after": 5}, Resident(7.0)),
    ("what is remembered", "precedence", GET, KEPT, {"expire_after": 5}, Resident(60.0)),
    ("by sessions of the same settings", "precedence", GET, KEPT, {"urls_expire_after": {"*": 5}}, Resident(60.0)),
    ("by no others", "precedence", GET, KEPT, {"expire_after": 6}, Resident(6.0)),
    ("by none without a time", "precedence", GET, KEPT, {}, None),
    ("the settings'", "precedence", GET, None, {"expire_after": 5}, Resident(5.0)),
    ("one for what comes, and not for what is there", "precedence", LATER, KEPT, {"expire_after": 5}, Resident(60.0)),
    ("one for what comes, where nothing is there", "precedence", LATER, None, {"expire_after": 5}, Resident(7.0)),
)
def test_the_most_specific_time_counts(
    request_: Any, kept: Remembered | None, settings: dict[str, Any], expected: Expiry | None
) -> None:
    assert user_time(request_, kept, Policy(**settings)) == expected


@rows(
    "request_ kept expected",
    ("nothing", "precedence", GET, None, None),
    ("the request's own", "precedence", timed(7), KEPT, Remembered(pack(Resident(7.0)), pack(None))),
    ("one for what comes", "precedence", LATER, KEPT, Remembered(pack(Resident(7.0)), pack(None))),
    ("what was remembered", "precedence", GET, KEPT, KEPT),
    ("a moment to come", "precedence", GET, TO_COME, TO_COME),
    ("no moment that has passed", "precedence", GET, PASSED, None),
)
def test_a_record_remembers(request_: Any, kept: Remembered | None, expected: Remembered | None) -> None:
    assert remembered(request_, kept, Policy(), NOW) == expected


@rows(
    "settings steps",
    (
        "holds for later requests, and after a full response",
        "precedence",
        CLASSIC,
        [
            step(timed(60), reply("X: 1"), 200, "origin"),
            step(GET, None, 200, "store", "X: 1", after=59),
            step(GET, reply("X: 2"), 200, "origin", after=2),
            step(GET, None, 200, "store", "X: 2", after=59),
            step(GET, reply("X: 3"), 200, "origin", after=2),
        ],
    ),
    (
        "holds after a 304",
        "precedence",
        {"expire_after": 5},
        [
            step(timed(60), reply(TAG), 200, "origin"),
            step(GET, None, 200, "store", after=59),
            step(GET, reply(TAG, status=304), 200, "validated", after=2),
            step(GET, None, 200, "store", after=59),
        ],
    ),
    (
        "until a request says otherwise",
        "precedence",
        {"expire_after": 5},
        [
            step(timed(60), reply(TAG), 200, "origin"),
            step(timed(10), reply(TAG, status=304), 200, "validated", after=20),
            step(GET, reply(TAG, status=304), 200, "validated", after=20),
        ],
    ),
    (
        "makes storable what the session would not store",
        "precedence",
        {},
        [
            step(timed(60), reply(), 200, "origin"),
            step(GET, None, 200, "store", after=59),
            step(GET, reply(), 200, "origin", after=2),
        ],
    ),
    (
        "never expires, as it was told",
        "precedence",
        {"expire_after": 5},
        [step(timed(-1), reply(), 200, "origin"), step(GET, None, 200, "store", after=1e6)],
    ),
)
def test_a_time_given_with_one_request(settings: dict[str, Any], steps: Any) -> None:
    converse(settings, steps)


def test_a_moment_given_with_one_request_is_forgotten_after_it() -> None:

    world = SmallWorld(rules_of(Policy(expire_after=1000)), [reply("X: 1"), reply("X: 2")])
    world.answer(timed(datetime.fromtimestamp(NOW + 50, UTC)))
    world.now += 60
    assert not world.answer(GET).from_cache
    world.now += 60
    assert world.answer(GET).from_cache


def test_a_session_of_other_settings_goes_by_its_own() -> None:
    world = SmallWorld(rules_of(Policy(expire_after=5)), [reply("X: 1"), reply("X: 2")])
    world.answer(timed(1000))
    world.rules = rules_of(Policy(expire_after=10))
    world.now += 20
    assert not world.answer(GET).from_cache
    world.rules = rules_of(Policy(expire_after=5))
    world.now += 20
    assert world.answer(GET).from_cache


STATUSES = {
    **dict.fromkeys((200, 201, 203, 204, 300, 301, 302, 303, 307, 308), True),
    **dict.fromkeys((206, 304, 400, 401, 403, 404, 405, 410, 412, 414, 416, 500, 501, 503), False),
}


@pytest.mark.parametrize("settings", [CLASSIC, {"expire_after": 3600}, {"urls_expire_after": {"*": 3600}}])
@pytest.mark.parametrize("status", STATUSES)
def test_a_users_time_is_for_success_and_redirects(settings: dict[str, Any], status: int) -> None:
    """Whatever else the answer has: a missing page that was a hiccup is asked for again."""
    for lines in ([], [TAG], ["Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"]):
        world = SmallWorld(rules_of(Policy(**settings)), [reply(DATE, *lines, status=status)] * 2)
        world.answer(GET)
        world.now += 100
        assert world.answer(GET).from_cache is STATUSES[status]


@pytest.mark.parametrize("settings", [CLASSIC, {"expire_after": 3600}, {**CLASSIC, "expire_after": 3600}])
@pytest.mark.parametrize("status", [404, 410, 500, 403])
def test_an_error_says_itself_how_long(settings: dict[str, Any], status: int) -> None:
    converse(
        settings,
        [
            step(GET, reply(FRESH, status=status), status, "origin"),
            step(GET, None, status, "store", after=59),
            step(GET, reply("Cache-Control: no-store, max-age=60", status=status), status, "origin", after=2),
            step(GET, reply(status=status), status, "origin"),
        ],
    )


def test_an_error_that_the_user_has_named_has_the_users_time() -> None:
    for settings in ({"expire_after": 3600}, CLASSIC):
        converse(
            {**settings, "allowed_codes": [200, 404]},
            [
                step(GET, reply(FRESH, status=404), 404, "origin"),
                step(GET, None, 404, "store", after=3000),
            ],
        )


def test_to_validate_before_every_use_is_for_errors_too() -> None:
    converse(
        {"expire_after": 0},
        [
            step(GET, reply(FRESH, TAG, status=404), 404, "origin"),
            step(GET, reply(TAG, status=304), 404, "validated", after=1),
        ],
    )


def test_a_record_says_when_it_is_stale_by_the_settings_it_was_kept_under() -> None:
    world = SmallWorld(rules_of(Policy(expire_after=100)), [reply(FRESH, TAG), reply(TAG, status=304)])
    world.answer(GET)
    [item] = world.items()
    assert item.stale_at == NOW + 100
    world.now += 2000
    world.answer(timed(1000))
    [item] = world.items()
    assert item.stale_at == NOW + 3000
    [record], _ = world.rules.open([stored_of(item)], world.rules.maker.keys(GET))
    assert record.head.stale_at == NOW + 3000
    assert record.head.remembered == Remembered(pack(Resident(1000.0)), pack(Resident(100.0)))
