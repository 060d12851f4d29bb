"""G25: resident time is counted by our own clock; a clock set back revives nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from clock import Clock
from local_origin import Origin, Reply, fresh


def http_date(at: float) -> str:
    return format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True)


@pytest.mark.parametrize("skew", [-(10**7), -3600, 3600, 10**7])
def test_the_origins_clock_does_not_lengthen_a_life(sessions: Any, clock: Clock, origin: Origin, skew: float) -> None:
    """G25: a Date in the future or the past, with the max-age that counts from it."""
    url = origin.on("/a", fresh(b"x", 100, date=http_date(clock() + skew)))
    session = sessions(clock=clock)
    session.get(url)
    assert session.get(url).from_cache is (skew > 0)
    clock.advance(101)
    assert not session.get(url).from_cache


def test_expires_counts_from_the_origins_date(sessions: Any, clock: Clock, origin: Origin) -> None:
    """G25: both are its own clock's."""
    fields = {"Date": http_date(clock() + 5000), "Expires": http_date(clock() + 5100)}
    url = origin.on("/a", Reply(b"x", fields=fields))
    session = sessions(clock=clock)
    session.get(url)
    clock.advance(99)
    assert session.get(url).from_cache
    clock.advance(2)
    assert not session.get(url).from_cache


@pytest.mark.parametrize("settings", [{}, {"expire_after": 100}, {"cache_control": False}, {"expire_after": -1}])
def test_a_clock_set_back_revives_nothing(
    sessions: Any, clock: Clock, origin: Origin, settings: dict[str, Any]
) -> None:
    """G25: an entry from more than 60 s in our future is stale, anyone who says how long it lives."""
    url = origin.on("/a", fresh(b"x", 100, etag='"1"'))
    session = sessions(clock=clock, **settings)
    session.get(url)
    clock.advance(-59)
    assert session.get(url).from_cache
    assert int(session.get(url).headers["Age"]) == 0
    clock.advance(-2)
    count = origin.count()
    session.get(url)
    assert origin.count() == count + 1


def test_a_clock_set_forward_ages(sessions: Any, clock: Clock, origin: Origin) -> None:
    """G25: as time does."""
    url = origin.on("/a", fresh(b"x", 100))
    session = sessions(clock=clock)
    session.get(url)
    clock.advance(10**9)
    assert not session.get(url).from_cache


def test_time_on_the_way_counts(sessions: Any, clock: Clock, origin: Origin) -> None:
    """G25: a response that was long under way is as old as that (RFC 9111 §4.2.3)."""

    def answer(_: Any) -> Reply:
        clock.advance(80)
        return fresh(b"x", 100)

    url = origin.on("/a", answer)
    session = sessions(clock=clock)
    session.get(url)
    assert session.get(url).headers["Age"] == "80"
    clock.advance(21)
    assert not session.get(url).from_cache
