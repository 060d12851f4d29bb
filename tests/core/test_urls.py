"""URLs: RFC 3986 §6.2.2 and §6.2.3, origins, and what may be shown of a URL (G26)."""

from __future__ import annotations

import re
import time
from urllib.parse import unquote

import pytest
from core_rows import rows
from hypothesis import given
from hypothesis import strategies as st

from sansio_cache import urls
from sansio_cache.urls import SplitURL, foreign_authority, join, normalise, origin, redact, split


@rows(
    "url expected",
    ("case of the scheme", "6.2.2.1", "HTTP://example.org/", "http://example.org/"),
    ("case of the host", "6.2.2.1", "http://EXAMPLE.org/", "http://example.org/"),
    ("case of an escape", "6.2.2.1", "http://x/%c3", "http://x/%C3"),
    ("escapes of unreserved characters", "6.2.2.2", "http://x/%7Ea%2e%41?%5F", "http://x/~a.A?_"),
    ("escapes in the host", "6.2.2.2", "http://ex%61mple.org/", "http://example.org/"),
    ("once, not twice", "6.2.2.2", "http://x/%2541", "http://x/%2541"),
    ("dot segments", "6.2.2.3", "http://x/a/./b/../c", "http://x/a/c"),
    ("dot segments that were escaped", "6.2.2.3", "http://x/a/%2E%2e/c", "http://x/c"),
    ("nothing is above the root", "6.2.2.3", "http://x/../../a", "http://x/a"),
    ("a dot at the end is a folder", "6.2.2.3", "http://x/a/.", "http://x/a/"),
    ("two dots at the end are the folder above", "6.2.2.3", "http://x/a/b/..", "http://x/a/"),
    ("dots that are no segment", "6.2.2.3", "http://x/.well-known/...", "http://x/.well-known/..."),
    ("an empty path", "6.2.3", "http://x", "http://x/"),
    ("an empty path before a query", "6.2.3", "http://x?a", "http://x/?a"),
    ("the default port", "6.2.3", "http://x:80/", "http://x/"),
    ("the default port of https", "6.2.3", "https://x:443/", "https://x/"),
    ("an empty port", "6.2.3", "http://x:/", "http://x/"),
    ("the default port of an IPv6 literal", "6.2.3", "http://[FE80::1]:80/", "http://[fe80::1]/"),
    ("the fragment", "9110-7.1", "http://x/a#b?c", "http://x/a"),
)
def test_two_spellings_are_one_resource(url: str, expected: str) -> None:
    assert normalise(url) == (expected, None)
    assert normalise(expected) == (expected, None)


@rows(
    "one other",
    ("case of the path", "G9", "http://x/A", "http://x/a"),
    ("another scheme", "G9", "http://x/", "https://x/"),
    ("another port", "G9", "http://x:81/", "http://x/"),
    ("the other scheme's port", "G9", "http://x:443/", "http://x/"),
    ("order of parameters", "G9", "http://x/?a&b", "http://x/?b&a"),
    ("a parameter twice", "G9", "http://x/?a&a", "http://x/?a"),
    ("blank and absent", "G9", "http://x/?a=", "http://x/?a"),
    ("an empty query and none", "G9", "http://x/?", "http://x/"),
    ("plus and space", "G9", "http://x/?a=+", "http://x/?a=%20"),
    ("an escaped reserved character", "G9", "http://x/a%2Fb", "http://x/a/b"),
    ("an escaped ampersand", "G9", "http://x/?a%26b", "http://x/?a&b"),
    ("a slash at the end", "G9", "http://x/a/", "http://x/a"),
    ("two slashes", "G9", "http://x//a", "http://x/a"),
    ("a host with a dot at the end", "G9", "http://x./", "http://x/"),
    ("a letter that is no ASCII", "G9", "http://\u212a.org/", "http://k.org/"),
    ("colons without brackets", "G9", "http://a:b:80/", "http://a:b/"),
    ("an IPv6 address without brackets", "G9", "http://::1:80/", "http://::1/"),
    ("no authority", "G9", "http:x/", "http://x/"),
    ("an empty authority", "G9", "http:///x", "http://x/"),
    ("a percent sign before an escape", "G9", "http://x/%%341", "http://x/%4%31"),
    ("an escape after half of one", "G9", "http://x/%4%31", "http://x/%41"),
    ("the same in the query", "G9", "http://x/?%%37E", "http://x/?~"),
    ("a percent sign at the end", "G9", "http://x/%7e%", "http://x/~%"),
)
def test_different_resources_stay_different(one: str, other: str) -> None:
    assert normalise(one)[0] != normalise(other)[0]


