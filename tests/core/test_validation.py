"""Validation: RFC 9111 §4.3, and the user's own preconditions (RFC 9110 §13)."""

from __future__ import annotations

import pytest
from core_rows import DATE, NOW, SECRET, ask, fields, got, record_of, rows, rules_of
from hypothesis import given
from strategies import requests, response_headers

from sansio_cache.dates import format_date
from sansio_cache.messages import Headers, Request
from sansio_cache.records import Record
from sansio_cache.validation import (
    Precondition,
    asks_for_others,
    conditional_request,
    freshened_headers,
    has_preconditions,
    head_confirms,
    precondition,
    selected_by,
    update_of,
)

LAST = format_date(NOW - 3000)
EARLIER = format_date(NOW - 4000)
LATER = format_date(NOW - 2000)
MODIFIED = f"Last-Modified: {LAST}"
DATED_LONG_AGO = f"If-Modified-Since: {EARLIER}"
TAG = 'ETag: "a"'
NONE, NOT_MODIFIED, ORIGIN = Precondition


@rows(
    "lines stored expected",
    ("none", "13.2.2", [], [TAG], NONE),
    ("If-None-Match, the same", "13.1.2", ['If-None-Match: "a"'], [TAG], NOT_MODIFIED),
    ("another", "13.1.2", ['If-None-Match: "b"'], [TAG], NONE),
    ("the first of a list", "13.1.2", ['If-None-Match: "a", "b"'], [TAG], NOT_MODIFIED),
    ("the last of a list", "13.1.2", ['If-None-Match: "b", "a"'], [TAG], NOT_MODIFIED),
    ("on a line of its own", "13.1.2", ['If-None-Match: "b"', 'If-None-Match: "a"'], [TAG], NOT_MODIFIED),
    ("a comma within a tag", "8.8.3", ['If-None-Match: "b,", "a"'], [TAG], NOT_MODIFIED),
    ("obs-text", "8.8.3", ['If-None-Match: "\xfc"'], ['ETag: "\xfc"'], NOT_MODIFIED),
    ("weak against strong", "13.1.2", ['If-None-Match: W/"a"'], [TAG], NOT_MODIFIED),
    ("strong against weak", "13.1.2", ['If-None-Match: "a"'], ['ETag: W/"a"'], NOT_MODIFIED),
    ("any", "13.1.2", ["If-None-Match: *"], [], NOT_MODIFIED),
    ("a tag, and nothing to compare", "13.1.2", ['If-None-Match: "a"'], [], NONE),
    ("a tag without quotes is none", "8.8.3", ["If-None-Match: a"], [TAG], NONE),
    ("If-Modified-Since, the same", "13.1.3", [f"If-Modified-Since: {LAST}"], [MODIFIED], NOT_MODIFIED),
    ("later", "13.1.3", [f"If-Modified-Since: {LATER}"], [MODIFIED], NOT_MODIFIED),
    ("earlier", "13.1.3", [f"If-Modified-Since: {EARLIER}"], [MODIFIED], NONE),
    ("no date", "13.1.3", ["If-Modified-Since: x"], [MODIFIED], NONE),
    ("in another form", "13.1.3", ["If-Modified-Since: Tuesday, 14-Nov-23 21:23:20 GMT"], [MODIFIED], NOT_MODIFIED),
    ("without Last-Modified it is Date", "4.3.2", [f"If-Modified-Since: {format_date(NOW)}"], [DATE], NOT_MODIFIED),
    ("and before Date", "4.3.2", [f"If-Modified-Since: {LAST}"], [DATE], NONE),
    ("without Date it is our time", "4.3.2", [f"If-Modified-Since: {format_date(NOW + 1)}"], [], NOT_MODIFIED),
    (
        "If-None-Match takes precedence",
        "4.3.2",
        ['If-None-Match: "b"', f"If-Modified-Since: {LATER}"],
        [TAG, MODIFIED],
        NONE,
    ),
    (
        "in the other direction, too",
        "4.3.2",
        ['If-None-Match: "a"', f"If-Modified-Since: {EARLIER}"],
        [TAG, MODIFIED],
        NOT_MODIFIED,
    ),
    ("more tags than are read", "G31", ['If-None-Match: "a"' + ', "b"' * 1000], [TAG], ORIGIN),
    ("If-Match is the origin's", "4.3.2", ['If-Match: "a"'], [TAG], ORIGIN),
    ("If-Unmodified-Since is the origin's", "4.3.2", [f"If-Unmodified-Since: {LAST}"], [MODIFIED], ORIGIN),
)
def test_preconditions_are_evaluated(lines: list[str], stored: list[str], expected: Precondition) -> None:
    assert precondition(ask(*lines), record_of(*stored)) is expected
    assert precondition(ask(*lines, method="HEAD"), record_of(*stored)) is expected


