"""Vary: RFC 9111 §4.1, RFC 9110 §12.5.5."""

from __future__ import annotations

from core_rows import META, fields, rows
from hypothesis import given
from hypothesis import strategies as st
from strategies import field_names, field_values

from sansio_cache.keys import KeyMaker
from sansio_cache.messages import Headers
from sansio_cache.policy import Policy
from sansio_cache.vary import ANYTHING, nominated, nominated_value


@rows(
    "lines expected",
    ("no field", "4.1", [], ()),
    ("an empty field", "4.1", ["Vary: "], ()),
    ("a name", "4.1", ["Vary: Accept"], ("accept",)),
    ("names, each once, in order", "4.1", ["Vary: b, A,b , a"], ("a", "b")),
    ("names on several lines", "4.1", ["Vary: b", "Vary: a"], ("a", "b")),
    ("a star", "4.1", ["Vary: *"], ANYTHING),
    ("two stars", "4.1", ["Vary: *, *"], ANYTHING),
    ("two stars on two lines", "4.1", ["Vary: *", "Vary: *"], ANYTHING),
    ("a star after nothing", "4.1", ["Vary: , *"], ANYTHING),
    ("a star after an empty line", "4.1", ["Vary: ", "Vary: *"], ANYTHING),
    ("a star before a name", "4.1", ["Vary: *, Foo"], ANYTHING),
    ("a star after a name", "4.1", ["Vary: Foo, *"], ANYTHING),
    ("a star with white space", "G12", ["Vary: *\t "], ANYTHING),
    ("what is no name", "G12", ["Vary: Foo Bar"], ANYTHING),
    ("a control character", "G12", ["Vary: Foo\x00"], ANYTHING),
    ("a name in quotes", "G12", ['Vary: "Foo"'], ANYTHING),
    ("more than is remembered", "G28", ["Vary: " + "a, " * 900], ("a",)),
    ("more than is read", "G31", ["Vary: " + "a, " * 1000], ANYTHING),
    ("lines of it", "G31", ["Vary: a"] * 1001, ANYTHING),
    ("a name longer than is read", "G31", ["Vary: " + "a" * 65_537], ANYTHING),
)
def test_vary_nominates(lines: list[str], expected: tuple[str, ...]) -> None:
    assert nominated(fields(*lines)) == expected


@rows(
    "name one other",
    ("absent twice", "4.1", "foo", [], []),
    ("the same", "4.1", "foo", ["Foo: 1"], ["FOO: 1"]),
    ("white space around commas", "4.1", "foo", ["Foo: 1,2"], ["Foo:  1 ,\t2 "]),
    ("lines combined", "4.1", "foo", ["Foo: 1, 2"], ["Foo: 1", "Foo: 2"]),
    ("quoted lines combined", "4.1", "foo", ['Foo: "1",2'], ['Foo: "1" ', "Foo: 2"]),
    ("case of codings", "9110-12.5.3", "accept-encoding", ["Accept-Encoding: gzip"], ["Accept-Encoding: GZip"]),
    ("order of codings", "9110-12.5.3", "accept-encoding", ["Accept-Encoding: br, gzip"], ["Accept-Encoding: gzip,br"]),
    ("spaces in weights", "9110-12.5.3", "accept-encoding", ["Accept-Encoding: br;q=1"], ["Accept-Encoding: br; q=1,"]),
    ("case of languages", "9110-12.5.4", "accept-language", ["Accept-Language: en, de"], ["Accept-Language: EN,\tDe"]),
    (
        "spaces in weights of languages",
        "9110-12.5.4",
        "accept-language",
        ["Accept-Language: a;q=1"],
        ["Accept-Language: a ; q=1"],
    ),
)
def test_values_that_mean_the_same_match(name: str, one: list[str], other: list[str]) -> None:
    assert nominated_value(name, fields(*one)) == nominated_value(name, fields(*other))


@rows(
    "name one other",
    ("absent and present", "4.1", "foo", [], ["Foo: 1"]),
    ("absent and empty", "4.1", "foo", [], ["Foo: "]),
    ("another value", "4.1", "foo", ["Foo: 1"], ["Foo: 2"]),
    ("case of what is not known to have none", "4.1", "foo", ["Foo: a"], ["Foo: A"]),
    ("order of what is not known to have none", "4.1", "foo", ["Foo: 1, 2"], ["Foo: 2, 1"]),
    ("white space within a word", "4.1", "foo", ["Foo: 1 2"], ["Foo: 12"]),
    ("white space within quotes", "4.1", "foo", ['Foo: "1, 2"'], ['Foo: "1,2"']),
    ("order of languages", "9110-12.5.4", "accept-language", ["Accept-Language: en, de"], ["Accept-Language: de, en"]),
    ("a weight", "9110-12.5.3", "accept-encoding", ["Accept-Encoding: br;q=0"], ["Accept-Encoding: br"]),
)
def test_values_that_may_differ_do_not_match(name: str, one: list[str], other: list[str]) -> None:
    assert nominated_value(name, fields(*one)) != nominated_value(name, fields(*other))


@given(st.lists(field_values, max_size=3))
def test_any_field_can_be_read(values: list[str]) -> None:
    headers = Headers(("Vary", value) for value in values)
    names = nominated(headers)
    assert all(name == name.lower() for name in names)
    assert len(set(names)) == len(names)


@given(field_names, field_values)
def test_a_star_anywhere_is_anything(name: str, junk: str) -> None:
    assert nominated(Headers([("Vary", junk), ("Vary", name), ("Vary", "*")])) == ANYTHING


MAKER = KeyMaker(Policy(), META.salt)


@given(field_names, st.lists(field_values, max_size=3))
def test_a_tag_is_that_of_the_value_whatever_was_asked_before(name: str, lines: list[str]) -> None:
    name = name.lower()
    headers = Headers((name, line) for line in lines)
    expected = KeyMaker(Policy(), META.salt).tag(name.encode() + b"\0" + nominated_value(name, headers))
    assert [MAKER.vary_tag(name, headers), MAKER.vary_tag(name, headers)] == [expected, expected]


def test_tags_of_one_line_and_of_two_are_told_apart() -> None:
    said = ([], [("a", "")], [("a", "b")], [("a", "b"), ("a", "c")], [("a", "bc")])
    assert len({MAKER.vary_tag("a", Headers(items)) for items in said}) == len(said)