@rows(
    "url expected",
    ("none", "9110-4.2.4", "http://x/", None),
    ("empty", "9110-4.2.4", "http://@x/", ""),
    ("user and password", "9110-4.2.4", "http://u:p@x/", "u:p"),
    ("the last at sign ends it", "9110-4.2.4", "http://u@v:p@x/", "u@v:p"),
    ("an at sign in the path is none", "9110-4.2.4", "http://x/@", None),
    ("without a host", "9110-4.2.4", "http://u@/", "u"),
)
def test_userinfo_names_a_user_and_no_resource(url: str, expected: str | None) -> None:
    assert normalise(url)[1] == expected


@rows(
    "url expected",
    (
        "all parts",
        "3986-B",
        "http://u@h:1/p?q#f",
        SplitURL(scheme="http", userinfo="u", host="h", port="1", path="/p", query="q"),
    ),
    ("none", "3986-B", "", SplitURL(scheme="", userinfo=None, host="", port="", path="", query=None)),
    ("an IPv6 literal", "3986-B", "//[::1]", SplitURL("", None, "[::1]", "", "", None)),
    ("an IPv6 literal and a port", "3986-B", "//[::1]:8", SplitURL("", None, "[::1]", "8", "", None)),
)
def test_a_url_is_split_as_it_is_spelled(url: str, expected: SplitURL) -> None:
    assert split(url) == expected


@rows(
    "url expected",
    ("scheme, host and port", "9110-4.3.1", "https://Example.org:8443/a/b?c", "https://example.org:8443"),
    ("without the default port", "9110-4.3.1", "https://example.org:443", "https://example.org"),
    ("without userinfo", "9110-4.3.1", "https://u@example.org?a", "https://example.org"),
)
def test_the_origin_of_a_url(url: str, expected: str) -> None:
    assert origin(url) == expected


@rows(
    "reference expected",
    ("a path", "3986-5.2", "/c", "http://x/c"),
    ("a relative path", "3986-5.2", "c", "http://x/a/c"),
    ("a query", "3986-5.2", "?c", "http://x/a/b?c"),
    ("nothing", "3986-5.2", "", "http://x/a/b"),
    ("another host", "3986-5.2", "//y/c", "http://y/c"),
    ("another URL", "3986-5.2", "https://y/c", "https://y/c"),
    ("what cannot be read stays as it is", "3986-5.2", "http://[", "http://["),
)
def test_a_reference_is_seen_from_its_base(reference: str, expected: str) -> None:
    assert join("http://x/a/b", reference) == expected


