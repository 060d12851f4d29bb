"""Warnings for the program's author."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from sansio_cache import CacheWarning
from sansio_cache_adapters.cache import notices
from sansio_cache_adapters.cache.notices import warn_once


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a new process."""
    monkeypatch.setattr(notices, "_told", set[str]())
    return


def test_a_warning_is_said_once_at_the_line_that_led_to_it() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(3):
            warn_once("give a name")
    assert [(str(each.message), each.category, each.filename) for each in seen] == [
        ("give a name", CacheWarning, __file__)
    ]


def test_a_warning_that_is_an_error_ends_no_request() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_once("give a name")


def test_what_is_remembered_is_bounded() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for number in range(1_500):
            warn_once(f"name {number}")
    assert len(seen) == 1_000
