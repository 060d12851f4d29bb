"""G15: validators go only to their own URL; a 304 from elsewhere validates nothing, none unasked reaches the caller."""

from __future__ import annotations

from typing import Any

from local_origin import Origin, Reply, Seen, fresh, redirect

from sansio_cache import CachedSession


def test_validators_are_not_carried_along_a_redirect(session: CachedSession, origin: Origin) -> None:
    """G15: a stale response that now redirects: its target is asked without the old validator."""
    origin.on("/b", lambda seen: Reply(status=304) if seen.get("If-None-Match") else fresh(b"b"))
    url = origin.on("/a", fresh(b"a", 0, etag='"1"'), redirect("/b", 302, 0))
    session.get(url)
    assert session.get(url).content == b"b"
    assert origin.last("/a").get("If-None-Match") == '"1"'
    assert origin.last("/b").get("If-None-Match") is None


def test_a_304_at_the_end_of_a_redirect_gives_nobody_elses_body(session: CachedSession, origin: Origin) -> None:
    """G15: an origin that answers 304 to a plain request: it is passed on, and A's body is not put under it."""
    origin.on("/b", Reply(status=304, fields={"ETag": '"1"'}, framing="none"))
    url = origin.on("/a", fresh(b"a", 0, etag='"1"'), redirect("/b", 302, 0))
    session.get(url)
    response = session.get(url)
    assert (response.status_code, response.content, response.from_cache) == (304, b"", False)


def test_each_url_has_its_own_validator(session: CachedSession, origin: Origin) -> None:
    """G15: of each user and each variant too."""

    def answer(seen: Seen) -> Reply:
        tag = f'"{seen.target}-{seen.get("X-API-Key")}"'
        if seen.get("If-None-Match") == tag:
            return Reply(status=304, fields={"ETag": tag}, framing="none")
        assert seen.get("If-None-Match") is None
        return fresh(tag.encode(), 0, etag=tag)

    urls = [origin.on(path, answer) for path in ("/a", "/b")]
    for _ in range(2):
        for url in urls:
            for name in (None, "ann", "bob"):
                assert f"-{name}" in session.get(url, headers={"X-API-Key": name}).text
    assert origin.count() == 12


def test_a_confirmation_of_something_else_confirms_nothing(session: CachedSession, origin: Origin) -> None:
    """G15: another ETag: fetched anew, without our validators."""

    def answer(seen: Seen) -> Reply:
        if seen.get("If-None-Match"):
            return Reply(status=304, fields={"ETag": '"2"'}, framing="none")
        return fresh(str(origin.count()).encode(), 0, etag='"1"')

    url = origin.on("/a", answer)
    assert session.get(url).content == b"1"
    assert session.get(url).content == b"3"
    assert [seen.get("If-None-Match") for seen in origin.seen] == [None, '"1"', None]


def test_an_origin_that_confirms_whatever_is_asked(session: CachedSession, origin: Origin) -> None:
    """G15: its 304 is passed on in the end, as without a cache; nothing goes round in circles."""
    url = origin.on("/a", fresh(b"a", 0, etag='"1"'), Reply(status=304, fields={"ETag": '"2"'}, framing="none"))
    session.get(url)
    response = session.get(url)
    assert (response.status_code, response.content) == (304, b"")
    assert origin.count() == 3


def test_a_variant_is_confirmed_by_its_own_tag(session: CachedSession, origin: Origin) -> None:
    """G15: the 304's ETag says which of the stored ones is meant (RFC 9111 §4.3.4)."""

    def answer(seen: Seen) -> Reply:
        tag = '"de"' if seen.get("Accept-Language") == "de" else '"en"'
        if tag in (seen.get("If-None-Match") or ""):
            return Reply(status=304, fields={"ETag": tag}, framing="none")
        return fresh(tag.encode(), 0, etag=tag, vary="Accept-Language")

    url = origin.on("/a", answer)
    for _ in range(2):
        for language in ("de", "en"):
            response: Any = session.get(url, headers={"Accept-Language": language})
            assert response.content == f'"{language}"'.encode()
    assert response.revalidated
