"""What ``session.cache.filter`` takes, and which entries that wants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sansio_cache.errors import SettingError
from sansio_cache_adapters.cache.maintenance import Entry
from sansio_cache_adapters.cache.selecting import wanted

NOW = 1_000.0


def entry(stored_at: float | None = NOW, expires_at: float | None = NOW + 1, tags: tuple[str, ...] = ()) -> Entry:
    times = [None if each is None else datetime.fromtimestamp(each, UTC) for each in (stored_at, expires_at)]
    return Entry("", "GET", "https://example.org/a", 200, 0, times[0], times[1], tags)


@pytest.mark.parametrize(
    ("given", "entry", "is_wanted"),
    [
        ({}, entry(), True),
        ({"keep": lambda each: each.status == 200}, entry(), True),
        ({"keep": lambda each: each.status == 404}, entry(), False),
        ({"expired": True}, entry(), False),
        ({"expired": True}, entry(expires_at=NOW), True),
        ({"expired": False}, entry(expires_at=NOW), False),
        ({"expired": False}, entry(expires_at=None), True),
        ({"older_than": 10}, entry(stored_at=NOW - 11), True),
        ({"older_than": 10}, entry(stored_at=NOW - 10), False),
        ({"older_than": timedelta(seconds=10)}, entry(stored_at=NOW - 11), True),
        ({"older_than": 10}, entry(stored_at=None), False),
        ({"tags": ["t", "u"]}, entry(tags=("u",)), True),
        ({"tags": ["t"]}, entry(tags=("u",)), False),
        ({"tags": ["t"], "expired": True}, entry(tags=("t",)), False),
    ],
)
def test_which_entries_are_wanted(given: dict[str, Any], entry: Entry, is_wanted: bool) -> None:
    assert wanted(NOW, **{"keep": None, "expired": None, "older_than": None, "tags": (), **given})(entry) is is_wanted


@pytest.mark.parametrize("given", [{"keep": "GET"}, {"tags": "t"}, {"tags": 3}, {"older_than": "soon"}])
def test_what_filter_does_not_take(given: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="takes"):
        wanted(NOW, **{"keep": None, "expired": None, "older_than": None, "tags": (), **given})
