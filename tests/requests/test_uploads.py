"""Requests with a body: never touched by the cache unless their method was opted in."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from local_origin import Origin, Reply, Seen, fresh, redirect

from sansio_cache import CachedSession


def echo(seen: Seen) -> Reply:
    return fresh(seen.body)


def letters() -> Iterator[bytes]:
    yield from (b"a", b"b", b"c")


class Unreadable(io.BytesIO):
    """A body that only sending may read."""

    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        return super().read(size)


BODIES: list[tuple[Any, bytes]] = [
    (b"abc", b"abc"),
    ("abc", b"abc"),
    ({"a": "1"}, b"a=1"),
    (io.BytesIO(b"abc"), b"abc"),
    (letters(), b"abc"),
]


@pytest.mark.parametrize(("data", "sent"), BODIES)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_unsafe_methods_are_sent_as_they_are(
    session: CachedSession, origin: Origin, data: Any, sent: bytes, method: str
) -> None:
    """Never answered from the store, nor stored."""
    data = letters() if isinstance(data, Iterator) and not isinstance(data, io.BytesIO) else data
    if isinstance(data, io.BytesIO):
        data.seek(0)
    response = session.request(method, origin.on("/a", echo), data=data)
    assert response.content == sent
    assert not response.from_cache
    assert response.cache_key == ""
    assert session.cache.size().entries == 0


def test_a_body_is_not_read_by_the_cache(session: CachedSession, origin: Origin) -> None:
    """Not even where the method is one that is looked up."""
    url = origin.on("/a", echo)
    for method in ("POST", "GET"):
        body = Unreadable(b"abc")
        plain = Unreadable(b"abc")
        assert session.request(method, url, data=body).content == b"abc"
        with session.disabled():
            session.request(method, url, data=plain)
        assert body.reads == plain.reads


def test_a_seeked_upload_begins_where_it_stands(session: CachedSession, origin: Origin) -> None:
    """And is rewound to there for a redirect that keeps the method."""
    origin.on("/b", echo)
    url = origin.on("/a", redirect("/b", 307))
    body = io.BytesIO(b"skipped,sent")
    body.seek(8)
    assert session.post(url, data=body).content == b"sent"
    assert [seen.body for seen in origin.seen] == [b"sent", b"sent"]


def test_files_are_uploaded(session: CachedSession, origin: Origin) -> None:
    """multipart/form-data."""
    response = session.post(origin.on("/a", echo), files={"f": ("name", b"content")})
    assert b"content" in response.content


def test_a_method_that_was_opted_in(sessions: Any, origin: Origin) -> None:
    """Body and type are part of the key; what cannot be read twice passes by."""
    session = sessions(allowed_methods=["GET", "POST"])
    url = origin.on("/a", echo)
    for _ in range(2):
        first, other = session.post(url, json={"q": 1}), session.post(url, json={"q": 2})
        typed = session.post(url, data=b'{"q": 1}', headers={"Content-Type": "text/plain"})
    assert (first.from_cache, other.from_cache, typed.from_cache) == (True, True, True)
    assert (first.content, other.content) == (b'{"q": 1}', b'{"q": 2}')
    assert origin.count() == 3
    stream = session.post(url, data=letters())
    assert (stream.content, stream.from_cache) == (b"abc", False)
    assert "body-not-known" in stream.cache_status
    form = session.post(url, data={"a": "1"})
    assert session.post(url, data={"a": "1"}).from_cache
    assert form.content == b"a=1"


def test_a_write_invalidates_what_is_stored(session: CachedSession, origin: Origin) -> None:
    """RFC 9111 §4.4, for all users of the URL."""
    url = origin.on("/a", echo)
    session.get(url)
    session.get(url, auth=("me", "pw"))
    session.post(url, data=b"x", auth=("you", "pw"))
    assert not session.get(url).from_cache
    assert not session.get(url, auth=("me", "pw")).from_cache
