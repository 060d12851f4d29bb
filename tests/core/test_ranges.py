"""Range requests: RFC 9110 §14, answered from a complete stored response, and If-Range (§13.1.5)."""

from __future__ import annotations

from core_rows import DATE, NOW, ask, record_of, rows
from hypothesis import given
from hypothesis import strategies as st
from strategies import field_values

from sansio_cache.dates import format_date
from sansio_cache.messages import Headers, Request
from sansio_cache.ranges import Elsewhere, Part, Unsatisfiable, Whole, requested_part

Answer = Part | Whole | Unsatisfiable | Elsewhere
LAST = format_date(NOW - 3000)
RECORD = record_of(DATE, 'ETag: "a"', f"Last-Modified: {LAST}")


@rows(
    "value expected",
    ("the first bytes", "14.1.2", "bytes=0-1", Part(0, 2)),
    ("some bytes", "14.1.2", "bytes=3-5", Part(3, 6)),
    ("one byte", "14.1.2", "bytes=9-9", Part(9, 10)),
    ("from a byte on", "14.1.2", "bytes=4-", Part(4, 10)),
    ("beyond the end", "14.1.2", "bytes=4-99", Part(4, 10)),
    ("the last bytes", "14.1.2", "bytes=-3", Part(7, 10)),
    ("more last bytes than there are", "14.1.2", "bytes=-99", Part(0, 10)),
    ("as many as nobody has", "14.1.2", "bytes=-" + "9" * 5000, Part(0, 10)),
    ("leading zeros", "14.1.2", "bytes=-0000000000000000000003", Part(7, 10)),
    ("white space", "14.1.2", " bytes= 0-1 ", Part(0, 2)),
    ("the unit in upper case", "14.1", "BYTES=0-1", Part(0, 2)),
    ("no last bytes", "14.1.2", "bytes=-0", Unsatisfiable()),
    ("after the end", "14.1.2", "bytes=10-", Unsatisfiable()),
    ("far after the end", "14.1.2", "bytes=99-100", Unsatisfiable()),
    ("backwards", "14.1.2", "bytes=5-4", Elsewhere()),
    ("several ranges", "14.2", "bytes=0-1,3-4", Elsewhere()),
    ("another unit", "14.2", "items=0-1", Elsewhere()),
    ("no unit", "14.2", "0-1", Elsewhere()),
    ("no range", "14.1.2", "bytes=", Elsewhere()),
    ("no numbers", "14.1.2", "bytes=a-b", Elsewhere()),
    ("other digits", "14.1.2", "bytes=\u0660-\u0661", Elsewhere()),
    ("a number that nobody counts to", "14.1.2", "bytes=0-" + "9" * 5000, Elsewhere()),
    ("a start that nobody counts to", "14.1.2", "bytes=" + "9" * 5000 + "-", Elsewhere()),
)
def test_a_range_is_taken_from_the_whole(value: str, expected: Answer) -> None:
    assert requested_part(ask(f"Range: {value}"), RECORD) == expected


@rows(
    "request_ status expected",
    ("no Range", "14.2", ask(), 200, Whole()),
    ("HEAD", "14.2", ask("Range: bytes=0-1", method="HEAD"), 200, Whole()),
    ("POST", "14.2", ask("Range: bytes=0-1", method="POST"), 200, Whole()),
    ("a stored 404", "14.2", ask("Range: bytes=0-1"), 404, Whole()),
)
def test_the_whole_is_the_answer_to(request_: Request, status: int, expected: Answer) -> None:
    assert requested_part(request_, record_of(DATE, status=status)) == expected


@rows(
    "value expected",
    ("of nothing from the start", "14.1.2", "bytes=0-", Unsatisfiable()),
    ("of nothing from the end", "14.1.2", "bytes=-1", Unsatisfiable()),
)
def test_an_empty_body_has_no_range(value: str, expected: Answer) -> None:
    assert requested_part(ask(f"Range: {value}"), record_of(DATE, body=b"")) == expected


@rows(
    "value expected",
    ("the same tag", "13.1.5", '"a"', Part(0, 2)),
    ("another tag", "13.1.5", '"b"', Whole()),
    ("a weak tag never matches", "13.1.5", 'W/"a"', Whole()),
    ("the same date", "13.1.5", LAST, Part(0, 2)),
    ("the same date in another form", "13.1.5", "Tuesday, 14-Nov-23 21:23:20 GMT", Part(0, 2)),
    ("a later date, too, is another", "13.1.5", format_date(NOW), Whole()),
    ("neither tag nor date", "13.1.5", "x", Whole()),
    ("empty", "13.1.5", "", Whole()),
)
def test_a_range_is_given_if_the_condition_holds(value: str, expected: Answer) -> None:
    assert requested_part(ask("Range: bytes=0-1", f"If-Range: {value}"), RECORD) == expected


@rows(
    "lines expected",
    ("a second before Date is strong", "8.8.2.2", [DATE, f"Last-Modified: {format_date(NOW - 1)}"], Part(0, 2)),
    ("the second of Date is weak", "8.8.2.2", [DATE, f"Last-Modified: {format_date(NOW)}"], Whole()),
    ("no date to compare", "8.8.2.2", [DATE], Whole()),
)
def test_a_date_is_a_strong_validator_only_if_time_has_passed(lines: list[str], expected: Answer) -> None:
    record = record_of(*lines)
    stated = record.headers.get("last-modified") or format_date(NOW)
    assert requested_part(ask("Range: bytes=0-1", f"If-Range: {stated}"), record) == expected


@given(field_values | st.from_regex(r"\Abytes=[0-9]{0,3}-[0-9]{0,3}\Z"), field_values)
def test_a_part_is_never_empty_nor_beyond_the_whole(value: str, condition: str) -> None:
    for lines in ([("Range", value)], [("Range", value), ("If-Range", condition)]):
        part = requested_part(Request("GET", "http://x/", Headers(lines)), RECORD)
        if isinstance(part, Part):
            assert 0 <= part.start < part.stop <= RECORD.head.length
