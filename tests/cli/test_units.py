"""Sizes and times, as they are written and read."""

from __future__ import annotations

import math

import click
import pytest

from sansio_cache_adapters.cli.units import AGE, LASTING, SIZE, age_text, moment_text, size_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90", 90), ("90s", 90), ("2h30m", 9000), ("2h 30m", 9000), ("7d", 604_800), ("1.5h", 5400), ("1W", 604_800),
        ("1y", 31_557_600), ("2026-01-31T00:00:00+00:00", -1_769_817_600), ("2026-01-31T00:00:00Z", -1_769_817_600),
    ],
)  # fmt: skip
def test_ages(text: str, value: float) -> None:
    assert AGE.convert(text, None, None) == value


@pytest.mark.parametrize("text", ["", "x", "7", "-5s", "5 parsecs", "2026-13-01", "s"])
def test_what_is_no_age(text: str) -> None:
    if text == "7":
        assert AGE.convert(text, None, None) == 7
        return
    with pytest.raises(click.BadParameter, match="such as 90s"):
        AGE.convert(text, None, None)


@pytest.mark.parametrize(("text", "value"), [("never", -1), ("NEVER", -1), ("0s", 0), ("1h", 3600), (60, 60)])
def test_times_to_come(text: object, value: float) -> None:
    assert LASTING.convert(text, None, None) == value


@pytest.mark.parametrize("text", ["2026-01-31", "soon"])
def test_what_is_no_time_to_come(text: str) -> None:
    with pytest.raises(click.BadParameter, match="or never"):
        LASTING.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("500", 500), ("500b", 500), ("10k", 10_240), ("10 KiB", 10_240), ("2.5MiB", 2_621_440), ("1g", 2**30)],
)
def test_sizes(text: str, value: float) -> None:
    assert SIZE.convert(text, None, None) == value


@pytest.mark.parametrize("text", ["", "k", "ten", "10x", "-1k"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter, match="such as 500"):
        SIZE.convert(text, None, None)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        *((0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (150 * 1024, "150 KiB")),
        *((3 * 2**20, "3.0 MiB"), (2**41, "2048 GiB")),
    ],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert size_text(size) == text
    assert len(text) <= 8


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (172_800, "2d"), (-50, "50s"),
        (800 * 86_400, "2y"), (math.inf, "never"), (math.nan, "never"),
    ],
)  # fmt: skip
def test_ages_for_people(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


def test_moments() -> None:
    assert moment_text(1_800_000_000.0) == "2027-01-15T08:00:00Z"
    assert moment_text(math.inf) is None
    assert moment_text(1e300) is None
