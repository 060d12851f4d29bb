"""HTTP dates (RFC 9110 §5.6.7): text to POSIX seconds and back."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
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
_FORMS = (
    rf"{_DAYS}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
    rf"{_LONG_DAYS}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
    rf"{_DAYS} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})",
)
_LONGEST = len("Wednesday, 09-Nov-94 08:49:37 GMT")
_FIRST_SECOND = -62_135_596_800  # 0001-01-01T00:00:00Z, the first date that datetime knows
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last date that the grammar can spell
_FIFTY_YEARS = 18_263 * 86_400
_PIVOT = 1_577_836_799.0  # 2019-12-31T23:59:59Z: two digits then mean 1970 to 2069, as in RFC 6265


def parse_date(text: str, now: float | None = None) -> float | None:
    """The POSIX time of an HTTP-date in any of its three forms, or None where the text is none.

    :param now: decides the century of a two-digit year: "a timestamp that appears to be more than 50 years in the
        future" is one in the past (RFC 9110 §5.6.7). None: the pivot of RFC 6265, 1970 to 2069.
    """
    if not text or len(text) > _LONGEST:
        return None
    parsed = _parse(text)
    return _near(parsed, _PIVOT if now is None else now) if isinstance(parsed, re.Match) else parsed


def _near(parsed: re.Match[str], now: float) -> float | None:
    """The time of a date whose year has two digits: in this century, or in the one before."""
    century = datetime.fromtimestamp(now, UTC).year // 100 * 100
    year = int(parsed["year"])
    at = _seconds(parsed, century + year)
    return _seconds(parsed, century - 100 + year) if at is None or at - now > _FIFTY_YEARS else at


@lru_cache(maxsize=1)
def _formats() -> list[re.Pattern[str]]:
    # "a cache recipient SHOULD match the field value case-insensitively" (RFC 9111 §4.2)
    return [re.compile(form, re.ASCII | re.IGNORECASE) for form in _FORMS]


@lru_cache(maxsize=512)
def _parse(text: str) -> float | re.Match[str] | None:
    """The time of a date, or its parts where the century is not said; None where the text is none."""
    for form in _formats():
        match = form.fullmatch(text)
        if match is not None:
            return _seconds(match, int(match["year"])) if len(match["year"]) == 4 else match
    return None


def _seconds(match: re.Match[str], year: int) -> float | None:
    month = _MONTHS.index(match["month"].title()) + 1
    day, hour, minute, second = (int(match[part]) for part in ("day", "hour", "minute", "second"))
    leap = second == 60  # grammatical, and one second after :59
    try:
        at = datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC).timestamp() + leap
        return min(at, _LAST_SECOND)
    except ValueError:  # a date that does not exist is no date
        return None


@lru_cache(maxsize=512)
def _format_second(second: int) -> str:
    from email.utils import format_datetime  # dates are read by settings, too, and written by responses alone

    return format_datetime(datetime.fromtimestamp(second, UTC), usegmt=True)


def format_date(at: float) -> str:
    """The IMF-fixdate of a POSIX time, cut to the second and to the years from 1 to 9999."""
    return _format_second(math.floor(max(_FIRST_SECOND, min(at, _LAST_SECOND))))
