"""Redirects are cached hop by hop, each by its own fields."""

from __future__ import annotations

import pytest
import requests
from local_origin import Origin, Reply, Seen, fresh, redirect

from sansio_cache import CachedSession

HOPS = [(301, "GET"), (302, "GET"), (303, "GET"), (307, "GET"), (308, "GET"), (307, "HEAD")]


@pytest.mark.parametrize(("status", "method"), HOPS)
def test_each_hop_is_stored(session: CachedSession, origin: Origin, status: int, method: str) -> None:
    """History shows the hops, and tells of each where it came from."""
    origin.on("/b", fresh(b"end"))
    origin.on("/a2", redirect("/b", status))
    url = origin.on("/a1", redirect("/a2", status))
    for from_cache in (False, True):
        response = session.request(method, url)
        assert response.url == origin.url("/b")
        assert [hop.status_code for hop in response.history] == [status, status]
        assert [hop.url for hop in response.history] == [url, origin.url("/a2")]
        assert [hop.from_cache for hop in (*response.history, response)] == [from_cache] * 3
        assert [len(hop.history) for hop in response.history] == [0, 1]
        assert all(hop.content == (b"" if method == "HEAD" else b"moved") for hop in response.history)
    assert origin.count() == 3


def test_a_hop_that_may_not_be_stored_is_asked_again(session: CachedSession, origin: Origin) -> None:
    """A 302 without a time of its own, between stored ones; there is no alias from the first to the last."""
    origin.on("/b", fresh(b"1"))
    origin.on("/c", fresh(b"2"))
    url = origin.on("/a", Reply(status=302, fields={"Location": "/b"}), Reply(status=302, fields={"Location": "/c"}))
    assert [session.get(url).content for _ in range(2)] == [b"1", b"2"]
    assert session.get(origin.url("/b")).from_cache


def test_a_hit_without_following(session: CachedSession, origin: Origin) -> None:
    """``allow_redirects=False`` gives the redirect, and ``next`` the request that would follow."""
    origin.on("/b", fresh(b"end"))
    url = origin.on("/a", redirect("/b"))
    for _ in range(2):
        response = session.get(url, allow_redirects=False)
        assert response.status_code == 302
        assert response.is_redirect
        assert response.next is not None
        assert response.next.url == origin.url("/b")
    assert response.from_cache
    assert origin.count() == 1
    assert session.cache.stats.hits == 1


def test_a_redirect_counts_once(session: CachedSession, origin: Origin) -> None:
    """The counters tell of requests, not of the ways they were looked at."""
    origin.on("/b", fresh(b"end"))
    url = origin.on("/a", redirect("/b"))
    session.get(url)
    session.get(url)
    stats = session.cache.stats
    assert (stats.hits, stats.misses, stats.stored) == (2, 2, 2)


def test_a_redirects_body_is_read_by_requests(session: CachedSession, origin: Origin) -> None:
    """With ``stream`` the last body is left, and the hops' are stored."""
    origin.on("/b", fresh(b"end"))
    url = origin.on("/a", redirect("/b"))
    for from_cache in (False, True):
        with session.get(url, stream=True) as response:
            assert response.history[0].from_cache is from_cache
            assert response.raw.read() == b"end"


def test_credentials_are_dropped_on_another_origin(session: CachedSession, origin: Origin) -> None:
    """As requests does, from the network and from the store; and the target's entry belongs to no user."""
    other = Origin()
    target = other.on("/b", fresh(b"end"))
    url = origin.on("/a", redirect(target))
    for _ in range(2):
        response = session.get(url, auth=("me", "pw"))
        assert "Authorization" not in response.request.headers
        assert "Authorization" in response.history[0].request.headers
    assert response.from_cache
    assert session.get(target).from_cache
    assert other.count() == 1
    assert other.seen[0].get("Authorization") is None
    # Another user's way there is asked anew, the end is shared.
    response = session.get(url, auth=("you", "pw"))
    assert [hop.from_cache for hop in (*response.history, response)] == [False, True]
    other.close()


def test_credentials_stay_on_the_same_origin(session: CachedSession, origin: Origin) -> None:
    """And separate the entry of the target."""
    origin.on("/b", lambda seen: fresh((seen.get("Authorization") or "").encode()))
    url = origin.on("/a", redirect("/b"))
    bodies = [session.get(url, auth=(name, "pw")).content for name in ("me", "you", "me", "you")]
    assert bodies[0] == bodies[2] != bodies[1] == bodies[3]
    assert origin.count("/b") == 2


