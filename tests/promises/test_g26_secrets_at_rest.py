"""G26: files are the owner's alone, and hold no secret of a request."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from attacker import Attacker
from local_origin import Origin, Reply, fresh

from sansio_cache import CachedSession

SECRET = "hunter2secret"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes(tmp_path: Path, key: str, origin: Origin, umask: int) -> None:
    """G26: 0600 for the file and those beside it, 0700 for folders made on the way, whatever the umask allows."""
    old = os.umask(umask)
    try:
        path = tmp_path / "made" / "on the way" / "cache.sqlite"
        with CachedSession(path, secret_key=key) as session:
            session.get(origin.on("/a", fresh(bytes(3_000_000))))
            files = list(path.parent.iterdir())
            assert {each.name for each in files} >= {"cache.sqlite", "cache.sqlite-wal", "cache.sqlite-shm"}
            assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
        for folder in (path.parent, path.parent.parent):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        os.umask(old)


ASKED: dict[str, Any] = {
    "basic": {"auth": ("me", SECRET)},
    "bearer": {"headers": {"Authorization": f"Bearer {SECRET}"}},
    "api key": {"headers": {"X-API-Key": SECRET}},
    "cookie": {"cookies": {"sid": SECRET}},
    "varying field": {"headers": {"X-Private": SECRET}},
    "parameter": {"params": {"access_token": SECRET}},
    "parameters": {"params": {"api_key": SECRET, "x": "1", "Signature": SECRET, "clientSecret": SECRET}},
    "body": {"data": {"password": SECRET}},
    "json": {"json": {"query": SECRET}},
}


@pytest.mark.parametrize("secret_key", [True, False])
@pytest.mark.parametrize("case", ASKED)
def test_no_secret_is_at_rest(sessions: Any, cache_file: Path, origin: Origin, case: str, secret_key: bool) -> None:
    """G26: of fields, cookies, parameters and bodies only keyed hashes are kept."""
    fields = {"Cache-Control": "max-age=60", "Vary": "Cookie, X-Private, X-API-Key", "Set-Cookie": f"s={SECRET}"}
    url = origin.on("/a", Reply(b"answer", fields=fields))
    session = sessions(allowed_methods=["GET", "POST"], **({} if secret_key else {"secret_key": ...}))
    method = "POST" if case in ("body", "json") else "GET"
    for _ in range(2):
        response = session.request(method, url, **ASKED[case])
        session.cookies.clear()
    assert response.from_cache
    assert response.content == b"answer"
    for each in cache_file.parent.glob("cache.sqlite*"):
        assert SECRET.encode() not in each.read_bytes(), each
    session.close()
    assert SECRET.encode() not in cache_file.read_bytes()


def test_no_secret_of_the_url(sessions: Any, cache_file: Path, origin: Origin) -> None:
    """G26: userinfo and fragment are not stored; the URL is for people to read and decides nothing."""
    url = origin.on("/a", fresh(b"x"))
    with_secrets = (
        url.replace("://", f"://me:{SECRET}@") + f"?page=1&TOKEN={SECRET}&code={SECRET}#access_token={SECRET}"
    )
    session = sessions()
    session.get(with_secrets)
    assert session.get(with_secrets).from_cache
    assert not session.get(with_secrets.replace(SECRET, "other")).from_cache
    assert session.cache.urls() == [url + "?page=1&TOKEN=REDACTED&code=REDACTED"]
    assert {row["url"] for row in Attacker(cache_file).run("SELECT url FROM records")} == {*session.cache.urls()}
    for each in cache_file.parent.glob("cache.sqlite*"):
        assert SECRET.encode() not in each.read_bytes()


def test_the_secret_key_is_not_in_the_file(sessions: Any, cache_file: Path, key: str, origin: Origin) -> None:
    """G26: nor shown by any of the objects."""
    session = sessions()
    session.get(origin.on("/a", fresh(b"x")))
    for each in cache_file.parent.glob("cache.sqlite*"):
        assert key.encode() not in each.read_bytes()
    for thing in (session, session.cache.store, session._cache, session._cache.engine.sealer, session.policy):
        assert key not in repr(thing)
