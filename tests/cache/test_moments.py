"""Times as users see them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sansio_cache_adapters.cache.moments import moment


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
