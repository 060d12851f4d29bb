"""G16: each hop of a redirect is judged by its own fields; the cache carries no credentials to another origin."""

from __future__ import annotations

from typing import Any

import pytest
from local_origin import Origin, fresh, redirect

from sansio_cache import CachedSession


@pytest.mark.parametrize("says", ["no-store", "max-age=60"])
def test_hops_are_judged_apart(session: CachedSession, origin: Origin, says: str) -> None:
    """G16: a hop that is not stored is asked again, between two that are."""
    origin.on("/c", fresh(b"end"))
    hop = redirect("/c")
    hop.fields = {"Location": "/c", "Cache-Control": says}
    origin.on("/b", hop)
    url = origin.on("/a", redirect("/b"))
    session.get(url)
    response = session.get(url)
    stored = says != "no-store"
    assert [each.from_cache for each in (*response.history, response)] == [True, stored, True]
    assert origin.count("/b") == (1 if stored else 2)


@pytest.mark.parametrize("way", ["auth", "header", "session", "url"])
def test_credentials_end_at_the_border(session: CachedSession, origin: Origin, way: str) -> None:
    """G16: on the miss and on the hit, and in the key of what lies beyond."""
    other = Origin()
    url = origin.on("/a", redirect(other.on("/b", fresh(b"end"))))
    keywords: dict[str, Any] = {}
    if way == "auth":
        keywords = {"auth": ("me", "pw")}
    elif way == "header":
        keywords = {"headers": {"Authorization": "Bearer hunter2"}}
    elif way == "session":
        session.headers["Authorization"] = "Bearer hunter2"
    else:
        url = url.replace("://", "://me:pw@")
    for _ in range(3):
        session.cache.delete(urls=[other.url("/b")])
        response = session.get(url, **keywords)
        assert response.content == b"end"
        assert other.last().get("Authorization") is None
        assert "Authorization" not in response.request.headers
    assert origin.count() == 1
    session.headers.pop("Authorization", None)
    assert session.get(other.url("/b")).from_cache
    other.close()


def test_cookies_stay_with_their_host(session: CachedSession, origin: Origin) -> None:
    """G16: those of the first hop are not sent to another host by a hop from the store."""
    other = Origin()
    target = other.on("/b", fresh(b"end", 0)).replace("127.0.0.1", "localhost")
    url = origin.on("/a", redirect(target))
    session.cookies.set("sid", "1", domain="127.0.0.1")
    for _ in range(2):
        session.get(url)
        assert other.last().get("Cookie") is None
    assert origin.count() == 1
    other.close()
