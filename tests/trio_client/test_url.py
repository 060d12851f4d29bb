"""URLs: what is asked, what is reported, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_cache_adapters.trio.http.errors import InvalidURL
from sansio_cache_adapters.trio.http.url import basic, join, parse

# URL, Host, request target, what is reported
SOUND: list[tuple[str, str, str, str]] = [
    ("http://h", "h", "/", "http://h/"),
    ("HTTP://H.Example/", "h.example", "/", "http://h.example/"),
    ("http://h:80/", "h", "/", "http://h/"),
    ("https://h:443/", "h", "/", "https://h/"),
    ("http://h:443/", "h:443", "/", "http://h:443/"),
    ("http://h:/", "h", "/", "http://h/"),
    ("http://h?q", "h", "/?q", "http://h/?q"),
    ("http://h/?", "h", "/?", "http://h/?"),
    ("http://h/p#f", "h", "/p", "http://h/p#f"),
    ("http://h/p?a=1&a=2&b=+%20", "h", "/p?a=1&a=2&b=+%20", "http://h/p?a=1&a=2&b=+%20"),
    ("http://h/ä b", "h", "/%C3%A4%20b", "http://h/%C3%A4%20b"),
    ('http://h/<">\\^`{|}', "h", "/%3C%22%3E%5C%5E%60%7B%7C%7D", "http://h/%3C%22%3E%5C%5E%60%7B%7C%7D"),
    ("http://h/%zz%", "h", "/%zz%", "http://h/%zz%"),
    ("http://h/a/../b//c", "h", "/a/../b//c", "http://h/a/../b//c"),
    ("http://h/[x]~", "h", "/[x]~", "http://h/[x]~"),
    ("  http://h/  ", "h", "/", "http://h/"),
    ("http://user:pw@h/p", "h", "/p", "http://h/p"),
    ("http://a@b@h/p", "h", "/p", "http://h/p"),
    ("http://[::1]/p", "[::1]", "/p", "http://[::1]/p"),
    ("http://[2001:DB8:0:0::1]:8080/", "[2001:db8::1]:8080", "/", "http://[2001:db8::1]:8080/"),
    ("http://[fe80::1%25eth0]/", "[fe80::1]", "/", "http://[fe80::1]/"),
    ("http://127.0.0.1:8/", "127.0.0.1:8", "/", "http://127.0.0.1:8/"),
    ("http://under_score.example/", "under_score.example", "/", "http://under_score.example/"),
    ("http://bücher.example/", "xn--bcher-kva.example", "/", "http://xn--bcher-kva.example/"),
    ("http://h.example./", "h.example.", "/", "http://h.example./"),
    ("http://h/p?#", "h", "/p?", "http://h/p?#"),
]


@pytest.mark.parametrize(("text", "host", "target", "reported"), SOUND, ids=[row[0] for row in SOUND])
def test_a_url_is_changed_only_where_it_could_not_be_sent(text: str, host: str, target: str, reported: str) -> None:
    url = parse(text)
    assert (url.origin.authority, url.target, url.text) == (host, target, reported)
    assert parse(reported).text == reported


REFUSED = [
    "", "h", "/p", "//h/p", "h:80", "http:", "http:h", "http://", "http:///p", "http://:80/", "http://@/",
    "ftp://h/", "file:///etc/passwd", "javascript:alert(1)", "http://h\n/", "http://h/\r\nX: y", "http://h/\0",
    "http://h\t.example/", "http://h:0/", "http://h:65536/", "http://h:-1/", "http://h:+1/", "http://h:a/",
    "http://h:80:80/", "http://[::1/", "http://[::g]/", "http://[::1]x/", "http://[]/", "http://h h/",
    "http://h%41/", "http://h\\@evil/", "http://.h/", "http://h..i/", "http://" + "a" * 64 + "/",
    "http://" + "a." * 130 + "/", "http://xn--\u2028/", "http://h/\ud800", "http://h$/", "http://\N{SNOWMAN}.\u200d/",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED, ids=[repr(text)[:40] for text in REFUSED])
def test_what_is_no_http_url_is_refused(text: str) -> None:
    with pytest.raises(InvalidURL):
        parse(text)
    with pytest.raises(ValueError):
        parse(text)


@given(st.text(max_size=30), st.sampled_from(["http://h/", "http://h", "https://", "", "http://[", "//"]))
def test_any_text_is_a_url_or_refused(text: str, before: str) -> None:
    try:
        url = parse(before + text)
    except InvalidURL:
        return
    assert url.text.isascii()
    assert url.text.isprintable()
    assert " " not in url.target
    assert parse(url.text) == parse(parse(url.text).text)


# base, reference, what it means
JOINED: list[tuple[str, str, str]] = [
    ("http://h/a/b?q#f", "c", "http://h/a/c"),
    ("http://h/a/b", "/c", "http://h/c"),
    ("http://h/a/b", "../c", "http://h/c"),
    ("http://h/a/", "c?d", "http://h/a/c?d"),
    ("http://h/a/b", "?d", "http://h/a/b?d"),
    ("http://h/a/b", "", "http://h/a/b"),
    ("https://h/a", "//i/b", "https://i/b"),
    ("http://h/a", "https://i/?", "https://i/?"),
    ("http://h/a", "mailto:x", "mailto:x"),
]


@pytest.mark.parametrize(("base", "reference", "meant"), JOINED)
def test_a_reference_is_resolved(base: str, reference: str, meant: str) -> None:
    assert join(base, reference) == meant


def test_a_reference_that_cannot_be_resolved_is_an_invalid_url() -> None:
    with pytest.raises(InvalidURL):
        join("http://h/", "//[")


def test_userinfo_is_taken_apart_and_decoded() -> None:
    assert parse("http://us%40er:p%3aw:x@h/").userinfo == ("us@er", "p:w:x")
    assert parse("http://user@h/").userinfo == ("user", "")
    assert parse("http://h/").userinfo is None


def test_basic_credentials_are_utf_8() -> None:
    assert basic("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert basic("test", "123\u00a3") == "Basic dGVzdDoxMjPCow=="  # RFC 7617 §2.1
    with pytest.raises(ValueError, match="colon"):
        basic("a:b", "c")
