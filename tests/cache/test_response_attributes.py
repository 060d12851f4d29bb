"""Times as users see them."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from sansio_cache_adapters.cache.response_attributes import AnswerAttributes, moment


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

    created_at = expires = None

    def __init__(self, answer: Any) -> None:
        self._answer = answer


def answered(
    key: bytes = b"\1\2", record: object = None, *, from_cache: bool = False, revalidated: bool = False
) -> Any:
    return SimpleNamespace(key=key, record=record, from_cache=from_cache, revalidated=revalidated)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, (False, "", False)),
        (answered(b""), (False, "", False)),
        (answered(), (False, "0102", False)),
        (answered(record=object(), from_cache=True), (True, "0102", False)),
        (answered(record=object(), from_cache=True, revalidated=True), (True, "0102", True)),
        (answered(from_cache=True), (False, "0102", False)),
        (answered(record=object()), (False, "0102", False)),
    ],
)
def test_what_a_response_repeats_of_its_answer(answer: Any, said: tuple[bool, str, bool]) -> None:
    response = Response(answer)
    assert (response.from_cache, response.cache_key, response.revalidated) == said
