"""Sizes and times as people write and read them: ``10 MiB``, ``7d``, ``2026-01-31``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from sansio_cache_adapters.cache.response_attributes import moment

__all__ = ["AGE", "LASTING", "SIZE", "age_text", "lasting", "moment_text", "size_text"]

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}
_AGE: Final = re.compile(r"(?:\d+(?:\.\d+)?\s*[smhdwy]\s*)+", re.ASCII | re.IGNORECASE)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdwy])", re.ASCII | re.IGNORECASE)
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_POWERS: Final = ("", "k", "m", "g", "t")


if TYPE_CHECKING:
    _Type = click.ParamType[float]
else:
    _Type = click.ParamType  # older ones are not generic


class _Unit(_Type):
    """A parameter that a function reads."""

    def __init__(self, name: str, read: Callable[[str], float | None], expected: str) -> None:
        self.name = name
        self._read = read
        self._expected = expected

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        read = self._read(str(value).strip())
        if read is None:
            self.fail(f"{value!r} is none; give {self._expected}", param, ctx)
        return read


def _seconds_ago(text: str) -> float | None:
    """How long ago, in seconds; a date is its POSIX time, negative, since no clock is read here."""
    if _AGE.fullmatch(text):
        return sum(float(number) * _SECONDS[unit.lower()] for number, unit in _PART.findall(text))
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return float(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    # As everywhere in the standard library a moment without a zone is local time.
    return -at.astimezone(UTC).timestamp()


def lasting(text: str) -> float | None:
    """The seconds of a time to come, -1 for ever; None where a text is none."""
    if text.lower() == "never":
        return -1.0
    seconds = _seconds_ago(text)
    return None if seconds is None or seconds < 0 else seconds


def _bytes(text: str) -> float | None:
    match = _SIZE.fullmatch(text)
    return None if match is None else float(match[1]) * 1024.0 ** _POWERS.index(match[2].lower())


AGE: Final = _Unit("age", _seconds_ago, "an age such as 90s, 2h30m or 7d, or a date such as 2026-01-31")
"""Seconds ago, or where negative the POSIX time of a moment."""
LASTING: Final = _Unit("time", lasting, "a time such as 90s, 2h30m or 7d, or never")
"""Seconds to come; -1 for ever."""
SIZE: Final = _Unit("size", _bytes, "a size such as 500, 10k or 2.5MiB")
"""Bytes."""


def size_text(size: float) -> str:
    """Bytes for people, in at most eight characters."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError


def age_text(seconds: float) -> str:
    """A length of time for people, in at most five characters."""
    if math.isinf(seconds) or math.isnan(seconds):
        return "never"
    seconds = abs(seconds)
    for unit, least in (("y", 2 * _SECONDS["y"]), ("d", 2 * _SECONDS["d"]), ("h", 7200), ("m", 120)):
        if seconds >= least:
            return f"{int(seconds // _SECONDS[unit])}{unit}"
    return f"{int(seconds)}s"


def moment_text(at: float) -> str | None:
    """A POSIX time in UTC, as ISO 8601 has it; None for never and for what is no time."""
    found = moment(at)
    return None if found is None else found.isoformat(timespec="seconds").replace("+00:00", "Z")
