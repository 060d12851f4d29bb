"""Validators as they are read, compared and sent (RFC 9110 §8.8)."""

from __future__ import annotations

import time

from core_rows import fields, rows
from hypothesis import given
from hypothesis import strategies as st
from strategies import field_values

from sansio_cache.messages import Headers
from sansio_cache.validators import entity_tags, is_strong, usable_date, usable_tag, weak

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@rows(
    "lines expected",
    ("strong", "8.8.3", ['ETag: "a"'], '"a"'),
    ("weak", "8.8.3", ['ETag: W/"a"'], 'W/"a"'),
    ("empty within quotes", "8.8.3", ['ETag: ""'], '""'),
    ("white space around it", "5.5", ['ETag: \t"a" '], '"a"'),
    ("a comma", "8.8.3", ['ETag: "a,b"'], '"a,b"'),
    ("a blank, as some origins have it", "8.8.3", ['ETag: "a b"'], '"a b"'),
    ("without quotes, as some origins have it", "8.8.3", ["ETag: a"], "a"),
    ("obs-text", "5.5", ['ETag: "\xfc"'], '"\xfc"'),
    ("a tab", "8.8.3", ['ETag: "a\tb"'], None),
    ("a weak one in lower case is none", "8.8.3", ['ETag: w/"a"'], None),
    ("none", "8.8.3", [], None),
)
def test_a_tag_can_be_sent(lines: list[str], expected: str | None) -> None:
    """More that cannot: test_validation.py."""
    assert usable_tag(fields(*lines)) == expected


@rows(
    "lines expected",
    ("a date", "8.8.2", [f"Last-Modified: {DATE}"], DATE),
    ("what is no date, as it came", "8.8.2", ["Last-Modified: x"], "x"),
    ("empty", "5.5", ["Last-Modified: "], None),
    ("none", "8.8.2", [], None),
)
def test_a_date_can_be_sent(lines: list[str], expected: str | None) -> None:
    assert usable_date(fields(*lines)) == expected


@rows(
    "lines expected",
    ("one", "13.1.2", ['"a"'], ['"a"']),
    ("several", "13.1.2", ['"a", W/"b"'], ['"a"', 'W/"b"']),
    ("on several lines", "5.3", ['"a"', '"b"'], ['"a"', '"b"']),
    ("without white space", "5.6.1", ['"a","b"'], ['"a"', '"b"']),
    ("empty members", "5.6.1.2", [', "a", ,"b",'], ['"a"', '"b"']),
    ("a comma in one", "8.8.3", ['"a,b", "c"'], ['"a,b"', '"c"']),
    ("without quotes", "8.8.3", ["a, b"], ["a", "b"]),
    ("any", "13.1.2", ["*"], ["*"]),
    ("nothing", "13.1.2", [""], []),
    ("no comma between two", "5.6.1", ['"a" "b"'], None),
    ("a quote that is not closed", "8.8.3", ['"a", "b'], None),
    ("a control character", "5.5", ['"a\x01"'], None),
    ("more than is read", "G31", [", ".join(['"a"'] * 1001)], None),
)
def test_a_list_of_tags_is_read(lines: list[str], expected: list[str] | None) -> None:
    assert entity_tags(lines) == expected


def test_tags_are_compared() -> None:
    assert (weak('W/"a"'), weak('"a"')) == ('"a"', '"a"')
    assert (is_strong('W/"a"'), is_strong('"a"')) == (False, True)


@given(st.lists(field_values, max_size=3))
def test_what_can_be_sent_can_be_read(values: list[str]) -> None:
    """A usable tag is one member of a list, whatever stands in it; and no list raises."""
    entity_tags(values)
    tag = usable_tag(Headers([("ETag", value) for value in values]))
    assert tag is None or entity_tags([tag]) == [tag]


@rows(
    "text",
    ("quotes", "G31", '"' * 65_000),
    ("tags without end", "G31", '"a' * 32_000),
    ("bare tags without commas", "G31", "a " * 32_000),
    ("commas within quotes", "G31", '"' + "W/" * 32_000),
)
def test_a_long_list_is_read_in_linear_time(text: str) -> None:
    began = time.process_time()
    entity_tags([text])
    assert time.process_time() - began < 0.5