@rows(
    "lines expected",
    ("none", "13.1.2", [], NONE),
    ("If-None-Match", "13.1.2", ["If-None-Match: *"], ORIGIN),
    ("If-Modified-Since", "13.1.3", [f"If-Modified-Since: {LATER}"], ORIGIN),
    ("If-Match", "13.1.1", ["If-Match: *"], ORIGIN),
)
def test_to_other_methods_they_are_the_origins(lines: list[str], expected: Precondition) -> None:
    """There they mean "only if", and are answered by 412."""
    assert precondition(ask(*lines, method="POST"), record_of(TAG)) is expected


@rows(
    "lines expected",
    ("none", "13", [], False),
    ("If-None-Match", "13", ["If-None-Match: *"], True),
    ("If-Modified-Since", "13", ["If-Modified-Since: x"], True),
    ("If-Match is answered by no 304", "13", ["If-Match: *"], False),
)
def test_a_304_may_be_the_users(lines: list[str], expected: bool) -> None:
    assert has_preconditions(ask(*lines)) is expected


@rows(
    "lines expected",
    ("none", "4.3.2", [], False),
    ("only ours", "4.3.2", ['If-None-Match: "a"'], False),
    ("only ours, weak", "4.3.2", ['If-None-Match:  W/"a"'], False),
    ("another", "4.3.2", ['If-None-Match: "b"'], True),
    ("ours and another", "4.3.2", ['If-None-Match: "a", "b"'], True),
    ("any", "4.3.2", ["If-None-Match: *"], True),
    ("a comma within another", "8.8.3", ['If-None-Match: "a,"'], True),
    ("what cannot be read", "8.8.3", ['If-None-Match: "a'], True),
)
def test_the_user_asks_for_other_responses(lines: list[str], expected: bool) -> None:
    assert asks_for_others(ask(*lines), record_of(TAG)) is expected


@rows(
    "lines stored expected",
    ("ETag", "4.3.1", [], [TAG], ['If-None-Match: "a"']),
    ("a weak ETag", "4.3.1", [], ['ETag: W/"a"'], ['If-None-Match: W/"a"']),
    ("an ETag without quotes, as it came", "4.3.1", [], ["ETag: a"], ["If-None-Match: a"]),
    ("Last-Modified", "4.3.1", [], [MODIFIED], [f"If-Modified-Since: {LAST}"]),
    ("both", "4.3.1", [], [TAG, MODIFIED], ['If-None-Match: "a"', f"If-Modified-Since: {LAST}"]),
    ("what the request says stays", "4.3.1", ["Accept: b"], [TAG], ["Accept: b", 'If-None-Match: "a"']),
    ("a range, too", "4.3.1", ["Range: bytes=0-1"], [TAG], ["Range: bytes=0-1", 'If-None-Match: "a"']),
    ("the user's tags are joined", "4.3.2", ['If-None-Match: "b"'], [TAG], ['If-None-Match: "b", "a"']),
    ("a comma in a tag", "9110-8.8.3", ['If-None-Match: "b"'], ['ETag: "a,b"'], ['If-None-Match: "b", "a,b"']),
    (
        "a comma in ours, which the user has",
        "9110-8.8.3",
        ['If-None-Match: "a,b"'],
        ['ETag: "a,b"'],
        ['If-None-Match: "a,b"'],
    ),
    (
        "a comma in the user's that begins as ours",
        "9110-8.8.3",
        ['If-None-Match: "x,"'],
        ['ETag: "x"'],
        ['If-None-Match: "x,", "x"'],
    ),
    ("obs-text in a tag", "9110-5.5", [], ['ETag: "\xfc"'], ['If-None-Match: "\xfc"']),
    (
        "a date beside a tag that cannot be sent",
        "9110-5.5",
        [],
        ['ETag: "\x01"', MODIFIED],
        [f"If-Modified-Since: {LAST}"],
    ),
    ("a tag beside a date that cannot be sent", "9110-5.5", [], [TAG, "Last-Modified: \x01"], ['If-None-Match: "a"']),
    (
        "our date beside the user's tags",
        "4.3.1",
        ['If-None-Match: "b"'],
        [TAG, MODIFIED],
        ['If-None-Match: "b", "a"', f"If-Modified-Since: {LAST}"],
    ),
    (
        "our date beside the user's tags, and we have no tag",
        "4.3.1",
        ['If-None-Match: "b"'],
        [MODIFIED],
        ['If-None-Match: "b"', f"If-Modified-Since: {LAST}"],
    ),
    (
        "the user's date beside the user's tags stays",
        "4.3.2",
        ['If-None-Match: "b"', DATED_LONG_AGO],
        [TAG, MODIFIED],
        [DATED_LONG_AGO, 'If-None-Match: "b", "a"'],
    ),
    (
        "the user's tags with ours among them",
        "4.3.2",
        ['If-None-Match: W/"a","b"'],
        [TAG],
        ['If-None-Match: W/"a","b"'],
    ),
)
def test_a_request_is_made_conditional(lines: list[str], stored: list[str], expected: list[str]) -> None:
    made = conditional_request(ask(*lines), record_of(*stored))
    assert made.headers == fields(*expected)


