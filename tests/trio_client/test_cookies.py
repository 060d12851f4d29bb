"""The trio client's jar: who may set a cookie, and who is sent it (RFC 6265bis §5.6 to §5.8)."""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime
from functools import cache
from http.cookiejar import Cookie, CookieJar
from typing import Any
from urllib.request import Request

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_cache.dates import format_date
from sansio_cache_adapters.trio.http import suffixes
from sansio_cache_adapters.trio.http.client import HTTPSession
from sansio_cache_adapters.trio.http.content import OutgoingRequest, Timeout
from sansio_cache_adapters.trio.http.cookies import _date, extract, new_jar
from sansio_cache_adapters.trio.http.sending import with_cookies
from sansio_cache_adapters.trio.http.url import parse

YEAR_2099 = "Wed, 09 Jun 2099 10:18:14 GMT"


@pytest.fixture
def listed() -> None:
    """The list of public suffixes, which the extra brings."""
    pytest.importorskip("publicsuffixlist")


def sent(jar: CookieJar, url: str) -> str | None:
    """The Cookie field of a request."""
    request = Request(url)
    jar.add_cookie_header(request)
    return request.get_header("Cookie")


def after(url: str, *lines: str, jar: CookieJar | None = None) -> CookieJar:
    """A jar after a response."""
    jar = new_jar() if jar is None else jar
    extract(jar, url, lines)
    return jar


