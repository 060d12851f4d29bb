"""G14: unsafe methods are not stored unless opted in; HEAD never answers GET, nor a part the whole."""

from __future__ import annotations

from typing import Any

import pytest
from local_origin import Origin, Reply, Seen, fresh

from sansio_cache import CachedSession


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"])
def test_other_methods_are_neither_stored_nor_answered(session: CachedSession, origin: Origin, method: str) -> None:
    """G14: whatever their response says."""
    url = origin.on("/a", lambda seen: fresh(seen.method.encode()))
    for _ in range(2):
        response = session.request(method, url)
        assert (response.content, response.from_cache) == (method.encode(), False)
    assert session.get(url).content == b"GET"
    assert session.request(method, url).content == method.encode()


def test_bodies_and_types_separate_what_was_opted_in(sessions: Any, origin: Origin) -> None:
    """G14: each is part of the key."""
    session = sessions(allowed_methods=["GET", "POST", "PUT"])
    url = origin.on("/a", lambda seen: fresh(f"{seen.method} {seen.get('Content-Type')} ".encode() + seen.body))
    asked: list[tuple[str, bytes, str]] = [
        ("POST", b"1", "text/plain"),
        ("POST", b"2", "text/plain"),
        ("POST", b"1", "text/html"),
        ("POST", b"", "text/plain"),
        ("PUT", b"1", "text/plain"),
    ]
    for from_cache in (False, True):
        for method, body, kind in asked:
            response = session.request(method, url, data=body, headers={"Content-Type": kind})
            assert response.content == f"{method} {kind} ".encode() + body
            assert response.from_cache is from_cache
    assert not session.get(url).from_cache


def test_a_get_with_a_body_is_not_one_without(session: CachedSession, origin: Origin) -> None:
    """G14: some APIs query so."""
    url = origin.on("/a", lambda seen: fresh(seen.body))
    answers = [session.get(url, data=body) for body in (b"1", b"2", None, b"1", b"2", None)]
    assert [answer.content for answer in answers] == [b"1", b"2", b""] * 2
    assert [answer.from_cache for answer in answers] == [False] * 3 + [True] * 3


def test_head_is_no_get(session: CachedSession, origin: Origin) -> None:
    """G14: a stored HEAD answers HEAD."""
    url = origin.on("/a", fresh(b"body"))
    session.head(url)
    assert session.head(url).from_cache
    get = session.get(url)
    assert (get.content, get.from_cache) == (b"body", False)
    assert session.head(url).content == b""


def test_a_part_is_not_the_whole(session: CachedSession, origin: Origin) -> None:
    """G14: 206 is not stored."""

    def answer(seen: Seen) -> Reply:
        if seen.get("Range"):
            return Reply(b"bo", 206, {"Cache-Control": "max-age=60", "Content-Range": "bytes 0-1/4"})
        return fresh(b"body")

    url = origin.on("/a", answer)
    assert session.get(url, headers={"Range": "bytes=0-1"}).content == b"bo"
    assert session.get(url).content == b"body"
    part = session.get(url, headers={"Range": "bytes=2-3"})
    assert (part.status_code, part.content, part.from_cache) == (206, b"dy", True)
    assert session.get(url).content == b"body"


def test_an_unasked_part_is_not_stored(session: CachedSession, origin: Origin) -> None:
    """G14: from an origin that sends 206 to a plain GET."""
    url = origin.on("/a", Reply(b"bo", 206, {"Cache-Control": "max-age=60", "Content-Range": "bytes 0-1/4"}))
    assert [session.get(url).from_cache for _ in range(2)] == [False, False]


@pytest.mark.parametrize("status", [200, 204, 301, 404])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "UNKNOWN"])
def test_an_unsafe_method_invalidates(session: CachedSession, origin: Origin, method: str, status: int) -> None:
    """G14: what is stored for its URL, unless it failed (RFC 9111 §4.4)."""
    url = origin.on("/a", lambda seen: fresh(b"x") if seen.method == "GET" else Reply(status=status))
    session.get(url)
    session.request(method, url)
    assert session.get(url).from_cache is (status >= 400)
