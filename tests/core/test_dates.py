"""HTTP dates: RFC 9110 §5.6.7, and what RFC 9111 §4.2 asks of a cache that reads them."""

from __future__ import annotations

import math

import pytest
from core_rows import NOW, rows
from hypothesis import given
from strategies import http_seconds

from sansio_cache.dates import format_date, parse_date

EXAMPLE = 784_111_777.0


@rows(
    "text expected",
    ("IMF-fixdate is read", "9110-5.6.7", "Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE),
    ("rfc850-date is read", "9110-5.6.7", "Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE),
    ("asctime-date is read", "9110-5.6.7", "Sun Nov  6 08:49:37 1994", EXAMPLE),
    ("asctime-date with two digits of day is read", "9110-5.6.7", "Wed Nov 16 08:49:37 1994", EXAMPLE + 864_000),
    ("case does not matter", "9111-4.2", "SUN, 06 nOV 1994 08:49:37 gmt", EXAMPLE),
    ("a leap second is one after :59", "9110-5.6.7", "Thu, 31 Dec 1998 23:59:60 GMT", 915_148_800.0),
    ("the day's name is not checked", "9110-5.6.7", "Mon, 06 Nov 1994 08:49:37 GMT", EXAMPLE),
    ("the first year", "9110-5.6.7", "Mon, 01 Jan 0001 00:00:00 GMT", -62_135_596_800.0),
    ("a leap second after the last", "9110-5.6.7", "Fri, 31 Dec 9999 23:59:60 GMT", 253_402_300_799.0),
    ("the last second", "9110-5.6.7", "Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799.0),
)
def test_a_date_is_read(text: str, expected: float) -> None:
    assert parse_date(text) == expected
    assert parse_date(text, NOW) == expected


@rows(
    "text",
    ("nothing", "9111-5.3", ""),
    ("0", "9111-5.3", "0"),
    ("another zone", "9111-4.2", "Sun, 06 Nov 1994 08:49:37 EST"),
    ("an offset", "9111-4.2", "Sun, 06 Nov 1994 08:49:37 +0000"),
    ("no zone", "9111-5.3", "Sun, 06 Nov 1994 08:49:37"),
    ("no comma", "9111-5.3", "Sun 06 Nov 1994 08:49:37 GMT"),
    ("two spaces", "9111-5.3", "Sun, 06  Nov 1994 08:49:37 GMT"),
    ("dashes", "9111-5.3", "Sun, 06-Nov-1994 08:49:37 GMT"),
    ("one digit of hour", "9111-5.3", "Sun, 06 Nov 1994 8:49:37 GMT"),
    ("two digits of year", "9111-5.3", "Sun, 06 Nov 94 08:49:37 GMT"),
    ("a day that does not exist", "9111-5.3", "Thu, 30 Feb 2050 00:00:00 GMT"),
    ("two digits of year, no such day", "9111-5.3", "Thursday, 30-Feb-50 00:00:00 GMT"),
    ("an hour that does not exist", "9111-5.3", "Sun, 06 Nov 1994 24:00:00 GMT"),
    ("two leap seconds", "9111-5.3", "Sun, 06 Nov 1994 08:49:61 GMT"),
    ("year 0", "9111-5.3", "Sun, 06 Nov 0000 08:49:37 GMT"),
    ("year 99999", "9111-5.3", "Sun, 06 Nov 99999 08:49:37 GMT"),
    ("other digits", "9111-5.3", "Sun, ٠٦ Nov 1994 08:49:37 GMT"),
    ("something after it", "9111-5.3", "Sun, 06 Nov 1994 08:49:37 GMT, x"),
    ("64 KiB", "9111-5.3", "Sun, " * 13_107),
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_date(text) is None


@rows(
    "text now expected",
    ("50 years ahead is ahead", "9110-5.6.7", "Sunday, 14-Nov-73 22:13:20 GMT", NOW, "Tue, 14 Nov 2073 22:13:20 GMT"),
    (
        "beyond 50 years it is past",
        "9110-5.6.7",
        "Monday, 15-Nov-73 22:13:21 GMT",
        NOW,
        "Thu, 15 Nov 1973 22:13:21 GMT",
    ),
    ("later in that year, too", "9110-5.6.7", "Monday, 31-Dec-73 00:00:00 GMT", NOW, "Mon, 31 Dec 1973 00:00:00 GMT"),
    ("past stays past", "9110-5.6.7", "Sunday, 06-Nov-22 08:49:37 GMT", NOW, "Sun, 06 Nov 2022 08:49:37 GMT"),
    (
        "without now the pivot is 1970",
        "6265-5.1.1",
        "Thursday, 01-Jan-70 00:00:00 GMT",
        None,
        "Thu, 01 Jan 1970 00:00:00 GMT",
    ),
    ("without now 69 is 2069", "6265-5.1.1", "Tuesday, 31-Dec-69 23:59:59 GMT", None, "Tue, 31 Dec 2069 23:59:59 GMT"),
)
def test_two_digits_of_year_mean_the_nearest_past_beyond_fifty_years(
    text: str, now: float | None, expected: str
) -> None:
    at = parse_date(text, now)
    assert at is not None
    assert format_date(at) == expected


def test_a_day_that_only_the_century_before_has_is_that() -> None:
    """29 February 2100 does not exist, 29 February 2000 does."""
    assert parse_date("Tuesday, 29-Feb-00 00:00:00 GMT", 4_105_123_200.0) == 951_782_400.0


@rows(
    "at expected",
    ("it is cut to the second", "9110-5.6.7", EXAMPLE + 0.999, "Sun, 06 Nov 1994 08:49:37 GMT"),
    ("before 1970 downwards, too", "9110-5.6.7", -0.5, "Wed, 31 Dec 1969 23:59:59 GMT"),
    ("not beyond the last date", "9110-5.6.7", math.inf, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ("not before the first", "9110-5.6.7", -math.inf, "Mon, 01 Jan 0001 00:00:00 GMT"),
)
def test_a_time_is_written_as_imf_fixdate(at: float, expected: str) -> None:
    assert format_date(at) == expected


@given(http_seconds)
def test_parse_after_render_is_the_identity(second: int) -> None:
    assert parse_date(format_date(second)) == second
    assert parse_date(format_date(second), NOW) == second


@pytest.mark.parametrize("case", [str.lower, str.upper, str.swapcase])
@given(second=http_seconds)
def test_case_changes_nothing(case: type[str], second: int) -> None:
    assert parse_date(case(format_date(second))) == second
