"""The session: what it sends, where redirects lead, whose cookies and credentials go where."""

from __future__ import annotations

import gzip
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from http.cookiejar import CookieJar
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_cache_adapters.trio.http.client import HTTPSession, OutgoingRequest, Timeout
from sansio_cache_adapters.trio.http.cookies import extract
from sansio_cache_adapters.trio.http.errors import (
    DecodingError,
    InvalidURL,
    ReadTimeout,
)
from sansio_cache_adapters.trio.http.hop import Drained, Hop
from sansio_cache_adapters.trio.http.pool import Counts
from sansio_cache_adapters.trio.http.sending import with_cookies

pytestmark = pytest.mark.anyio


def redirect(serve: Any, status: int, to: str, *fields: str) -> bytes:
    sent: bytes = serve.message(b"moved", f"{status} Moved", f"Location: {to}", *fields)
    return sent


async def test_every_verb_sends_itself(serve: Any) -> None:
    server = serve.pages({"*": serve.message(b"")})
    async with HTTPSession() as session:
        for verb in ("get", "head", "options", "post", "put", "patch", "delete"):
            response = await getattr(session, verb)(server.url + "/x")
            assert response.status == 200
        await session.request("report", server.url)
    verbs = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "REPORT"]
    assert [seen.method for seen in server.seen] == verbs


async def test_a_response_tells_all(serve: Any) -> None:
    server = serve.pages({"/p?q=1": serve.message(b"hello", "299 Odd One", "X-A: 1", "Set-Cookie: k=v")})
    async with HTTPSession() as session:
        response = await session.get(server.url + "/p?q=1#f")
    assert (response.status, response.reason, response.text) == (299, "Odd One", "hello")
    assert response.url == server.url + "/p?q=1#f"
    assert response.headers["x-a"] == "1"
    assert response.history == ()
    assert response.cookies == {"k": "v"}
    assert timedelta() < response.elapsed < timedelta(seconds=10)
    assert response.request.method == "GET"


async def test_defaults_are_sent_replaced_and_removed(serve: Any) -> None:
    server = serve.pages({"*": serve.message()})
    async with HTTPSession(
        base_url=server.url + "/api/", headers={"A": "1", "accept": "x/y"}, params={"v": 1}
    ) as session:
        await session.get("users", params={"w": 2}, headers={"a": "2", "User-Agent": None})
        await session.get("/users?v=0", params={"v": None}, headers=[("B", "1"), ("B", "2")])
        await session.post("", json={}, headers={"Content-Type": "application/x"})
    first, second, third = server.seen
    assert first.target == "/api/users?v=1&w=2"
    assert first.fields == [
        ("Host", f"127.0.0.1:{server.port}"),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("accept", "x/y"),
        ("a", "2"),
    ]
    assert second.target == "/users?v=0"
    assert second.fields[1:3] == [("User-Agent", "sansio-cache"), ("Accept-Encoding", "gzip, deflate, br, zstd")]
    assert [value for name, value in second.fields if name == "B"] == ["1", "2"]
    assert third.target == "/api/?v=1"
    assert third.get("content-type") == "application/x"
    assert third.body == b"{}"


async def pieces() -> AsyncIterator[bytes]:
    for piece in (b"a", b"", b"bc"):
        await anyio.sleep(0)
        yield piece


# options, what the server reads, Content-Type
CONTENTS: list[tuple[Any, bytes, str | None]] = [
    (lambda: {"content": b"x" * 200_000}, b"x" * 200_000, None),
    (lambda: {"content": "ä"}, b"\xc3\xa4", "text/plain; charset=utf-8"),
    (lambda: {"content": pieces()}, b"abc", None),
    (lambda: {"content": io.BufferedReader(io.BytesIO(b"x" * 200_000))}, b"x" * 200_000, None),
    (lambda: {"json": [1]}, b"[1]", "application/json"),
    (lambda: {"data": {"a": "b"}}, b"a=b", "application/x-www-form-urlencoded"),
]