@rows(
    "url expected",
    ("nothing to hide", "G26", "http://x:81/a?b=c&d", "http://x:81/a?b=c&d"),
    ("userinfo", "G26", "http://u:p@x/", "http://x/"),
    ("the fragment", "G26", "http://x/#access_token=1", "http://x/"),
    ("an empty query stays", "G26", "http://x?", "http://x/?"),
    ("signatures", "G26", "http://x/?sign=1&X-Goog-Credential=2&hmac=3", None),
    (
        "one-time values",
        "G26",
        "http://x/?code=1&state=a&_csrf=2&nonce=3",
        "http://x/?code=REDACTED&state=a&_csrf=REDACTED&nonce=REDACTED",
    ),
    ("a name is no secret", "G26", "http://x/?user=a&email=b&account=c", "http://x/?user=a&email=b&account=c"),
    ("a token", "G26", "http://x/?a=1&token=2&b=3", "http://x/?a=1&token=REDACTED&b=3"),
    ("case does not matter", "G26", "http://x/?TOKEN=2&Api_Key=3", "http://x/?TOKEN=REDACTED&Api_Key=REDACTED"),
    ("words within a name", "G26", "http://x/?accessToken=2&X-Amz-Signature=3&AWSAccessKeyId=4", None),
    ("words at the end of a name", "G26", "http://x/?PHPSESSID=1&subscriptionkey=2&hub.authtoken=3", None),
    ("brackets", "G26", "http://x/?user[password]=1&user%5Bsecret%5D=2", None),
    ("an escaped name", "G26", "http://x/?to%6ben=1", None),
    ("a name with an underscore escaped", "G26", "http://x/?client%5Fsecret=1", None),
    ("a secret with slashes and equals signs", "G26", "http://x/?key=a/b+c==", "http://x/?key=REDACTED"),
    ("semicolons separate, too", "G26", "http://x/?a=1;sig=2", "http://x/?a=1;sig=REDACTED"),
    ("a parameter in the path", "G26", "http://x/a;jsessionid=1/b", "http://x/a;jsessionid=REDACTED/b"),
    ("a URL within a value", "G26", "http://x/?to=http://y?token=1", "http://x/?to=REDACTED"),
    (
        "an escaped URL within a value",
        "G26",
        "http://x/?to=http%3A%2F%2Fy%3Fa%3D1%26token%3D1",
        "http://x/?to=REDACTED",
    ),
    ("a harmless URL within a value", "G26", "http://x/?to=http://y?page=1", "http://x/?to=http://y?page=1"),
    (
        "a word that only looks like one",
        "G26",
        "http://x/?author=a&design=b&keyword=c",
        "http://x/?author=a&design=b&keyword=c",
    ),
    ("a value that looks like a name", "G26", "http://x/?q=token", "http://x/?q=token"),
    ("no value", "G26", "http://x/?token", "http://x/?token"),
    ("more parameters than anybody reads", "G31", "http://u@x:81/a?" + "a=1&" * 1001, "http://x:81/REDACTED"),
    ("more segments", "G31", "http://x" + "/a" * 1001, "http://x/REDACTED"),
    ("more parameters of a value", "G31", "http://x/?a=" + "?b=1" * 1001, "http://x/?a=REDACTED"),
)
def test_a_url_is_shown_without_secrets(url: str, expected: str | None) -> None:
    shown = redact(url)
    if expected is None:
        assert not any(digit in shown for digit in "1234")
    else:
        assert shown == expected


@rows(
    "part",
    ("slashes", "G28", "/" * 65_536),
    ("dots", "G28", "/.." * 20_000),
    ("escapes", "G28", "/%41" * 16_384),
    ("at signs", "G28", "@" * 65_536),
    ("colons", "G28", ":" * 65_536),
    ("parameters", "G28", "?" + "a=b&" * 16_384),
    ("capitals", "G28", "?" + "A" * 65_536 + "a=1"),
    ("question marks", "G28", "?" * 65_536 + "=1"),
)
def test_64_kib_are_read_in_linear_time(part: str) -> None:
    begun = time.process_time()
    url = "http://x" + part
    assert isinstance(normalise(url)[0] + origin(url) + redact(url), str)
    assert time.process_time() - begun < 5.0


@given(st.text(max_size=60))
def test_any_text_can_be_taken_for_a_url(text: str) -> None:
    plain, _ = normalise(text)
    assert "#" not in plain
    assert isinstance(origin(text) + redact(text) + join("http://x/", text), str)


_spelled = st.text("%%%0123457EeAa./-~", max_size=9)


@given(
    st.from_regex(r"\A(?:https?|HTTP)://(?:\w+@)?[a-zA-Z.%0-9]{1,9}(?::[0-9]{0,4})?\Z"),
    st.lists(_spelled.map("/".__add__), max_size=3).map("".join),
    st.none() | _spelled.map("?".__add__),
)
def test_normalising_twice_is_normalising_once(authority: str, path: str, query: str | None) -> None:
    plain, _ = normalise(authority + path + (query or ""))
    assert normalise(plain)[0] == plain


_NEVER = re.compile("(?!)")


