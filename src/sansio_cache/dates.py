"""HTTP dates (RFC 9110 §5.6.7): text to POSIX seconds and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

__all__ = ["format_date", "parse_date"]

_DAYS = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAYS = r"(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"

# IMF-fixdate    = day-name "," SP date1 SP time-of-day SP GMT
# rfc850-date    = day-name-l "," SP date2 SP time-of-day SP GMT
# asctime-date   = day-name SP date3 SP time-of-day SP year
_FORMATS = (
    re.compile(rf"{_DAYS}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT", re.ASCII),
    re.compile(rf"{_LONG_DAYS}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT", re.ASCII),
    re.compile(rf"{_DAYS} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})", re.ASCII),
)
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last date that the grammar can spell


def parse_date(text: str, now: float | None = None) -> float | None:
    """The POSIX time of an HTTP-date in any of its three forms, or None where the text is none.

    :param now: decides the century of a two-digit year: "a timestamp that appears to be more than 50 years in the
        future" is one in the past (RFC 9110 §5.6.7). None: the pivot of RFC 6265, 1970 to 2069.
    """
    return _parse(text, 2019 if now is None else datetime.fromtimestamp(now, UTC).year)


@lru_cache(maxsize=512)
def _parse(text: str, this_year: int) -> float | None:
    for form in _FORMATS:
        match = form.fullmatch(text)
        if match is not None:
            return _seconds(match, this_year)
    return None


def _seconds(match: re.Match[str], this_year: int) -> float | None:
    year, month = int(match["year"]), _MONTHS.index(match["month"]) + 1
    day, hour, minute, second = (int(match[part]) for part in ("day", "hour", "minute", "second"))
    if len(match["year"]) == 2:
        year += this_year - this_year % 100
        year -= 100 if year > this_year + 50 else 0
    leap = second == 60  # grammatical, and one second after :59
    try:
        return datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC).timestamp() + leap
    except ValueError:  # a date that does not exist is no date
        return None


@lru_cache(maxsize=512)
def _format_second(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC), usegmt=True)


def format_date(at: float) -> str:
    """The IMF-fixdate of a POSIX time, cut to the second and to the years that the form can spell."""
    return _format_second(int(max(0, min(at, _LAST_SECOND))))