@pytest.mark.parametrize(("options", "body", "kind"), CONTENTS)
async def test_contents_arrive_whole(serve: Any, options: Any, body: bytes, kind: str | None) -> None:
    server = serve.pages({"*": serve.message()})
    async with HTTPSession() as session:
        await session.post(server.url, **options())
    assert server.seen[0].body == body
    assert server.seen[0].get("content-type") == kind


async def test_codings_are_taken_off(serve: Any) -> None:
    coded = gzip.compress(b"hello" * 100_000)
    server = serve.pages(
        {
            "/gzip": serve.message(coded, "200 OK", "Content-Encoding: gzip"),
            "/cut": serve.message(coded[:-9], "200 OK", "Content-Encoding: gzip"),
            "/head": serve.message(b"", "200 OK", "Content-Encoding: gzip"),
        }
    )
    async with HTTPSession() as session:
        assert (await session.get(server.url + "/gzip")).content == b"hello" * 100_000
        with pytest.raises(DecodingError) as caught:
            await session.get(server.url + "/cut")
        assert caught.value.url == server.url + "/cut"
        assert (await session.head(server.url + "/head")).content == b""
        async with session.stream("GET", server.url + "/gzip") as response:
            assert b"".join([piece async for piece in response.iter_raw()]) == coded
        assert session.pool.counts.active == 0


async def test_a_stream_is_read_as_it_comes(serve: Any) -> None:
    def handler(peer: Any) -> None:
        while peer.read():
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(3):
                peer.send(b"6\r\nline\r\n\r\n")
            peer.send(b"0\r\n\r\n")

    server = serve(handler)
    async with HTTPSession() as session:
        async with session.stream("GET", server.url) as response:
            assert [line async for line in response.iter_lines()] == ["line"] * 3
        async with session.stream("GET", server.url) as response:
            assert await response.read() == b"line\r\n" * 3
        assert response.text == "line\r\n" * 3
        assert session.pool.counts == Counts(0, 1, 0)


# id, session, URL prefix, options, what is sent
AUTH: list[tuple[str, dict[str, Any], str, dict[str, Any], str | None]] = [
    ("none", {}, "", {}, None),
    ("session", {"auth": ("u", "s")}, "", {}, "u:s"),
    ("request", {"auth": ("u", "s")}, "", {"auth": ("u", "r")}, "u:r"),
    ("request says none", {"auth": ("u", "s")}, "", {"auth": None}, None),
    ("URL", {"auth": ("u", "s")}, "u:%75@", {}, "u:u"),
    ("request over URL", {}, "u:u@", {"auth": ("u", "r")}, "u:r"),
    ("field over session", {"auth": ("u", "s")}, "", {"headers": {"authorization": "Bearer x"}}, "Bearer x"),
]


@pytest.mark.parametrize(
    ("given_", "userinfo", "options", "sent"), [row[1:] for row in AUTH], ids=[row[0] for row in AUTH]
)
async def test_the_nearest_credentials_are_sent(
    serve: Any, given_: dict[str, Any], userinfo: str, options: dict[str, Any], sent: str | None
) -> None:
    import base64

    server = serve.pages({"*": serve.message(b"")})
    async with HTTPSession(**given_) as session:
        response = await session.get(server.url.replace("//", "//" + userinfo), **options)
        assert response.url == server.url + "/"
    expected = sent if sent is None or " " in sent else "Basic " + base64.b64encode(sent.encode()).decode()
    assert server.seen[0].get("authorization") == expected