@rows(
    "lines stored",
    ("nothing to ask by", "4.3.1", [], []),
    ("a tag that must not be stored", "5.2.2.4", [], [TAG, 'Cache-Control: no-cache="etag"']),
    ("the user asks for any", "4.3.2", ["If-None-Match: *"], [TAG]),
    ("the user asks by tag and date, and we have a date", "4.3.2", ['If-None-Match: "b"', DATED_LONG_AGO], [MODIFIED]),
    ("the user's tags cannot be read", "8.8.3", ['If-None-Match: "b'], [TAG]),
    ("any among the user's tags", "8.8.3", ['If-None-Match: "b", *'], [TAG]),
    ("a tag with a control character", "9110-5.5", [], ['ETag: "a\x01c"']),
    ("a tag with a line end", "9110-5.5", [], ['ETag: "a\r\nX: 1"']),
    ("a tag with NUL", "9110-5.5", [], ['ETag: "a\0"']),
    ("a tag with DEL", "9110-5.5", [], ['ETag: "a\x7f"']),
    ("a tag outside latin-1", "9110-5.5", [], ['ETag: "\u0142"']),
    ("an empty tag", "9110-8.8.3", [], ["ETag: "]),
    ("any, for a tag", "9110-8.8.3", [], ["ETag: *"]),
    ("a quote that is not closed", "9110-8.8.3", [], ['ETag: "a']),
    ("a comma without quotes", "9110-8.8.3", [], ["ETag: a,b"]),
    ("two tags on a line", "9110-8.8.3", [], ['ETag: "a", "b"']),
    ("two lines of tags", "9110-8.8.3", [], ['ETag: "a"', 'ETag: "b"']),
    ("a date with a control character", "9110-5.5", [], [f"{MODIFIED}\x01"]),
    ("a date with a line end", "9110-5.5", [], [f"{MODIFIED}\nX: 1"]),
    ("two dates", "9110-8.8.2", [], [MODIFIED, MODIFIED]),
    ("the user asks by a date", "4.3.2", [f"If-Modified-Since: {EARLIER}"], [TAG, MODIFIED]),
    ("If-Match", "4.3.2", ['If-Match: "a"'], [TAG]),
    ("If-Unmodified-Since", "4.3.2", [f"If-Unmodified-Since: {LAST}"], [TAG]),
)
def test_a_request_goes_out_as_it_is(lines: list[str], stored: list[str]) -> None:
    request = ask(*lines)
    # Signed: an unsigned head outside latin-1 does not open.
    assert conditional_request(request, record_of(*stored, rules=rules_of(secret=SECRET))) is request


ASKED = record_of(TAG, MODIFIED)
OTHER = record_of('ETag: "b"')
WEAK = record_of('ETag: W/"a"')
DATED = record_of(MODIFIED)
PLAIN = record_of(DATE)


@rows(
    "lines asked others expected",
    ("its tag", "4.3.4", [TAG], ASKED, [OTHER], ASKED),
    ("another's tag", "4.3.4", ['ETag: "b"'], ASKED, [OTHER], OTHER),
    ("nobody's tag", "4.3.4", ['ETag: "c"'], ASKED, [OTHER], None),
    ("a tag, where none was stored", "4.3.4", [TAG], DATED, [], None),
    ("a weak tag, the same", "4.3.4", ['ETag: W/"a"'], WEAK, [], WEAK),
    ("a weak tag for a strong one", "4.3.4", ['ETag: W/"a"'], ASKED, [], ASKED),
    ("a strong tag for its weak form", "4.3.4", [TAG], WEAK, [], None),
    ("a strong tag, the same, before what was asked", "4.3.4", [TAG], WEAK, [ASKED], ASKED),
    ("a weak tag: the most recent", "4.3.4", ['ETag: W/"a"'], ASKED, [WEAK], WEAK),
    ("another weak tag", "4.3.4", ['ETag: W/"c"', MODIFIED], ASKED, [], None),
    ("a weak tag that none has, and the date", "4.3.4", ['ETag: W/"c"', MODIFIED], DATED, [], DATED),
    ("an empty tag is none", "4.3.4", ["ETag: "], ASKED, [], ASKED),
    ("its date", "4.3.4", [MODIFIED], DATED, [], DATED),
    ("its date in another form", "4.3.4", ["Last-Modified: Tuesday, 14-Nov-23 21:23:20 GMT"], DATED, [], DATED),
    ("another date", "4.3.4", [f"Last-Modified: {LATER}"], DATED, [], None),
    ("another date beside a stored tag", "4.3.4", [f"Last-Modified: {LATER}"], ASKED, [], None),
    ("no date at all", "4.3.4", ["Last-Modified: x"], DATED, [], None),
    ("a date, where none was stored", "4.3.4", [f"Last-Modified: {LATER}"], OTHER, [], None),
    ("the date of another", "4.3.4", [MODIFIED], OTHER, [DATED], DATED),
    ("no validator", "disputed", [], ASKED, [OTHER], ASKED),
    ("no validator, and none stored", "4.3.4", [], PLAIN, [], PLAIN),
)
def test_a_304_is_about(lines: list[str], asked: Record, others: list[Record], expected: Record | None) -> None:
    assert selected_by(got(*lines, status=304), [*others, asked], asked) is expected


