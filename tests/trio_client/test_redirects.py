"""Redirects: where they lead, what goes along, where they end."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from sansio_cache_adapters.trio.http import redirects as trio_redirects
from sansio_cache_adapters.trio.http.client import HTTPSession, OutgoingRequest, Timeout
from sansio_cache_adapters.trio.http.errors import InvalidURL, StreamClosed, StreamConsumed
from sansio_cache_adapters.trio.http.hop import Drained, Hop
from sansio_cache_adapters.trio.http.redirects import location, redirected
from sansio_cache_adapters.trio.http.response import TooManyRedirects

pytestmark = pytest.mark.anyio


def redirect(serve: Any, status: int, to: str, *fields: str) -> bytes:
    sent: bytes = serve.message(b"moved", f"{status} Moved", f"Location: {to}", *fields)
    return sent


async def pieces() -> AsyncIterator[bytes]:
    yield b"abc"


# id, first method, status, content given, second method, content sent on
REWRITES: list[tuple[str, str, int, bool, str, bool]] = [
    ("301 GET", "GET", 301, False, "GET", False),
    ("301 POST", "POST", 301, True, "GET", False),
    ("301 PUT", "PUT", 301, True, "PUT", True),
    ("302 POST", "POST", 302, True, "GET", False),
    ("302 DELETE", "DELETE", 302, False, "DELETE", False),
    ("302 HEAD", "HEAD", 302, False, "HEAD", False),
    ("303 POST", "POST", 303, True, "GET", False),
    ("303 PUT", "PUT", 303, True, "GET", False),
    ("303 HEAD", "HEAD", 303, False, "HEAD", False),
    ("307 POST", "POST", 307, True, "POST", True),
    ("308 PATCH", "PATCH", 308, True, "PATCH", True),
    ("308 GET", "GET", 308, False, "GET", False),
]


@pytest.mark.parametrize(
    ("method", "status", "given_", "second", "kept"), [row[1:] for row in REWRITES], ids=[row[0] for row in REWRITES]
)
async def test_a_redirect_keeps_or_changes_the_method(
    serve: Any, method: str, status: int, given_: bool, second: str, kept: bool
) -> None:
    start = serve.message(b"" if method == "HEAD" else b"moved", f"{status} Moved", "Location: /end")
    server = serve.pages({"/start": start, "/end": serve.message(b"")})
    async with HTTPSession() as session:
        options: Any = {"json": {"a": 1}, "headers": {"Content-Language": "de", "X": "y"}} if given_ else {}
        response = await session.request(method, server.url + "/start", **options)
    assert response.url == server.url + "/end"
    assert response.request.method == second
    assert [hop.status for hop in response.history] == [status]
    assert [seen.method for seen in server.seen] == [method, second]
    assert (server.seen[1].body == b'{"a":1}') is kept
    assert (server.seen[1].get("content-language") is not None) is kept
    assert (server.seen[1].get("content-type") is not None) is kept
    assert server.seen[1].get("x") == ("y" if given_ else None)
    assert server.accepted == 1


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 306, 309, 399])
async def test_other_statuses_do_not_redirect(serve: Any, status: int) -> None:
    server = serve.pages({"*": serve.message(b"", f"{status} X", "Location: /end")})
    async with HTTPSession() as session:
        assert (await session.get(server.url)).status == status


async def test_redirects_need_a_location_and_can_be_left_alone(serve: Any) -> None:
    server = serve.pages({"/none": serve.message(b"x", "302 Found"), "*": redirect(serve, 302, "/next")})
    async with HTTPSession(follow_redirects=False) as session:
        assert (await session.get(server.url)).headers["location"] == "/next"
        assert (await session.get(server.url + "/none", follow_redirects=True)).content == b"x"
        assert len(server.seen) == 2


async def test_redirects_end(serve: Any) -> None:
    server = serve.pages({"*": redirect(serve, 302, "/next")})
    async with HTTPSession(max_redirects=3) as session:
        with pytest.raises(TooManyRedirects) as caught:
            await session.get(server.url)
        assert [hop.status for hop in caught.value.history] == [302] * 3
        assert len(server.seen) == 4
        assert caught.value.url == server.url + "/next"
        session.max_redirects = 0
        with pytest.raises(TooManyRedirects):
            await session.get(server.url)
        assert session.pool.counts.active == 0


# base, Location as sent, where it leads
LOCATIONS: list[tuple[str, bytes, str]] = [
    ("http://h/a/b?q", b"c", "http://h/a/c"),
    ("http://h/a/b", b"/c?d", "http://h/c?d"),
    ("http://h/a", b"//i/b", "http://i/b"),
    ("http://h/a#f", b"/b", "http://h/b#f"),
    ("http://h/a#f", b"/b#g", "http://h/b#g"),
    ("http://h/a", b"", "http://h/a"),
    ("http://h/a", b"/x y", "http://h/x%20y"),
    ("http://h/a", "/ä".encode(), "http://h/%C3%A4"),
    ("http://h/a", b"/\xe4", "http://h/%EF%BF%BD"),
    ("http://h/a", b"http://user:pw@h/b", "http://h/b"),
    ("http://h/a", b"HTTPS://I:443", "https://i/"),
]


def asked(url: str, *fields: tuple[str, str], body: Any = b"", method: str = "GET") -> OutgoingRequest:
    return OutgoingRequest(method, url, list(fields), body, Timeout(), {"carried": True})


@pytest.mark.parametrize(("base", "sent", "meant"), LOCATIONS)
def test_a_location_is_resolved(base: str, sent: bytes, meant: str) -> None:
    target = location(Hop(302, "", [("X", "y"), ("LOCATION", sent.decode("latin-1"))], Drained(b"")))
    assert target is not None
    request = redirected(asked(base), 302, target)
    assert request.url == meant
    assert request.extra == {"carried": True}


@pytest.mark.parametrize("to", ["ftp://h/", "javascript:x", "http://", "http://[", "//[", "http://h:0/", "file:///x"])
async def test_a_location_that_leads_nowhere_is_an_error(serve: Any, to: str) -> None:
    server = serve.pages({"*": redirect(serve, 302, to)})
    async with HTTPSession() as session:
        with pytest.raises(InvalidURL) as caught:
            await session.get(server.url)
        assert caught.value.url == server.url + "/"
        assert session.pool.counts.active == 0


SECRETS = ["Authorization", "Cookie", "X-CSRF-Token", "X-API-Key", "X-Acme-Token", "X-User-Id", "Host"]

# from, to, whether what is secret goes along
ORIGINS: list[tuple[str, str, bool]] = [
    ("http://h/a", "/b", True),
    ("http://h/a", "http://H:80/b", True),
    ("http://h/a", "http://i/b", False),
    ("http://h/a", "http://h:81/b", False),
    ("http://h/a", "https://h/b", False),
    ("https://h/a", "http://h/b", False),
    ("http://h/a", "http://sub.h/b", False),
]


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(("start", "to", "along"), ORIGINS)
def test_credentials_stop_at_their_origin(start: str, to: str, along: bool, name: str) -> None:
    request = redirected(asked(start, (name.upper(), "secret"), ("X", "y")), 307, to)
    assert request.headers == ([(name.upper(), "secret")] if along else []) + [("X", "y")]


async def test_credentials_do_not_come_back(serve: Any) -> None:
    pages: dict[str, bytes] = {"/end": serve.message(b"")}
    home = serve.pages(pages)
    away = serve.pages({"*": redirect(serve, 302, home.url + "/end")})
    pages["/start"] = redirect(serve, 302, away.url)
    async with HTTPSession(auth=("user", "pw")) as session:
        await session.get(home.url + "/start")
    assert [seen.get("authorization") for seen in home.seen] == ["Basic dXNlcjpwdw==", None]
    assert away.seen[0].get("authorization") is None


async def test_a_content_is_sent_again_if_it_can_be(serve: Any) -> None:
    server = serve.pages({"/start": redirect(serve, 307, "/end"), "/end": serve.message(b"")})
    async with HTTPSession() as session:
        file = io.BufferedReader(io.BytesIO(b"x" * 100))
        await session.put(server.url + "/start", content=file)
        assert [seen.body for seen in server.seen] == [b"x" * 100] * 2
        with pytest.raises(StreamConsumed):
            await session.put(server.url + "/start", content=pieces())
        assert session.pool.counts.active == 0


async def test_the_body_of_a_redirect_is_read_within_bounds(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(peer: Any) -> None:
        while seen := peer.read():
            if seen.target == "/short":
                peer.send(redirect(serve, 302, "/end", "Content-Encoding: gzip"))
            elif seen.target == "/long":
                head = serve.message(b"", "302 Found", "Location: /end").replace(b"Length: 0", b"Length: 9999999")
                peer.send(head, bytes(200_000))
            elif seen.target == "/broken":
                peer.send(b"HTTP/1.1 302 Found\r\nLocation: /end\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n")
            elif seen.target == "/slow":
                peer.send(b"HTTP/1.1 302 Found\r\nLocation: /end\r\n\r\n")
            else:
                peer.send(serve.message(b"end"))

    server = serve(handler)
    async with HTTPSession() as session:
        for target in ("/long", "/broken"):
            response = await session.get(server.url + target)
            assert response.content == b"end"
            with pytest.raises(StreamClosed):
                await response.history[0].read()
        response = await session.get(server.url + "/short")
        # It is decoded when it is asked for: this one's Content-Encoding is untrue.
        assert [piece async for piece in response.history[0].iter_raw()] == [b"moved"]
        monkeypatch.setattr(trio_redirects, "DRAIN_SECONDS", 0.05)
        with anyio.fail_after(30):
            assert (await session.get(server.url + "/slow")).content == b"end"
        assert session.pool.counts.active == 0
