"""Drop-in, points 5 and 6: the user's own preconditions and ranges, and what is never answered from the store."""

from __future__ import annotations

import pytest
from local_origin import Origin, Reply, Seen, fresh

from sansio_cache import CachedSession

TAG, DATE = '"1"', "Sun, 06 Nov 1994 08:49:37 GMT"
BODY = b"0123456789"


@pytest.fixture
def url(session: CachedSession, origin: Origin) -> str:
    """Of a stored response with both validators."""
    url = origin.on("/a", fresh(BODY, etag=TAG, last_modified=DATE))
    session.get(url)
    return url


@pytest.mark.parametrize(
    "fields",
    [
        {"If-None-Match": TAG},
        {"If-None-Match": f'W/{TAG}, "2"'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": DATE},
    ],
)
def test_a_condition_that_holds_gives_304(
    session: CachedSession, origin: Origin, url: str, fields: dict[str, str]
) -> None:
    """From the store, without a body, with the validators."""
    response = session.get(url, headers=fields)
    assert (response.status_code, response.content, response.from_cache) == (304, b"", True)
    assert response.headers["ETag"] == TAG
    assert origin.count() == 1


@pytest.mark.parametrize("fields", [{"If-None-Match": '"2"'}, {"If-Modified-Since": "Sat, 05 Nov 1994 08:49:37 GMT"}])
def test_a_condition_that_fails_gives_the_response(
    session: CachedSession, origin: Origin, url: str, fields: dict[str, str]
) -> None:
    """In full, from the store."""
    response = session.get(url, headers=fields)
    assert (response.status_code, response.content, response.from_cache) == (200, BODY, True)
    assert origin.count() == 1


@pytest.mark.parametrize("fields", [{"If-Match": TAG}, {"If-Unmodified-Since": DATE}, {"Range": "bytes=0-1,4-5"}])
def test_what_only_the_origin_can_say_goes_there(
    session: CachedSession, origin: Origin, url: str, fields: dict[str, str]
) -> None:
    """As the user wrote it, with nothing of ours beside it."""
    response = session.get(url, headers=fields)
    assert not response.from_cache
    (name,) = fields
    assert origin.last().get(name) == fields[name]
    assert origin.last().get("If-None-Match") is None


@pytest.mark.parametrize(
    ("spec", "status", "part"),
    [("bytes=2-5", 206, b"2345"), ("bytes=8-", 206, b"89"), ("bytes=-3", 206, b"789"), ("bytes=20-", 416, b"")],
)
def test_a_range_of_a_stored_response(session: CachedSession, url: str, spec: str, status: int, part: bytes) -> None:
    """Is cut from it; with ``stream`` too."""
    for stream in (False, True):
        with session.get(url, headers={"Range": spec}, stream=stream) as response:
            assert (response.status_code, response.content, response.from_cache) == (status, part, True)
            assert int(response.headers["Content-Length"]) == len(part)


def test_if_range(session: CachedSession, url: str) -> None:
    """The part if the validator is the same, else the whole."""
    assert session.get(url, headers={"Range": "bytes=0-1", "If-Range": TAG}).content == b"01"
    assert session.get(url, headers={"Range": "bytes=0-1", "If-Range": '"2"'}).content == BODY


def test_the_users_validators_are_theirs(session: CachedSession, origin: Origin) -> None:
    """A 304 to them is passed on where nothing is stored, and nothing is stored of it."""
    url = origin.on("/b", Reply(status=304, fields={"ETag": TAG, "Cache-Control": "max-age=60"}, framing="none"))
    for _ in range(2):
        response = session.get(url, headers={"If-None-Match": TAG})
        assert (response.status_code, response.from_cache) == (304, False)
    assert origin.count() == 2


def test_no_unasked_confirmation_reaches_the_user(session: CachedSession, origin: Origin) -> None:
    """With a stale response of ours the origin's 304 gives the stored one (RFC 9111 §4.3.3)."""
    url = origin.on("/b", fresh(BODY, 0, etag=TAG), Reply(status=304, fields={"ETag": TAG}, framing="none"))
    session.get(url)
    response = session.get(url)
    assert (response.status_code, response.content, response.revalidated) == (200, BODY, True)
    assert origin.last().get("If-None-Match") == TAG
    # The response tells of the user's request, not of ours.
    assert "If-None-Match" not in response.request.headers


def test_the_cookies_of_a_confirmation_are_the_users(session: CachedSession, origin: Origin) -> None:
    """They belong to this exchange, in the response and in the session's jar, and are not stored."""
    confirmed = Reply(status=304, fields={"ETag": TAG, "Set-Cookie": "seen=1"}, framing="none")
    url = origin.on("/b", fresh(BODY, 0, etag=TAG), confirmed, Reply(status=304, fields={"ETag": TAG}, framing="none"))
    session.get(url)
    assert session.get(url).cookies["seen"] == "1"
    assert session.cookies["seen"] == "1"
    session.cookies.clear()
    assert not session.get(url).cookies


@pytest.mark.parametrize("fields", [{"Upgrade": "websocket", "Connection": "Upgrade"}, {"Cache-Control": "no-store"}])
def test_never_from_the_store(session: CachedSession, origin: Origin, url: str, fields: dict[str, str]) -> None:
    """A handshake is a GET, and is none of the cache's."""
    assert not session.get(url, headers=fields).from_cache
    assert session.get(url).from_cache
    assert origin.count() == 2


def test_what_has_no_freshness_is_not_reused(session: CachedSession, origin: Origin) -> None:
    """Neither a time nor a validator."""
    url = origin.on("/b", Reply(BODY))
    assert [session.get(url).from_cache for _ in range(2)] == [False, False]
    assert not session.cache.contains(url)


def test_the_heuristic_knows_last_modified(session: CachedSession, origin: Origin) -> None:
    """A static file that was not touched for years is fresh for a while (RFC 9111 §4.2.2)."""
    url = origin.on("/b", Reply(BODY, fields={"Last-Modified": DATE}))
    assert [session.get(url).from_cache for _ in range(2)] == [False, True]


@pytest.mark.parametrize(
    ("directive", "hit"),
    [("no-cache", False), ("max-age=0", False), ("min-fresh=99999", False), ("max-age=100", True), ("max-stale", True)],
)
def test_request_directives(session: CachedSession, origin: Origin, url: str, directive: str, hit: bool) -> None:
    """RFC 9111 §5.2.1, in the request's own field, which is sent on."""
    origin.on("/a", lambda seen: Reply(BODY, fields={"Cache-Control": "max-age=60"}))
    assert session.get(url, headers={"Cache-Control": directive}).from_cache is hit
    if not hit:
        assert origin.last().get("Cache-Control") == directive


def test_only_if_cached_never_asks(session: CachedSession, origin: Origin, url: str) -> None:
    """504 where nothing is stored."""
    fields = {"Cache-Control": "only-if-cached"}
    assert session.get(url, headers=fields).from_cache
    missing = session.get(origin.url("/other"), headers=fields)
    assert (missing.status_code, missing.from_cache) == (504, False)
    assert origin.count() == 1


def test_a_changed_resource_takes_the_place(session: CachedSession, origin: Origin) -> None:
    """A validation answered in full."""

    def answer(seen: Seen) -> Reply:
        return fresh(
            b"new" if seen.get("If-None-Match") else b"old", 0, etag='"2"' if seen.get("If-None-Match") else TAG
        )

    url = origin.on("/b", answer)
    assert [session.get(url).content for _ in range(3)] == [b"old", b"new", b"new"]
    assert origin.last().get("If-None-Match") == '"2"'
