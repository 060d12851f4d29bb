"""Which bodies of requests are one request, as rows: the rule, the Content-Type, two bodies, names left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_cache.request_bodies import body_parts

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def form(boundary: str, *parts: str, **more: str) -> tuple[str, bytes]:
    """A multipart form of parts ``name=value``, and its Content-Type."""
    lines = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, _, value in (part.partition("=") for part in parts)
    ]
    said = "".join(f'; {name}="{value}"' for name, value in more.items())
    return f"multipart/form-data; boundary={boundary}{said}", ("".join(lines) + f"--{boundary}--\r\n").encode()


ONE = [
    ("the order of members", JSON, b'{"a": 1, "b": {"c": 2, "d": 3}}', b'{"b":{"d":3,"c":2},"a":1}', ()),
    ("white space", JSON, b'[1, "x"]\n', b'[1,"x"]', ()),
    ("an escape for the letter itself", JSON, b'["\\u0061"]', b'["a"]', ()),
    ("the type that RFC 8259 did not take", "text/json; charset=utf-8", b'{"a":1,"b":2}', b'{"b":2,"a":1}', ()),
    ("a type that ends in +json", "application/vnd.api+json", b'{"a":1,"b":2}', b'{"b":2,"a":1}', ()),
    ("a member left out", JSON, b'{"k": 1, "now": 5}', b'{"k": 1}', ("now",)),
    ("a nested member left out", JSON, b'{"v": {"now": 5, "k": 1}}', b'{"v": {"now": 6, "k": 1}}', ("v.now",)),
    ("a member of each of a list", JSON, b'{"l": [{"t": 1}, {"t": 2}]}', b'{"l": [{"t": 3}, {}]}', ("l.t",)),
    ("a name that holds a dot", JSON, b'{"a.b": 1}', b'{"a.b": 2}', ("a.b",)),
    ("a whole object left out", JSON, b'{"k": 1, "meta": {"x": 1}}', b'{"k": 1, "meta": 7}', ("meta",)),
]
TWO = [
    ("numbers that are one float", JSON, b'{"a": 0.30000000000000001}', b'{"a": 0.30000000000000002}', ()),
    ("numbers beyond all floats", JSON, b'{"a": 1e400}', b'{"a": 2e999}', ()),
    ("whole numbers that are one float", JSON, b"[9007199254740993.0]", b"[9007199254740992.0]", ()),
    ("numbers beside a member left out", JSON, b'{"a": 1e400, "t": 1}', b'{"a": 2e999, "t": 2}', ("t",)),
    ("a number and its text", JSON, b"[1]", b'["1"]', ()),
    ("a number and an object like it", JSON, b"[1]", b'[{"#": "1"}]', ()),
    ("minus nought", JSON, b"[-0]", b"[0]", ()),
    ("true and one", JSON, b"[true]", b"[1]", ()),
    ("null and absent", JSON, b'{"a": null}', b"{}", ()),
    ("the order of a list", JSON, b"[1, 2]", b"[2, 1]", ()),
    ("a name twice", JSON, b'{"a": 1, "a": 2}', b'{"a": 2}', ()),
    ("a name twice, the other way round", JSON, b'{"a": 1, "a": 2}', b'{"a": 2, "a": 1}', ()),
    ("what Python reads beyond JSON", JSON, b"[NaN]", b"[Infinity]", ()),
    ("a nested member that was not named", JSON, b'{"v": {"now": 5}}', b'{"v": {"now": 6}}', ("now",)),
    ("a member above the one named", JSON, b'{"v": 1}', b'{"v": 2}', ("v.now",)),
    ("JSON that is not said to be", "text/plain", b'{"a":1,"b":2}', b'{"b":2,"a":1}', ()),
    ("too deep to read", JSON, b"[" * 100_000, b"[" * 100_001, ()),
    ("more values than are read", JSON, b"[" + b"1," * 9_000 + b"1]", b"[ " + b"1," * 9_000 + b"1]", ()),
    ("longer than is read", JSON, b"[1]" + b" " * 262_144, b" [1]" + b" " * 262_144, ()),
    ("a form of more fields than are read", FORM, b"k=1" + b"&b" * 1_000, b"k=2" + b"&b" * 1_000, ("k",)),
    ("half a surrogate pair", JSON, b'["\\ud800"]', b'["\\ud801"]', ()),
]


@pytest.mark.parametrize(("rule", "kind", "one", "other", "ignored"), ONE, ids=[row[0] for row in ONE])
def test_these_are_one_request(rule: str, kind: str, one: bytes, other: bytes, ignored: tuple[str, ...]) -> None:
    assert body_parts(one, kind, frozenset(ignored)) == body_parts(other, kind, frozenset(ignored))


@pytest.mark.parametrize(("rule", "kind", "one", "other", "ignored"), TWO, ids=[row[0] for row in TWO])
def test_these_are_two(rule: str, kind: str, one: bytes, other: bytes, ignored: tuple[str, ...]) -> None:
    """G14."""
    assert body_parts(one, kind, frozenset(ignored)) != body_parts(other, kind, frozenset(ignored))


FORMS_ALIKE = [
    ("the boundary", form("aa", "x=1", "f=data"), form("bb", "x=1", "f=data"), ()),
    ("a part left out", form("aa", "x=1", "now=5"), form("bb", "x=1"), ("now",)),
    ("the order of the type's parameters", form("aa", "x=1", charset="a"), form("bb", "x=1", charset="a"), ()),
]
FORMS_APART = [
    ("a part's content", form("aa", "x=1"), form("bb", "x=2"), ()),
    ("a part's name", form("aa", "x=1"), form("bb", "y=1"), ()),
    ("the order of parts", form("aa", "x=1", "y=2"), form("aa", "y=2", "x=1"), ()),
    ("a part more", form("aa", "x=1"), form("bb", "x=1", "x=1"), ()),
    ("a parameter of the type", form("aa", "x=1", charset="a"), form("aa", "x=1", charset="b"), ()),
    (
        "a boundary within a part",
        form("aa", "x=1\r\n--bb\r\nContent-Disposition: form-data; name=y\r\n\r\n2"),
        form("bb", "x=1", "y=2"),
        (),
    ),
    (
        "text before the first part",
        ("multipart/form-data; boundary=a", b"x\r\n" + form("a", "x=1")[1]),
        form("a", "x=1"),
        (),
    ),
    (
        "text after the last part",
        ("multipart/form-data; boundary=a", form("a", "x=1")[1] + b"x"),
        form("a", "x=1"),
        (),
    ),
    ("a part without an end", ("multipart/form-data; boundary=a", form("a", "x=1")[1][:-6]), form("a", "x=1"), ()),
    ("no boundary in the type", ("multipart/form-data", form("a", "x=1")[1]), form("a", "x=1"), ()),
    ("more parts than are read", form("aa", *["x=1"] * 1_001), form("bb", *["x=1"] * 1_001), ()),
    ("more parts than have their names read", form("aa", *["x=1"] * 65), form("aa", *["x=1"] * 66), ("x",)),
    ("a type of absurd length", ("multipart/form-data; " + "a" * 2000, b"x"), ("multipart/form-data", b"x"), ()),
]


@pytest.mark.parametrize(("rule", "one", "other", "ignored"), FORMS_ALIKE, ids=[row[0] for row in FORMS_ALIKE])
def test_these_forms_are_one(
    rule: str, one: tuple[str, bytes], other: tuple[str, bytes], ignored: tuple[str, ...]
) -> None:
    """RFC 2046 §5.1.1: the boundary only separates."""
    names = frozenset(ignored)
    assert body_parts(one[1], one[0], names) == body_parts(other[1], other[0], names)


@pytest.mark.parametrize(("rule", "one", "other", "ignored"), FORMS_APART, ids=[row[0] for row in FORMS_APART])
def test_these_forms_are_two(
    rule: str, one: tuple[str, bytes], other: tuple[str, bytes], ignored: tuple[str, ...]
) -> None:
    """G14."""
    names = frozenset(ignored)
    assert body_parts(one[1], one[0], names) != body_parts(other[1], other[0], names)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_two_values_are_one_request_only_if_they_are_one_value(one: Any, other: Any) -> None:
    """G14: whatever is written of them."""
    first = body_parts(json.dumps(one).encode(), JSON, frozenset())
    second = body_parts(json.dumps(other, indent=1, sort_keys=True).encode(), JSON, frozenset())
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (first == second) is same
