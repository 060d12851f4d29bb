"""Times as users see them."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from sansio_cache_adapters.cache.response_attributes import AnswerAttributes, AnswerState, moment
from sansio_cache_adapters.cache.switches import bypassed


@pytest.mark.parametrize(
    ("at", "seen"),
    [
        (None, None),
        (0.0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1_700_000_000.5, datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)),
        (float("inf"), None),
        (float("nan"), None),
        (1e15, None),
    ],
)
def test_a_time_is_an_aware_datetime_or_none(at: float | None, seen: datetime | None) -> None:
    assert moment(at) == seen


class Response(AnswerAttributes):
    """A client's response."""

    status = 200

    def __init__(self, state: Any) -> None:
        self._state = state


NOW = 1_700_000_000.0
ENGINE: Any = SimpleNamespace(clock=lambda: NOW)
STORED = SimpleNamespace(head=SimpleNamespace(received_at=NOW - 60))
LOST = SimpleNamespace(lost=True, status="; detail=incomplete")
KEPT = SimpleNamespace(lost=False, status="; stored")


def state(tee: Any = None, key: bytes = b"\1\2", record: Any = None, **more: Any) -> AnswerState:
    given = {"from_cache": False, "revalidated": False, "keeping": None, "expires": None, "cache_status": "hit"}
    answer: Any = SimpleNamespace(key=key, record=record, **{**given, **more})
    return AnswerState(answer, ENGINE, tee)


@pytest.mark.parametrize(
    ("made_from", "said"),
    [
        (None, (False, "", False)),
        (state(key=b""), (False, "", False)),
        (state(), (False, "0102", False)),
        (state(record=STORED, from_cache=True), (True, "0102", False)),
        (state(record=STORED, from_cache=True, revalidated=True), (True, "0102", True)),
        (state(from_cache=True), (False, "0102", False)),
        (state(record=STORED), (False, "0102", False)),
    ],
)
def test_what_a_response_repeats_of_its_answer(made_from: Any, said: tuple[bool, str, bool]) -> None:
    response = Response(made_from)
    assert (response.from_cache, response.cache_key, response.revalidated) == said


@pytest.mark.parametrize(
    ("made_from", "received", "stale", "expired", "status"),
    [
        (state(record=STORED, expires=NOW + 9), NOW - 60, NOW + 9, False, "hit"),
        (state(record=STORED, expires=NOW), NOW - 60, NOW, True, "hit"),
        (state(record=STORED), NOW - 60, None, False, "hit"),
        (state(KEPT, keeping=1, expires=NOW + 9), NOW, NOW + 9, False, "; stored"),
        (state(LOST, keeping=1, expires=NOW - 9), None, None, False, "; detail=incomplete"),
        (state(LOST, record=STORED, keeping=1, expires=NOW - 9), None, None, False, "; detail=incomplete"),
        (state(), None, None, False, "hit"),
    ],
    ids=["stored", "stale", "stored for ever", "being stored", "lost", "lost instead of another", "not to be stored"],
)
def test_when_it_was_received_and_becomes_stale(
    made_from: Any, received: float | None, stale: float | None, expired: bool, status: str
) -> None:
    response = Response(made_from)
    assert (response.created_at, response.stored_at) == (moment(received), moment(received))
    assert (response.expires, response.expires_at) == (moment(stale), moment(stale))
    assert (response.is_expired, response.cache_status) == (expired, status)


def test_one_that_bypassed_the_cache_has_no_times() -> None:
    response = Response(None)
    assert (response.created_at, response.expires, response.is_expired) == (None, None, False)
    assert response.cache_status == bypassed(200)
