"""Cache-Control: RFC 9111 §5.2, the extensions of RFC 5861 and 8246, and the targeted fields of RFC 9213."""

from __future__ import annotations

import time

from core_rows import rows
from hypothesis import given
from hypothesis import strategies as st
from strategies import cache_controls, field_values

from sansio_cache.cache_control import (
    NO_DIRECTIVES,
    STRICTEST,
    Directives,
    parse_cache_control,
    parse_delta,
    parse_targeted,
)

MOST = 2_147_483_648.0
BAD = -1.0


@rows(
    "text expected",
    ("0", "1.2.2", "0", 0.0),
    ("seconds", "1.2.2", "3600", 3600.0),
    ("leading zeros count for nothing", "1.2.2", "000000003600", 3600.0),
    ("2^31", "1.2.2", "2147483648", MOST),
    ("what overflows is 2^31", "1.2.2", "2147483649", MOST),
    ("what overflows by far is 2^31", "1.2.2", "9" * 5000, MOST),
    ("nothing is no delta", "1.2.2", "", None),
    ("negative is no delta", "1.2.2", "-1", None),
    ("a decimal is no delta", "1.2.2", "1.0", None),
    ("white space is no part of it", "1.2.2", " 1", None),
    ("other digits are none", "1.2.2", "٣", None),
)
def test_delta_seconds_are_read(text: str, expected: float | None) -> None:
    assert parse_delta(text) == expected


@rows(
    "text expected",
    ("nothing says nothing", "5.2", "", Directives()),
    ("commas say nothing", "5.2", ",, ,", Directives()),
    ("case does not matter", "5.2", "No-StOrE, MAX-age=5", Directives(no_store=True, max_age=5.0)),
    ("unknown directives are ignored", "5.2.3", 'foo, bar="baz, max-age=5", max-age=1', Directives(max_age=1.0)),
    ("a quoted string is one value", "5.2", 'x="no-store, private", public', Directives(public=True)),
    ("escapes are undone", "5.2", 'no-cache="\\e\\tag"', Directives(no_cache=frozenset({"etag"}))),
    ("an escaped quote ends nothing", "5.2", 'x="\\", no-store", public', Directives(public=True)),
    ("both forms of argument are accepted", "5.2", 'max-age="5"', Directives(max_age=5.0)),
    ("max-age", "5.2.2.1", "max-age=3600", Directives(max_age=3600.0)),
    ("s-maxage", "5.2.2.10", "s-maxage=3600", Directives(s_maxage=3600.0)),
    ("must-revalidate", "5.2.2.2", "must-revalidate", Directives(must_revalidate=True)),
    ("proxy-revalidate", "5.2.2.8", "proxy-revalidate", Directives(proxy_revalidate=True)),
    ("must-understand", "5.2.2.3", "must-understand", Directives(must_understand=True)),
    ("no-cache", "5.2.2.4", "no-cache", Directives(no_cache=True)),
    ("no-cache restricted to fields", "5.2.2.4", 'no-cache="A, b"', Directives(no_cache=frozenset({"a", "b"}))),
    ("no-cache restricted by a token", "5.2.2.4", "no-cache=a", Directives(no_cache=frozenset({"a"}))),
    ("no-store", "5.2.2.5", "no-store", Directives(no_store=True)),
    ("no-transform", "5.2.2.6", "no-transform", Directives(no_transform=True)),
    ("private", "5.2.2.7", "private", Directives(private=True)),
    ("private restricted to fields", "5.2.2.7", 'private="a"', Directives(private=frozenset({"a"}))),
    ("public", "5.2.2.9", "public", Directives(public=True)),
    ("max-stale of any age", "5.2.1.2", "max-stale", Directives(max_stale=MOST)),
    ("max-stale", "5.2.1.2", "max-stale=5", Directives(max_stale=5.0)),
    ("min-fresh", "5.2.1.3", "min-fresh=5", Directives(min_fresh=5.0)),
    ("only-if-cached", "5.2.1.7", "only-if-cached", Directives(only_if_cached=True)),
    ("stale-while-revalidate", "5861-3", "stale-while-revalidate=5", Directives(stale_while_revalidate=5.0)),
    ("stale-if-error", "5861-4", "stale-if-error=5", Directives(stale_if_error=5.0)),
    ("immutable", "8246-2", "immutable", Directives(immutable=True)),
    ("an argument of immutable is ignored", "8246-2", "immutable=5", Directives(immutable=True)),
)
def test_directives_are_read(text: str, expected: Directives) -> None:
    assert parse_cache_control([text]) == expected


