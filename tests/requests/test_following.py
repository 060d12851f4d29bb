"""A request goes on from the fast path as ``Session.send`` would send it."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from local_origin import Origin, Reply, fresh

from sansio_cache import CachedSession, MemoryStore
from sansio_cache_adapters.requests.preparing import prepared_like


def seen(request: requests.PreparedRequest) -> tuple[Any, ...]:
    return (request.method, request.url, [*request.headers.items()], request.body, request.hooks, vars(request).keys())


@pytest.mark.parametrize(
    "rest",
    [
        *(
            "",
            "x",
            "x/",
            "a/b.c",
            "?",
            "?q",
            "?q=1&r=-~",
            "x?q=%2F",
            "?q=+",
            "?q=a b",
            "?q='",
            "?q=/?",
            "?q=[]",
            "?q=ü",
        ),
        *(
            ".",
            "..",
            "./x",
            "x/.",
            "x/../y",
            "x..y",
            ".x",
            "..x",
            "x/.y",
            "/x",
            "//x",
            "x//y",
            "x//",
            "#f",
            "x;p",
            "x\n",
        ),
        *("%7Ex", "%zz", "%2e", "x%", "é", "a b", "\\", "x@y", "x:y", "x?a#b", "x'y", "*", "(x)", "x\u017f", "x\u212a"),
    ],
)
def test_a_url_is_prepared_as_it_is_where_that_changes_nothing(session: CachedSession, rest: str) -> None:
    """Preparation by the last request gives the URL that requests would make of it."""
    for root in ("http://a.test/", "http://a.test:8080/", "http://[::1]/"):
        last = session.prepare_request(requests.Request("GET", f"{root}last"))
        for url in (root + rest, "http://A.test/" + rest, "http://a.test:080/" + rest):
            expected = session.prepare_request(requests.Request("GET", url))
            assert seen(prepared_like(last, url)) == seen(expected)


def test_a_session_that_follows_in_its_own_way_is_asked_for_each_response(origin: Origin) -> None:
    """A class that finds redirects where requests sees none, and one that is told so later."""

    class Following(CachedSession):
        def get_redirect_target(self, resp: requests.Response) -> str | None:
            return resp.headers.get("Refresh")

    target = origin.on("/b", fresh(b"end"))
    with Following(MemoryStore()) as session:
        assert session.get(origin.on("/a", fresh(b"x", Refresh="/b"))).url == target
    with CachedSession(MemoryStore()) as session:
        vars(session)["get_redirect_target"] = lambda response: response.headers.get("Refresh")
        assert session.get(origin.on("/c", fresh(b"x", Refresh="/b"))).url == target


def test_a_copy_is_the_users_alone(session: CachedSession, origin: Origin) -> None:
    """What a user, or an adapter, changes in the request of one response does not show in the next."""
    url = origin.on("/a", fresh(b"x"))
    plain = session.prepare_request(requests.Request("GET", url))
    for _ in range(2):
        request = session.get(url, headers={"Cache-Control": "no-cache"}).request
        assert {**request.headers} == {**plain.headers, "Cache-Control": "no-cache"}
        assert request.headers["cache-CONTROL"] == "no-cache"
        request.headers["X-Added"] = "1"
        request.hooks["response"].append(print)
        assert request._cookies is not None
        request._cookies.set("a", "1")


def test_cookies_are_the_sessions_by_whatever_way_they_come(session: CachedSession, origin: Origin) -> None:
    """With what is stored, and with what confirms it; of a jar of the user's own it is the jar that decides."""

    class Jar(requests.cookies.RequestsCookieJar):
        asked = 0

        def extract_cookies(self, response: Any, request: Any) -> None:
            self.asked += 1

    url = origin.on(
        "/a",
        Reply(fields={"Cache-Control": "max-age=0", "ETag": '"1"', "Set-Cookie": "a=1"}),
        Reply(status=304, fields={"ETag": '"1"', "Set-Cookie": "b=2"}),
        fresh(b"x"),
    )
    session.get(url)
    assert session.cookies.get_dict() == {"a": "1"}
    session.cookies.clear()
    assert session.get(url).revalidated
    assert session.cookies.get_dict() == {"b": "2"}
    session.cookies = jar = Jar()
    session.get(url, refresh=True)
    assert jar.asked


@pytest.mark.parametrize(
    "reply",
    [
        fresh(b"with its head"),
        fresh(),
        fresh(b"in gzip", coded=True),
        Reply(b"to the end", framing="close"),
        Reply(b"x", 200, {"Cache-Control": "max-age=60"}, framing="chunked"),
    ],
)
def test_a_body_is_read_as_requests_reads_it(origin: Origin, reply: Reply) -> None:
    """What is left of the response below, and of its connection, is what a session without a cache leaves."""
    url = origin.on("/", reply)

    def left(session: requests.Session) -> tuple[object, ...]:
        response = session.get(url)
        raw: Any = response.raw
        return response.content, [*response.iter_content(2)], raw.closed, raw.read(), raw._connection

    with CachedSession(MemoryStore()) as cached, requests.Session() as plain:
        assert left(cached) == left(plain)