@rows(
    "lines stored expected",
    ("nothing to compare", "4.3.5", [], [TAG], True),
    ("the same tag", "4.3.5", [TAG], [TAG], True),
    ("another tag", "4.3.5", ['ETag: "b"'], [TAG], False),
    ("a tag where none was stored", "4.3.5", [TAG], [], False),
    ("the same date", "4.3.5", [MODIFIED], [MODIFIED], True),
    ("another date", "4.3.5", [f"Last-Modified: {LATER}"], [MODIFIED], False),
    ("the same length", "4.3.5", ["Content-Length: 10"], ["Content-Length: 10"], True),
    ("another length", "4.3.5", ["Content-Length: 11"], ["Content-Length: 10"], False),
    ("the length of what came in chunks", "4.3.5", ["Content-Length: 10"], [], True),
    ("another length than what came in chunks", "4.3.5", ["Content-Length: 11"], [], False),
)
def test_a_200_to_head_confirms_a_stored_get(lines: list[str], stored: list[str], expected: bool) -> None:
    assert head_confirms(got(*lines), record_of(*stored)) is expected


@rows(
    "lines expected",
    ("nothing", "3.2", [], ["A: 1", "A: 2", "B: 1"]),
    ("a field replaces all its lines", "3.2", ["a: 3"], ["B: 1", "a: 3"]),
    ("a new field is added", "3.2", ["C: 1", "C: 2"], ["A: 1", "A: 2", "B: 1", "C: 1", "C: 2"]),
    ("Cache-Control is updated", "3.2", ["Cache-Control: x"], ["A: 1", "A: 2", "B: 1", "Cache-Control: x"]),
    ("Content-Type is updated", "3.2", ["Content-Type: x"], ["A: 1", "A: 2", "B: 1", "Content-Type: x"]),
    ("Content-Length is not", "3.2", ["Content-Length: 5"], ["A: 1", "A: 2", "B: 1"]),
    ("Content-Encoding is not", "3.2", ["Content-Encoding: x"], ["A: 1", "A: 2", "B: 1"]),
    ("Content-Range is not", "3.2", ["Content-Range: x"], ["A: 1", "A: 2", "B: 1"]),
    ("Content-MD5 is not", "3.2", ["Content-MD5: x"], ["A: 1", "A: 2", "B: 1"]),
    ("ETag is not", "3.2", ['ETag: "b"'], ["A: 1", "A: 2", "B: 1"]),
    ("hop-by-hop fields are not", "3.2", ["Transfer-Encoding: x", "Keep-Alive: x"], ["A: 1", "A: 2", "B: 1"]),
    ("nor what Connection names", "3.2", ["Connection: x, A", "A: 3"], ["A: 1", "A: 2", "B: 1"]),
)
def test_stored_fields_are_updated(lines: list[str], expected: list[str]) -> None:
    assert freshened_headers(fields("A: 1", "A: 2", "B: 1"), update_of(fields(*lines))) == fields(*expected)


def test_a_stored_age_does_not_outlive_the_update() -> None:
    """It belonged to the older message; the newer one's counts."""
    assert freshened_headers(fields("Age: 5"), fields("B: 1")) == fields("B: 1")
    assert freshened_headers(fields("Age: 5"), fields("Age: 7")) == fields("Age: 7")


@pytest.mark.once
@given(requests, response_headers)
def test_the_users_own_fields_are_never_lost(request: Request, stored: Headers) -> None:
    """A conditional request says all that the user's said; only If-None-Match may say more."""
    record = record_of(*(f"{name}: {value}" for name, value in stored if ":" not in name), DATE)
    made = conditional_request(request, record)
    added = {"if-none-match", "if-modified-since"}
    assert made.headers.without(added) == request.headers.without(added)
    for name in added & set(request.headers.names()):
        assert (made.headers.get(name) or "").startswith(request.headers.get(name) or "")