@given(
    st.from_regex(r"\A(?:http|https|HTTP|ws)://(?:u@|u:p@)?[a-zA-Z.0-9-]{1,9}(?::(?:|0|80|443|8080))?\Z"),
    st.lists(st.text("aZ.;=@:&?#%21\u00e9 ", max_size=5).map("/".__add__), max_size=3).map("".join),
    st.none() | st.text("aZ&;=%2f?/.@:", max_size=9).map("?".__add__),
)
def test_what_is_spelled_plainly_is_read_as_all_else(authority: str, path: str, query: str | None) -> None:
    """Most URLs are their own normal form and have nothing to hide, which is seen at a glance."""
    url = authority + path + (query or "")
    at_a_glance = normalise.__wrapped__(url), redact(url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urls, "_NORMAL", _NEVER)
        patch.setattr(urls, "_NOTHING_TO_HIDE", _NEVER)
        assert (normalise.__wrapped__(url), redact(url)) == at_a_glance


def _read(text: str) -> object:
    """What a text says with its escapes, or, where one of them is none, the text itself."""
    if re.search("%(?![0-9A-Fa-f]{2})", text):
        return text
    pieces = re.findall("%..|[^%]", text)
    return [unquote(piece) if re.fullmatch("[A-Za-z0-9._~-]", unquote(piece)) else piece.upper() for piece in pieces]


_queries = st.text("%%%34517EeZz-", max_size=7)


@given(_queries, _queries)
def test_two_queries_meet_only_if_they_say_the_same(one: str, other: str) -> None:
    """G9: against a reading of RFC 3986 §6.2.2.2 of the test's own."""
    meet = normalise(f"http://x/?{one}") == normalise(f"http://x/?{other}")
    said = [[each if len(each) == 1 else each.upper() for each in _read(text)] for text in (one, other)]
    assert meet is (said[0] == said[1])


@rows(
    "url lines expected",
    ("none", "9110-7.2", "http://x/", [], None),
    ("the URL's own", "9110-7.2", "http://x:81/a", ["x:81"], None),
    ("before a query", "9110-7.2", "http://x?a", ["x"], None),
    ("another case", "4343", "http://EXAMPLE.org/", ["example.ORG"], None),
    ("white space around it", "9110-5.5", "http://x/", [" x\t"], None),
    ("the default port said", "9110-4.2.3", "http://x/", ["x:80"], None),
    ("the default port left out", "9110-4.2.3", "https://x:443/", ["x"], None),
    ("an empty port", "9110-4.2.3", "http://x/", ["x:"], None),
    ("without userinfo", "9110-4.2.4", "http://u:p@x:81/", ["x:81"], None),
    ("an IPv6 literal", "3986-3.2.2", "http://[FE80::1]:80/", ["[fe80::1]"], None),
    ("the root's dot left out", "9110-7.2", "http://x./", ["x"], None),
    ("another host", "9110-7.2", "http://x/", ["Y.example"], "y.example"),
    ("the beginning of the host", "9110-7.2", "http://example.org/", ["example"], "example"),
    ("the root's dot added", "9110-7.2", "http://x/", ["x."], "x."),
    ("another port", "9110-7.2", "http://x/", ["x:81"], "x:81"),
    ("the port left out", "9110-7.2", "http://x:81/", ["x"], "x"),
    ("the other scheme's port", "9110-7.2", "http://x/", ["x:443"], "x:443"),
    ("nothing", "9110-7.2", "http://x/", [""], ""),
    ("two lines", "9112-3.2", "http://x/", ["x", "y"], "x,y"),
    ("the same twice", "9112-3.2", "http://x/", ["x", "x"], "x,x"),
    ("what is no authority", "9112-3.2", "http://x/", ["X/y"], "X/y"),
    ("userinfo", "9112-3.2", "http://u@x/", ["u@x"], "u@x"),
    ("a letter that is no ASCII", "4343", "http://k.org/", ["\u212a.org"], "\u212a.org"),
)
def test_host_may_name_another_authority(url: str, lines: list[str], expected: str | None) -> None:
    """G9: what it selects is another resource; what is the URL's authority, however it is spelled, is none."""
    assert foreign_authority(url, lines) == expected