async def test_cookies_are_kept_and_sent_to_their_host(serve: Any) -> None:
    pages = {
        "/set": redirect(
            serve, 302, "/see", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; Path=/set", "Set-Cookie: c=3; Secure"
        ),
        "*": serve.message(b""),
        "/end": serve.message(b"", "200 OK", "Set-Cookie: a=; Path=/; Max-Age=0"),
    }
    server = serve.pages(pages)
    async with HTTPSession() as session:
        response = await session.get(server.url + "/set")
        assert response.history[0].cookies == {"a": "1", "b": "2"}
        assert response.cookies == {}
        assert server.seen[1].get("cookie") == "a=1"
        await session.get(server.url.replace("127.0.0.1", "localhost") + "/see")
        assert server.seen[2].get("cookie") is None
        await session.get(server.url + "/end", headers={"Cookie": "own=1"})
        assert server.seen[3].get("cookie") == "own=1"
        await session.get(server.url + "/see")
        assert server.seen[4].get("cookie") is None
        assert isinstance(session.cookies, CookieJar)


async def test_cookies_given_belong_to_the_base_url(serve: Any) -> None:
    server, other = serve.pages({"*": serve.message(b"")}), serve.pages({"*": serve.message(b"")})
    async with HTTPSession(base_url=server.url, cookies={"a": "1"}) as session:
        await session.get("/")
        assert server.seen[0].get("cookie") == "a=1"
        await session.get(other.url.replace("127.0.0.1", "localhost"))
        assert other.seen[0].get("cookie") is None
    jar = session.cookies
    async with HTTPSession(cookies=jar) as session:
        assert session.cookies is jar
        await session.get(server.url)
        assert server.seen[1].get("cookie") == "a=1"


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60))
def test_no_set_cookie_breaks_a_response(text: str) -> None:
    session = HTTPSession()
    extract(session.cookies, "http://h/", [text, "a=b; " + text])
    request = with_cookies(session, OutgoingRequest("GET", "http://h/", [], b"", Timeout()))
    for _, value in request.headers:
        value.encode("latin-1")


@pytest.mark.parametrize(
    "settings",
    [
        {"cookies": {"a": "1"}},
        {"base_url": "http://h/", "cookies": {"a": "1; Domain=com"}},
        {"base_url": "/relative"},
        {"timeout": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        HTTPSession(**settings)


async def test_a_request_may_set_its_own_timeout(serve: Any) -> None:
    server = serve(lambda peer: peer.wait_for_end())
    async with HTTPSession(timeout=None) as session:
        with anyio.fail_after(30), pytest.raises(ReadTimeout):
            await session.get(server.url, timeout=0.05)
        with anyio.move_on_after(0.05) as scope:
            await session.get(server.url)
        assert scope.cancelled_caught


@pytest.mark.parametrize("url", ["", "/x", "ftp://h/", "http://h:99999/"])
async def test_a_url_that_is_none_is_refused_at_once(url: str) -> None:
    async with HTTPSession() as session:
        with pytest.raises(InvalidURL):
            await session.get(url)


async def test_options_that_make_no_request_are_refused_at_once() -> None:
    async with HTTPSession() as session:
        with pytest.raises(TypeError):
            await session.get("http://h/", content=b"x", json=1)
        with pytest.raises(ValueError, match="colon"):
            await session.get("http://h/", auth=("a:b", "c"))


async def test_a_cache_answers_at_the_seam() -> None:
    """What a subclass needs: `hop` to answer from elsewhere, `extra` to carry down what was asked of it."""

    class Cached(HTTPSession):
        async def hop(self, request: OutgoingRequest) -> Hop:
            self.last = request
            if request.url.endswith("/start"):
                return Hop(302, "Found", [("Location", "/end"), ("Set-Cookie", "a=1")], Drained(b"x"))
            fields = [("Content-Encoding", "gzip")]
            return Hop(200, "OK", fields, Drained(gzip.compress(b"stored")))

    async with Cached() as session:
        response = await session.get("http://h/start")
        assert (response.content, len(response.history)) == (b"stored", 1)
        assert ("Cookie", "a=1") in session.last.headers
        assert session.pool.counts == Counts(0, 0, 0)