HOST = "http://a.example.com/x/y"
ROWS: list[tuple[str, str, str, str, str | None]] = [
    ("to the same host", HOST, "a=b", "http://a.example.com/x/z", "a=b"),
    ("of any port", "http://a.example.com:81/", "a=b", "http://a.example.com:82/", "a=b"),
    ("without Domain to no host below", "http://example.com/", "a=b", "http://a.example.com/", None),
    ("nor above", HOST, "a=b", "http://example.com/x/", None),
    ("an empty Domain is none", "http://example.com/", "a=b; Domain=", "http://a.example.com/", None),
    ("to the path it was set in", HOST, "a=b", "http://a.example.com/xy", None),
    ("and below", HOST, "a=b", "http://a.example.com/x/z/1", "a=b"),
    ("to a path by name", HOST, "a=b; Path=/p", "http://a.example.com/p/q", "a=b"),
    ("not to one that begins so", HOST, "a=b; Path=/p", "http://a.example.com/pq", None),
    ("a Path that is none is not one", HOST, "a=b; Path=p", "http://a.example.com/x/", "a=b"),
    ("the last Path counts", HOST, "a=b; Path=/p; Path=/", "http://a.example.com/", "a=b"),
    ("the path of a host alone", "http://a.example.com?x/y", "a=b", "http://a.example.com/z", "a=b"),
    ("spaces around its parts", HOST, " a = b ;Path = / ", "http://a.example.com/", "a=b"),
    ("equals signs in a value", HOST, "a=b=c", HOST, "a=b=c"),
    ("quotes stay", HOST, 'a="b c"', HOST, 'a="b c"'),
    ("a value without a name", HOST, "b", HOST, "b"),
    ("a value without a name, by an equals sign", HOST, "=b", HOST, "b"),
    ("nothing at all", HOST, "; Path=/", HOST, None),
    ("a control character", HOST, "a=b\x07", HOST, None),
    ("as long as may be", HOST, "a=" + "b" * 4095, HOST, "a=" + "b" * 4095),
    ("too long", HOST, "a=" + "b" * 4096, HOST, None),
    ("an attribute too long is none", HOST, "a=b; Path=/" + "p" * 1024, HOST, "a=b"),
    ("Max-Age", HOST, "a=b; Max-Age=60", HOST, "a=b"),
    ("Max-Age over", HOST, "a=b; Max-Age=0", HOST, None),
    ("Max-Age before the beginning", HOST, "a=b; Max-Age=-1", HOST, None),
    ("Max-Age before Expires", HOST, "a=b; Max-Age=60; Expires=Wed, 09 Jun 1999 10:18:14 GMT", HOST, "a=b"),
    ("Max-Age before Expires, the other way", HOST, f"a=b; Expires={YEAR_2099}; Max-Age=0", HOST, None),
    ("Max-Age that is no number", HOST, "a=b; Max-Age=x", HOST, "a=b"),
    ("Max-Age of any length", HOST, "a=b; Max-Age=" + "9" * 1000, HOST, "a=b"),
    ("Expires", HOST, f"a=b; Expires={YEAR_2099}", HOST, "a=b"),
    ("Expires over", HOST, "a=b; Expires=Wed, 09 Jun 1999 10:18:14 GMT", HOST, None),
    ("Expires that is no date", HOST, "a=b; Expires=soon", HOST, "a=b"),
    ("SameSite says nothing", HOST, "a=b; SameSite=Strict", HOST, "a=b"),
    ("HttpOnly neither", HOST, "a=b; HttpOnly", HOST, "a=b"),
    # Addresses and names
    ("an address to itself", "http://127.0.0.1/", "a=b", "http://127.0.0.1/", "a=b"),
    ("by name, too", "http://127.0.0.1/", "a=b; Domain=127.0.0.1", "http://127.0.0.1/", "a=b"),
    ("not to what ends as it does", "http://10.0.0.1/", "a=b; Domain=0.0.1", "http://192.0.0.1/", None),
    ("nor one written otherwise", "http://1.2.0x7f/", "a=b; Domain=0x7f", "http://3.4.0x7f/", None),
    ("an IPv6 address", "http://[::1]:81/", "a=b", "http://[::1]:82/", "a=b"),
    ("an IPv6 address by name", "http://[::1]/", "a=b; Domain=[::1]", "http://[::2]/", None),
    ("a host without dots", "http://localhost/", "a=b", "http://localhost/", "a=b"),
    ("by name, too", "http://localhost/", "a=b; Domain=localhost", "http://localhost/", "a=b"),
    ("not below it", "http://localhost/", "a=b; Domain=localhost", "http://a.localhost/", None),
    ("a strange domain", HOST, "a=b; Domain=other.com", "http://other.com/", None),
    ("one that only ends so", "http://evil-example.com/", "a=b; Domain=example.com", "http://example.com/", None),
    ("a host below", "http://example.com/", "a=b; Domain=a.example.com", "http://a.example.com/", None),
    ("a public suffix", "http://evil.co.uk/", "a=b; Domain=co.uk", "http://bank.co.uk/", None),
    ("with a dot", "http://evil.co.uk/", "a=b; Domain=.co.uk", "http://bank.co.uk/", None),
    ("in capital letters", "http://evil.co.uk/", "a=b; Domain=CO.UK", "http://bank.co.uk/", None),
    ("with the root's dot", "http://evil.co.uk./", "a=b; Domain=co.uk.", "http://bank.co.uk./", None),
    ("with two dots", "http://evil.co.uk/", "a=b; Domain=..co.uk", "http://bank.co.uk/", None),
    ("a public suffix that is a host", "http://github.io/", "a=b; Domain=github.io", "http://github.io/", "a=b"),
    ("and only that host", "http://github.io/", "a=b; Domain=github.io", "http://a.github.io/", None),
    ("one of a company's", "http://evil.github.io/", "a=b; Domain=github.io", "http://good.github.io/", None),
    ("a top-level domain", "http://evil.com/", "a=b; Domain=com", "http://bank.com/", None),
    ("one that nobody knows", "http://evil.intern/", "a=b; Domain=intern", "http://bank.intern/", None),
    ("one outside ASCII", "http://evil.公司.cn/", "a=b; Domain=xn--55qx5d.cn", "http://xn--a.xn--55qx5d.cn/", None),
    # Secure
    ("Secure, to https", "https://example.com/", "a=b; Secure", "https://example.com/", "a=b"),
    ("Secure, not to http", "https://example.com/", "a=b; Secure", "http://example.com/", None),
    ("Secure, from http", "http://example.com/", "a=b; Secure", "https://example.com/", None),
    ("Secure, from http of this machine", "http://localhost/", "a=b; Secure", "https://localhost/", None),
    ("__Host-", "https://example.com/", "__Host-a=b; Secure; Path=/", "https://example.com/", "__Host-a=b"),
    ("__Host- in small letters", "https://example.com/", "__host-a=b", "https://example.com/", None),
    ("__Host- without Secure", "https://example.com/", "__Host-a=b; Path=/", "https://example.com/", None),
    ("__Host- without Path", "https://example.com/", "__Host-a=b; Secure", "https://example.com/", None),
    ("__Host- of a path", "https://example.com/", "__Host-a=b; Secure; Path=/x", "https://example.com/x", None),
    (
        "__Host- with Domain",
        "https://example.com/",
        "__Host-a=b; Secure; Path=/; Domain=example.com",
        "https://example.com/",
        None,
    ),
    ("__Host- from http", "http://example.com/", "__Host-a=b; Secure; Path=/", "https://example.com/", None),
    ("__Secure-", "https://example.com/", "__Secure-a=b; Secure", "https://example.com/", "__Secure-a=b"),
    ("__Secure- without Secure", "https://example.com/", "__Secure-a=b", "https://example.com/", None),
    (
        "a value that would pass for one",
        "https://example.com/",
        "=__Host-a=b; Secure; Path=/",
        "https://example.com/",
        None,
    ),
    ("a value alone that would", "https://example.com/", "__Secure-a; Secure", "https://example.com/", None),
]