@rows(
    "text expected",
    ("no-store with an argument", "G11", "no-store=x", Directives(no_store=True)),
    ("an empty argument of private", "G11", 'private=""', Directives(private=True)),
    ("no argument after the equals sign", "G11", "no-cache=", Directives(no_cache=True)),
    ("an argument that names no fields", "G11", 'private="a b"', Directives(private=True)),
    ("a list with an empty name", "G11", 'no-cache="a,"', Directives(no_cache=True)),
    ("a space before the equals sign", "G11", 'private ="a"', Directives(private=True)),
    ("a space after the equals sign", "G11", "no-store= x", Directives(no_store=True)),
    ("something after the name", "G11", "no-store;x", Directives(no_store=True)),
    ("semicolons for commas", "G11", "public; no-store; private", Directives(no_store=True, private=True)),
    ("a quote that is not closed hides nothing", "G11", 'x="a, no-store', Directives(no_store=True)),
    ("nor restricts", "G11", 'no-cache="set-cookie', Directives(no_cache=True)),
    ("nor permits", "G11", 'x="a, public, must-understand, immutable', Directives()),
    ("nor gives a time", "G11", 'x="a, max-age=5', Directives(max_age=BAD)),
    ("a quoted directive", "G11", '"no-store"', Directives(no_store=True)),
    ("control characters", "G11", "no-store\x00", Directives(no_store=True)),
    ("only-if-cached with an argument", "G11", "only-if-cached=0", Directives(only_if_cached=True)),
    ("must-revalidate with an argument", "G11", "must-revalidate=0", Directives(must_revalidate=True)),
    ("public with an argument", "G11", "public=x", Directives()),
    ("must-understand with an argument", "G11", "must-understand=x", Directives()),
    ("max-age without a value", "4.2.1", "max-age", Directives(max_age=BAD)),
    ("max-age negative", "4.2.1", "max-age=-1", Directives(max_age=BAD)),
    ("max-age decimal", "4.2.1", "max-age=3600.0", Directives(max_age=BAD)),
    ("max-age in single quotes", "4.2.1", "max-age='3600'", Directives(max_age=BAD)),
    ("max-age with letters", "4.2.1", "max-age=3600a", Directives(max_age=BAD)),
    ("max-age with a space before =", "4.2.1", "max-age =3600", Directives(max_age=BAD)),
    ("max-age with a space after =", "4.2.1", "max-age= 3600", Directives(max_age=BAD)),
    ("max-age with something after it", "4.2.1", "max-age=3600 x", Directives(max_age=BAD)),
    ("max-age not the first word", "4.2.1", "x max-age=3600", Directives(max_age=BAD)),
    ("max-stale unreadable is no permission", "G11", "max-stale=x", Directives(max_stale=BAD)),
    ("max-stale= is not max-stale", "G11", "max-stale=", Directives(max_stale=BAD)),
    ("min-fresh unreadable is the strictest", "G11", "min-fresh=x", Directives(min_fresh=BAD)),
)
def test_what_is_malformed_is_read_strictly(text: str, expected: Directives) -> None:
    assert parse_cache_control([text]) == expected


@rows(
    "lines expected",
    ("two lines are one list", "9110-5.3", ["no-store", "max-age=5"], Directives(no_store=True, max_age=5.0)),
    ("the same time twice is that time", "4.2.1", ["max-age=5, max-age=5"], Directives(max_age=5.0)),
    ("two times are stale", "4.2.1", ["max-age=1800, max-age=1"], Directives(max_age=BAD)),
    ("two times on two lines are stale", "4.2.1", ["max-age=1", "max-age=1800"], Directives(max_age=BAD)),
    ("one of two unreadable is stale", "4.2.1", ["max-age=1, max-age=x"], Directives(max_age=BAD)),
    ("s-maxage, too", "4.2.1", ["s-maxage=1, s-maxage=2"], Directives(s_maxage=BAD)),
    ("two max-stale permit nothing", "G11", ["max-stale, max-stale=5"], Directives(max_stale=BAD)),
    (
        "two stale-if-error permit nothing",
        "G11",
        ["stale-if-error=1, stale-if-error=2"],
        Directives(stale_if_error=BAD),
    ),
    ("the greater min-fresh counts", "G11", ["min-fresh=5, min-fresh=9"], Directives(min_fresh=9.0)),
    ("an unreadable min-fresh counts more", "G11", ["min-fresh=5, min-fresh=x"], Directives(min_fresh=BAD)),
    ("restrictions add up", "G11", ['private="a", private="b"'], Directives(private=frozenset({"a", "b"}))),
    ("the unqualified form restricts more", "G11", ['private="a", private'], Directives(private=True)),
    ("in either order", "G11", ['no-cache, no-cache="a"'], Directives(no_cache=True)),
    ("a permission malformed once is none", "G11", ["public, public=x"], Directives()),
    ("a prohibition twice is one", "G11", ["no-store, no-store=x"], Directives(no_store=True)),
    ("a line cannot hide the next one", "G11", ['x="', "no-store"], Directives(no_store=True)),
    ("more members than are read", "G31", ["max-age=60" + ", a" * 1000], STRICTEST),
    ("more lines than are read", "G31", ["max-age=60"] * 1001, STRICTEST),
    ("more names than are read", "G31", [f'max-age=60, private="{"a," * 1000}"'], STRICTEST),
    ("more text than is read", "G31", ["max-age=60, a=" + "b" * 65_536], STRICTEST),
    ("as much as is read", "G31", ["max-age=60" + ", a" * 999], Directives(max_age=60.0)),
)
def test_what_is_doubled_is_read_strictly(lines: list[str], expected: Directives) -> None:
    assert parse_cache_control(lines) == expected