def test_cookies_set_on_the_way(session: CachedSession, origin: Origin) -> None:
    """Reach the target, as without a cache; a stored redirect sets none (security.md, G13)."""
    origin.on("/b", lambda seen: Reply((seen.get("Cookie") or "").encode()))
    url = origin.on("/a", redirect("/b", set_cookie="way=1"))
    response = session.get(url)
    assert response.content == b"way=1"
    assert response.history[0].cookies["way"] == "1"
    assert session.cookies["way"] == "1"
    session.cookies.clear()
    again = session.get(url)
    assert again.history[0].from_cache
    assert again.content == b""
    assert not session.cookies


def test_a_post_that_is_redirected_becomes_a_get(session: CachedSession, origin: Origin) -> None:
    """303: the GET is stored, the POST is not, and invalidates what it points to (RFC 9111 §4.4)."""
    origin.on("/b", fresh(b"end"))
    url = origin.on("/a", redirect("/b", 303))
    for _ in range(2):
        response = session.post(url, data={"a": "1"})
        assert response.content == b"end"
        assert not response.from_cache
    assert session.get(origin.url("/b")).from_cache
    assert [seen.method for seen in origin.seen] == ["POST", "GET", "POST", "GET"]


def test_a_loop_ends_as_without_a_cache(session: CachedSession, origin: Origin) -> None:
    """Though every hop comes from the store."""
    url = origin.on("/a", redirect("/a"))
    session.max_redirects = 3
    for _ in range(2):
        with pytest.raises(requests.TooManyRedirects):
            session.get(url)
    assert origin.count() == 1


def test_options_reach_every_hop(session: CachedSession, origin: Origin) -> None:
    """``force_refresh`` fetches the whole way anew, and none of it is sent."""
    origin.on("/b", fresh(b"end"))
    url = origin.on("/a", redirect("/b"))
    session.get(url)
    response = session.get(url, force_refresh=True)
    assert not response.from_cache
    assert not response.history[0].from_cache
    assert origin.count() == 4
    assert session.get(url, only_if_cached=True).content == b"end"


def test_a_fragment_is_inherited(session: CachedSession, origin: Origin) -> None:
    """RFC 9110 §10.2.2, by requests; it is no part of the key."""
    origin.on("/b", fresh(b"end"))
    url = origin.on("/a", redirect("/b"))
    for _ in range(2):
        assert session.get(url + "#top").url == origin.url("/b#top")
    assert origin.count() == 2


def test_a_strange_redirect_is_the_clients_trouble(session: CachedSession, origin: Origin) -> None:
    """Its error is the same twice."""
    url = origin.on("/a", redirect("http://[bad"))
    for _ in range(2):
        with pytest.raises(ValueError, match="Invalid"):
            session.get(url)


def test_the_body_of_a_redirect_to_nowhere_is_kept(session: CachedSession, origin: Origin) -> None:
    """A 301 without Location is an answer."""
    url = origin.on("/a", lambda _: Reply(b"where?", 301, {"Cache-Control": "max-age=60"}))
    for _ in range(2):
        response = session.get(url)
        assert (response.status_code, response.content, response.is_redirect) == (301, b"where?", False)
    assert origin.count() == 1


def test_redirects_seen(session: CachedSession, origin: Origin) -> None:
    """Each hop's own request is reported with it."""
    origin.on("/b", lambda seen: fresh(seen.target.encode()))
    url = origin.on("/a", lambda seen: redirect("/b?from=" + seen.target))
    for _ in range(2):
        response = session.get(url, params={"q": "1"})
        assert response.history[0].request.url == url + "?q=1"
        assert response.request.url == response.url == origin.url("/b?from=/a?q=1")


def test_the_seen_requests_carry_no_trace(session: CachedSession, origin: Origin) -> None:
    """Nothing of the cache's is sent to the origin."""
    names: set[str] = set()

    def note(seen: Seen) -> Reply:
        names.update(name.lower() for name, _ in seen.fields)
        return fresh(b"x")

    session.get(origin.on("/a", note), expire_after=60, tags=["x"])
    assert names == {"host", "user-agent", "accept-encoding", "accept", "connection"}