@pytest.mark.parametrize(("rule", "source", "line", "target", "expected"), ROWS, ids=[row[0] + row[1] for row in ROWS])
def test_a_cookie_is_sent_or_not(rule: str, source: str, line: str, target: str, expected: str | None) -> None:
    assert sent(after(source, line), target) == expected


def test_a_domain_is_one_by_name(listed: None) -> None:
    """Domain lets hosts of one owner share a cookie, with a dot before it or without."""
    for line in ("a=b; Domain=example.com; Path=/", "a=b; Domain=.Example.COM; Path=/"):
        jar = after(HOST, line)
        assert [sent(jar, f"http://{host}/") for host in ("example.com", "z.example.com", "example.org")] == [
            "a=b",
            "a=b",
            None,
        ]
    assert sent(after("http://a.b.co.uk/", "a=b; Domain=b.co.uk"), "http://c.b.co.uk/") == "a=b"


def test_without_the_list_no_cookie_leaves_its_host(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And a log line says how to get it."""
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    suffixes._suffixes.cache_clear()
    try:
        assert sent(after(HOST, "a=b; Domain=example.com; Path=/"), "http://example.com/") is None
        assert sent(after("http://example.com/", "a=b; Domain=example.com"), "http://example.com/") == "a=b"
    finally:
        suffixes._suffixes.cache_clear()
    assert [record.message.partition(",")[0] for record in caplog.records] == ["publicsuffixlist is not installed"]


GUARDED = "a=good; Secure; Path=/p"


@pytest.mark.parametrize(
    ("source", "line", "kept"),
    [
        ("http://example.com/p/", "a=bad", "a=good"),
        ("http://example.com/p/", "a=bad; Path=/p", "a=good"),
        ("http://example.com/p/", "a=; Max-Age=0; Path=/p", "a=good"),
        ("http://example.com/", "a=bad; Path=/p/q", "a=good"),
        ("http://example.com/", "c=other", "a=good; c=other"),
        ("https://example.com/p/", "a=new; Path=/p; Secure", "a=new"),
        ("https://example.com/p/", "a=; Max-Age=0; Path=/p; Secure", None),
        ("http://evil.com/", "a=; Max-Age=0; Domain=example.com; Path=/p", "a=good"),
        ("http://evil.example.com/", "a=bad; Domain=example.com; Path=/p/q", "a=good"),
        ("http://evil.example.com/", "a=; Max-Age=0; Path=/p", "a=good"),
    ],
)
def test_secure_cookies_are_left_alone(listed: None, source: str, line: str, kept: str | None) -> None:
    """§5.7: what came by http neither replaces nor shadows nor deletes what came by https; nor does a stranger."""
    jar = after(source, line, jar=after("https://example.com/p/x", GUARDED))
    assert sent(jar, "https://example.com/p/q") == kept


def test_strangers_delete_nothing(listed: None) -> None:
    jar = after("http://example.com/", "a=b; Domain=example.com")
    for url in ("http://evil.com/", "http://com/", "http://evil-example.com/"):
        after(url, "a=; Domain=example.com; Max-Age=0", "a=; Domain=.example.com; Expires=Thu, 01 Jan 1970", jar=jar)
    assert sent(jar, "http://z.example.com/") == "a=b"


def test_what_was_taken_is_told() -> None:
    lines = ["a=1", "b=2; Secure", "c=3; Max-Age=0", "d=4; Domain=other.com", "a=5", "e"]
    assert extract(new_jar(), "http://example.com/", lines) == {"a": "5", "e": ""}


def test_a_jar_of_the_users_keeps_its_own_policy() -> None:
    class Strict(CookieJar):
        def set_cookie_if_ok(self, cookie: Cookie, request: Request) -> None:
            if cookie.name != "tracker":
                super().set_cookie_if_ok(cookie, request)

    jar = after("http://example.com/", "a=1", "tracker=2", jar=Strict())
    assert sent(jar, "http://example.com/") == "a=1"


def test_expiry_is_bounded() -> None:
    """§5.5: 400 days."""
    [cookie] = after("http://example.com/", f"a=b; Expires={YEAR_2099}")
    assert cookie.expires is not None
    assert abs(cookie.expires - time.time() - 400 * 86_400) < 60


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (YEAR_2099, datetime(2099, 6, 9, 10, 18, 14, tzinfo=UTC)),
        ("Wednesday, 09-Jun-21 10:18:14 GMT", datetime(2021, 6, 9, 10, 18, 14, tzinfo=UTC)),
        ("Wed Jun  9 10:18:14 2021", datetime(2021, 6, 9, 10, 18, 14, tzinfo=UTC)),
        ("10:18:14 9 june 70", datetime(1970, 6, 9, 10, 18, 14, tzinfo=UTC)),
        ("1:2:3 9 jun 69", datetime(2069, 6, 9, 1, 2, 3, tzinfo=UTC)),
        ("Wed, 31 Jun 2021 10:18:14 GMT", None),
        ("Wed, 09 Jun 1600 10:18:14 GMT", None),
        ("Wed, 09 Jun 2021 24:18:14 GMT", None),
        ("Wed, 09 Jun 2021", None),
        ("9 " * 500, None),
        ("", None),
    ],
)
def test_dates_are_read_in_any_order(text: str, expected: datetime | None) -> None:
    """§5.1.1."""
    assert _date(text) == (None if expected is None else expected.timestamp())


@given(st.integers(0, 4_000_000_000))
def test_http_dates_are_dates(second: int) -> None:
    assert _date(format_date(second)) == second


def test_a_jar_is_bounded() -> None:
    """G28: of a host, and of all; anyone who sets by the thousand loses their own."""
    jar = after("http://example.com/", "mine=1")
    for number in range(5):
        after("http://evil.com/", *(f"a{number}-{each}=b" for each in range(100)), jar=jar)
    assert sum(each.domain == "evil.com" for each in jar) == 150
    for number in range(40):
        after(f"http://{number}.evil.com/", *(f"a{each}=b" for each in range(200)), jar=jar)
    assert len(jar) <= 3000
    assert sent(jar, "http://example.com/") == "mine=1"


@pytest.mark.serial
def test_very_many_lines_take_little_time() -> None:
    """G31."""
    began = time.thread_time()
    after("http://example.com/", *(f"a{each}=b" for each in range(100_000)))
    after("http://example.com/", "a=b" + ";a=b" * 50_000, "a=" + '"\\' * 50_000, "a=b; Expires=" + "1 " * 50_000)
    assert time.thread_time() - began < 0.5


def test_cookies_given_are_the_users_own() -> None:
    """No prefix is refused, and none with one goes out by http."""
    session = HTTPSession(base_url="https://example.com/x/", cookies={"__Host-a": "b", "c": "d"})
    for url, expected in (("https://example.com/", "__Host-a=b; c=d"), ("http://example.com/", "c=d")):
        request = with_cookies(session, OutgoingRequest("GET", parse(url).text, [], b"", Timeout()))
        assert request.headers == [("Cookie", expected)]


@given(st.text(st.characters(max_codepoint=255), max_size=80), st.sampled_from(["http", "https"]))
def test_any_line_can_be_read(line: str, scheme: str) -> None:
    jar = new_jar()
    extract(jar, f"{scheme}://example.com/", [line, "a=b;" + line])
    sent(jar, f"{scheme}://example.com/")
    assert all(each.domain.endswith("example.com") for each in jar)


@pytest.mark.anyio
async def test_a_session_reads_the_list_beside_its_loop(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """G22: 50 ms would be noticed; anyone who sets no Domain never reads it."""
    threads: list[str] = []
    real = suffixes._suffixes.__wrapped__

    @cache
    def noted() -> Any:
        threads.append(threading.current_thread().name)
        return real()

    monkeypatch.setattr(suffixes, "_suffixes", noted)
    server = serve.pages(
        {
            "/plain": serve.message(b"", "200 OK", "Set-Cookie: a=b"),
            "/domain": serve.message(b"", "200 OK", "Set-Cookie: c=d; Domain=127.0.0.1"),
        }
    )
    async with HTTPSession() as session:
        await session.get(server.url + "/plain")
        assert threads == []
        await session.get(server.url + "/domain")
        await session.get(server.url + "/domain")
        assert len(threads) == 1
        assert threads[0] != threading.main_thread().name
        assert server.seen[-1].get("cookie") in ("a=b; c=d", "c=d; a=b")
