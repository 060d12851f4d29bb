"""The values that pass between a client, the cache and an origin."""

from __future__ import annotations

from typing import Any

import pytest
from core_rows import fields, rows
from hypothesis import given
from strategies import field_names, wild_headers

from sansio_cache.actions import Fetch
from sansio_cache.messages import EMPTY, Headers, Options, Received, Request, headers_of, version_name, version_of

SOME = Headers([("Accept", "a"), ("X-Other", "1"), ("ACCEPT", "b")])


def test_fields_keep_order_repeats_and_spelling() -> None:
    """RFC 9110 §5.3: lines of one name are one list, in their order."""
    assert list(SOME) == [("Accept", "a"), ("X-Other", "1"), ("ACCEPT", "b")]
    assert len(SOME) == 3
    assert SOME.lines("accept") == ["a", "b"]
    assert SOME.get("accept") == "a, b"
    assert SOME.get("x-other") == "1"
    assert list(SOME.names()) == ["accept", "x-other"]


def test_fields_are_asked_for_by_their_names_in_any_case() -> None:
    """By filters and key functions of users: an answer of None in silence would merge what differs."""
    for name in ("accept", "Accept", "ACCEPT"):
        assert (SOME.get(name), SOME[name], SOME.lines(name), name in SOME) == ("a, b", "a, b", ["a", "b"], True)
    assert 5 not in SOME
    with pytest.raises(KeyError, match="Absent"):
        _ = SOME["Absent"]


@pytest.mark.parametrize("kind", [str, lambda text: text.encode("latin-1"), type("Istr", (str,), {})])
def test_fields_of_clients_are_text_by_latin_1(kind: Any) -> None:
    headers = headers_of([(kind("X-Name"), kind("caf\xe9")), (kind("x-name"), kind("2"))])
    assert headers.items == (("X-Name", "caf\xe9"), ("x-name", "2"))
    assert {type(each) for field in headers.items for each in field} == {str}


def test_what_is_absent_is_none() -> None:
    assert EMPTY.get("accept") is None
    assert EMPTY.lines("accept") == []
    assert "accept" not in EMPTY
    assert "accept" in SOME


def test_fields_are_taken_out_and_set_by_name() -> None:
    assert SOME.without(["accept"]) == Headers([("X-Other", "1")])
    assert SOME.with_field("Accept", "c") == Headers([("X-Other", "1"), ("Accept", "c")])


@rows(
    "line expected",
    ("If-None-Match", "9110-13.1", "If-None-Match: x", True),
    ("If-Modified-Since", "9110-13.1", "If-Modified-Since: x", True),
    ("If-Match", "9110-13.1", "IF-MATCH: x", True),
    ("If-Unmodified-Since", "9110-13.1", "If-Unmodified-Since: x", True),
    ("If-Range", "9110-13.1", "If-Range: x", True),
    ("Range", "9110-14.2", "Range: x", True),
    ("anything else", "9110-13.1", "If-Other: x", False),
)
def test_a_request_is_conditional_or_not(line: str, expected: bool) -> None:
    assert fields("Accept: x", line).conditional is expected


def test_fields_are_values() -> None:
    same = Headers(list(SOME))
    assert (same == SOME, hash(same) == hash(SOME)) == (True, True)
    assert Headers([("accept", "a")]) != Headers([("Accept", "a")])
    assert list(SOME) != SOME
    assert repr(Headers([("A", "b")])) == "Headers([('A', 'b')])"


@rows(
    "name value shown",
    ("Authorization", "9110-11.6.2", "Authorization", "Bearer hunter2", "…"),
    ("Proxy-Authorization", "9110-11.7.2", "proxy-authorization", "Basic hunter2", "…"),
    ("Cookie", "6265-5.4", "Cookie", "sid=hunter2", "…"),
    ("Set-Cookie", "6265-4.1", "set-cookie", "sid=hunter2", "…"),
    ("a key", "9110-5.1", "X-Api-Key", "hunter2", "…"),
    ("a token against forgery", "9110-5.1", "X-CSRF-Token", "hunter2", "…"),
    ("a name longer than any", "9110-5.1", "X-" + "a" * 200, "hunter2", "…"),
    ("a URL", "9110-10.2.2", "Location", "https://u:hunter2@h/a?token=hunter2&b=1", "https://h/a?token=REDACTED&b=1"),
    ("a reference", "9110-10.2.2", "Location", "/a?token=hunter2", "/a?token=REDACTED"),
    ("whence", "9110-10.1.3", "Referer", "http://h/?sig=hunter2", "http://h/?sig=REDACTED"),
    ("anything else", "9110-5.1", "ETag", '"1"', '"1"'),
)
def test_what_is_shown_of_a_message_holds_no_credentials(name: str, value: str, shown: str) -> None:
    """It ends up in logs and tracebacks. G26."""
    headers = Headers([(name, value)])
    request = Request("GET", "http://u:hunter2@h/a?api_key=hunter2&b=1", headers, b"hunter2", peer="hunter2")
    for each in (headers, request, Received(200, "OK", headers, 0.0, 0.0), Fetch(request)):
        assert "hunter2" not in repr(each)
    assert repr(headers) == f"Headers({[(name, shown)]!r})"
    assert "api_key=REDACTED&b=1" in repr(request)
    assert "body of 7 bytes" in repr(request)
    assert headers.get(name) == value


def test_of_a_request_only_what_was_said_is_shown() -> None:
    assert repr(Request("GET", "http://h/")) == "Request('GET', 'http://h/', Headers([]))"
    options = Options(refresh=True)
    assert repr(options) in repr(Request("GET", "http://h/", options=options))
    assert "body unknown" in repr(Request("PUT", "http://h/", body=None))


@given(wild_headers, field_names)
def test_setting_a_field_leaves_one_line_of_it(headers: Headers, name: str) -> None:
    changed = headers.with_field(name, "value")
    assert changed.lines(name.lower()) == ["value"]
    assert changed.without([name.lower()]) == headers.without([name.lower()])


@given(wild_headers)
def test_the_same_fields_serve_another_request(headers: Headers) -> None:
    """What is remembered of one request is not of the other."""
    headers.keyed = object(), None
    again = headers.again()
    assert again == headers
    assert list(again.names()) == list(headers.names())
    assert again.keyed is None


@pytest.mark.parametrize(
    ("name", "version", "shown"),
    [
        ("HTTP/1.1", 11, "HTTP/1.1"),
        ("HTTP/1.0", 10, "HTTP/1.0"),
        ("HTTP/2", 20, "HTTP/2"),
        ("http/3", 30, "HTTP/3"),
        ("HTTP/0.9", 9, "HTTP/0.9"),
        ("", 11, "HTTP/1.1"),
        ("ICY", 11, "HTTP/1.1"),
        ("HTTP/10.10", 11, "HTTP/1.1"),
        ("HTTP/²", 11, "HTTP/1.1"),
    ],
)
def test_versions_have_names(name: str, version: int, shown: str) -> None:
    assert version_of(name) == version
    assert version_name(version) == shown