def test_a_prohibition_joins_another_spelling_of_itself() -> None:
    """A prohibition that was read in two ways holds."""
    assert parse_cache_control(["private=x y, no-store", 'private="a"']).private is True


@rows(
    "lines expected",
    ("no such field", "9213-2.1", [], None),
    ("empty counts as absent", "9213-2.1", [""], None),
    ("white space counts as absent", "9213-2.1", [" "], None),
    ("what cannot be parsed counts as absent", "9213-2.1", ["max-age=60, &"], None),
    ("an upper-case name cannot be parsed", "9213-2.1", ["Max-Age=60"], None),
    ("nor what is no ASCII", "9213-2.1", ["max-age=\xff"], None),
    ("nor what is no latin-1", "9213-2.1", ["max-age=\u20ac"], None),
    ("an unknown directive is a field, too", "9213-3.1", ["none"], NO_DIRECTIVES),
    ("directives", "9213-2.1", ["max-age=60, no-store"], Directives(max_age=60.0, no_store=True)),
    ("two lines are one dictionary", "9213-2.1", ["max-age=60", "no-store"], Directives(max_age=60.0, no_store=True)),
    ("the last of two counts", "8941-4.2.2", ["max-age=60, max-age=5"], Directives(max_age=5.0)),
    ("parameters are ignored", "9213-2.1", ["max-age=60;x=1"], Directives(max_age=60.0)),
    ("a string names fields", "9213-2.1", ['private="a, b"'], Directives(private=frozenset({"a", "b"}))),
    ("a token does not", "9213-2.1", ["no-cache=a"], Directives(no_cache=True)),
    ("a time is an integer, no string", "9213-2.1", ['max-age="60"'], Directives(max_age=BAD)),
    ("a time is an integer, no decimal", "9213-2.1", ["max-age=60.0"], Directives(max_age=BAD)),
    ("a time is an integer, no truth", "9213-2.1", ["max-age"], Directives(max_age=BAD)),
    ("a time is not negative", "9213-2.1", ["max-age=-60"], Directives(max_age=BAD)),
    ("a prohibition holds whatever its value", "G11", ["no-store=?0"], Directives(no_store=True)),
    ("a permission does not", "G11", ["public=?0"], Directives()),
    ("a list is no argument", "9213-2.1", ["private=(a b)"], Directives(private=True)),
    ("more members than are read", "G31", ["max-age=60" + ", a" * 1000], STRICTEST),
    ("more text than is read", "G31", ["max-age=60, a=" + "b" * 8_192], STRICTEST),
)
def test_targeted_fields_are_structured(lines: list[str], expected: Directives | None) -> None:
    assert parse_targeted(lines) == expected


@rows(
    "text",
    ("commas", "G28", "," * 65_536),
    ("spaces", "G28", "max-age=1" + " " * 65_536 + "\x00"),
    ("quotes", "G28", '"' * 65_536),
    ("escapes", "G28", 'a="' + "\\" * 65_536),
    ("equals signs", "G28", "=" * 65_536),
    ("controls", "G28", "\x00 " * 32_768),
    ("pairs", "G28", 'a="b"x,' * 9_000),
)
def test_64_kib_are_read_in_linear_time(text: str) -> None:
    """A quadratic reading of these took half a minute; a linear one takes a tenth of a second."""
    begun = time.process_time()
    parse_cache_control([text])
    assert time.process_time() - begun < 5.0


@given(st.lists(field_values | cache_controls, max_size=3))
def test_any_lines_can_be_read(lines: list[str]) -> None:
    assert isinstance(parse_cache_control(lines), Directives)
    parse_targeted(lines)


@given(cache_controls, field_values)
def test_junk_before_it_never_hides_no_store(rest: str, junk: str) -> None:
    """Whatever a field says before it, no-store on a line of its own holds, unless it is within a quoted string."""
    closed = junk.replace('"', "").replace("\\", "")
    assert parse_cache_control([closed, "no-store", rest]).no_store
    assert parse_cache_control([closed + '="' + closed, "no-store"]).no_store
