"""``expire_after``: what a user may give, and what it means."""

from __future__ import annotations

import copy
import math
import pickle
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from core_rows import rows

from sansio_cache.errors import SettingError
from sansio_cache.expiry import (
    DO_NOT_CACHE,
    EXPIRE_IMMEDIATELY,
    NEVER_EXPIRE,
    DoNotCache,
    ExpireAfter,
    Expiry,
    Resident,
    Until,
    parse_expire_after,
    parse_seconds,
)


@pytest.fixture
def far_west(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process whose local time is twelve hours behind UTC."""
    monkeypatch.setenv("TZ", "Etc/GMT+12")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@rows(
    "value expected",
    ("None leaves it to the response", "settings", None, None),
    ("seconds", "settings", 60, Resident(60.0)),
    ("parts of seconds", "settings", 0.5, Resident(0.5)),
    ("a timedelta", "settings", timedelta(minutes=1), Resident(60.0)),
    ("EXPIRE_IMMEDIATELY is 0", "settings", EXPIRE_IMMEDIATELY, Resident(0.0)),
    ("NEVER_EXPIRE is -1", "settings", NEVER_EXPIRE, Resident(math.inf)),
    ("NEVER_EXPIRE as a float", "settings", -1.0, Resident(math.inf)),
    ("infinity", "settings", math.inf, Resident(math.inf)),
    ("DO_NOT_CACHE", "settings", DO_NOT_CACHE, DO_NOT_CACHE),
    ("an aware datetime", "settings", datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), Until(0.0)),
    ("an HTTP-date", "settings", "Sun, 06 Nov 1994 08:49:37 GMT", Until(784_111_777.0)),
    ("the last datetime", "settings", datetime.max.replace(tzinfo=UTC), Until(253_402_300_800.0)),
    (
        "the last datetime, in the far west",
        "settings",
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))),
        Until(253_402_300_800.0),
    ),
)
def test_a_time_is_understood(value: ExpireAfter, expected: Expiry | None) -> None:
    assert parse_expire_after(value) == expected


@pytest.mark.usefixtures("far_west")
def test_a_naive_datetime_is_local_time() -> None:
    """As everywhere in the standard library; at the ends of time, where no zone fits, it is taken as UTC."""
    assert parse_expire_after(datetime(1970, 1, 1)) == Until(43_200.0)  # noqa: DTZ001 - that is the point
    assert parse_expire_after(datetime.max) == Until(253_402_300_800.0)  # noqa: DTZ901
    east = timezone(timedelta(hours=12))
    assert parse_expire_after(datetime.min.replace(tzinfo=east)) == Until(-62_135_596_800.0)


@rows(
    "value",
    ("a negative number", "settings", -2),
    ("a negative timedelta", "settings", timedelta(seconds=-1)),
    ("no number", "settings", math.nan),
    ("a truth value", "settings", True),
    ("a date", "settings", date(2030, 1, 1)),
    ("a date in another format", "settings", "2030-01-01T00:00:00Z"),
    ("a list", "settings", [60]),
    ("more than a float holds", "settings", 10**400),
)
def test_anything_else_is_an_error_that_says_what_is_taken(value: object) -> None:
    with pytest.raises(SettingError, match="expire_after"):
        parse_expire_after(value)  # type: ignore[arg-type]


@rows(
    "value",
    ("negative", "settings", -1),
    ("no number", "settings", math.nan),
    ("a truth value", "settings", False),
    ("text", "settings", "60"),
)
def test_seconds_are_0_or_more(value: object) -> None:
    with pytest.raises(SettingError, match="wait takes seconds"):
        parse_seconds(value, "wait")


def test_seconds_that_no_float_holds_are_an_error() -> None:
    with pytest.raises(SettingError, match="wait takes seconds that fit"):
        parse_seconds(10**400, "wait")


def test_do_not_cache_is_one_thing_however_it_travels() -> None:
    """Copied, pickled or made again it is the same, so that ``is`` holds across processes."""
    assert DoNotCache() is DO_NOT_CACHE
    assert copy.deepcopy(DO_NOT_CACHE) is DO_NOT_CACHE
    assert pickle.loads(pickle.dumps(DO_NOT_CACHE)) is DO_NOT_CACHE
    assert repr(DO_NOT_CACHE) == "DO_NOT_CACHE"
