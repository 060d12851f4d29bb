"""G13: Set-Cookie is not stored, and never put back into a jar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from local_origin import Origin, Reply, redirect

from sansio_cache import CachedSession


@pytest.mark.parametrize("name", ["Set-Cookie", "set-cookie", "SET-COOKIE"])
def test_a_cookie_is_the_first_readers_only(
    session: CachedSession, cache_file: Path, origin: Origin, name: str
) -> None:
    """G13: in response, jar and file."""
    fields = [("Cache-Control", "max-age=60"), (name, "sid=hunter2; Path=/"), (name, "b=2")]
    url = origin.on("/a", Reply(b"x", fields=fields))
    first = session.get(url)
    assert first.cookies["sid"] == "hunter2"
    assert session.cookies["sid"] == "hunter2"
    session.cookies.clear()
    for stream in (False, True):
        hit = session.get(url, stream=stream)
        assert hit.from_cache
        assert name not in hit.headers
        assert not hit.cookies
        assert not session.cookies
        assert hit.content == b"x"
    session.close()
    assert b"hunter2" not in b"".join(path.read_bytes() for path in cache_file.parent.glob("cache.sqlite*"))


def test_an_old_style_cache_keeps_none_either(sessions: Any, origin: Origin) -> None:
    """G13: nor one that ignores Cache-Control, nor a redirect, nor a confirmed response."""
    session = sessions(cache_control=False)
    origin.on("/b", Reply(b"x"))
    url = origin.on("/a", redirect("/b", set_cookie="sid=1"))
    session.get(url)
    session.cookies.clear()
    again = session.get(url)
    assert again.history[0].from_cache
    assert not session.cookies


def test_the_cookie_of_a_confirmation_is_not_kept(session: CachedSession, origin: Origin) -> None:
    """G13: a 304 freshens the stored fields, but not by its cookies."""
    confirmed = Reply(
        status=304, fields={"ETag": '"1"', "Set-Cookie": "sid=1", "Cache-Control": "max-age=60"}, framing="none"
    )
    url = origin.on("/a", Reply(b"x", fields={"ETag": '"1"', "Cache-Control": "max-age=0"}), confirmed)
    session.get(url)
    assert session.get(url).cookies["sid"] == "1"
    session.cookies.clear()
    hit = session.get(url)
    assert (hit.from_cache, hit.revalidated) == (True, False)
    assert "Set-Cookie" not in hit.headers
    assert not session.cookies


def test_connection_fields_are_not_stored(session: CachedSession, origin: Origin) -> None:
    """G13: nor what Connection names, nor other hop-by-hop fields (RFC 9111 §3.1)."""
    fields = {"Cache-Control": "max-age=60", "Connection": "X-Hop, keep-alive", "X-Hop": "1", "Keep-Alive": "timeout=5"}
    url = origin.on("/a", Reply(b"x", fields=fields | {"Proxy-Authenticate": "Basic", "X-End": "1"}))
    assert session.get(url).headers["X-Hop"] == "1"
    hit = session.get(url)
    assert {*hit.headers} == {"Cache-Control", "X-End", "Content-Length", "Age", "Date"}
