"""G26: files are the owner's alone, and hold no secret of a request."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
import trio
from attacker import Attacker
from local_origin import Origin, Reply, fresh

from sansio_cache import CachedSession, TrioCachedSession
from sansio_cache_adapters.trio.http.errors import InvalidURL, LocalProtocolError

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


BESIDE = ("", "-wal", "-shm")
OPENED = "import sys, sansio_cache; sansio_cache.SQLiteStore(sys.argv[1]).open(signed=True)"


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o640])
def test_what_was_there_with_open_modes_is_made_private(
    sessions: Any, cache_file: Path, origin: Origin, mode: int
) -> None:
    """G26: a copy, a backup, an image; the files beside it too."""
    url = origin.on("/a", fresh(b"x"))
    sessions().get(url)
    for each in BESIDE:
        os.chmod(f"{cache_file}{each}", mode)
    session = sessions()  # a store of its own: this process has the file open
    reader = subprocess.run(
        [sys.executable, "-c", OPENED, str(cache_file)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert reader.returncode == 0
    assert session.get(url).from_cache
    assert {stat.S_IMODE(os.stat(f"{cache_file}{each}").st_mode) for each in BESIDE} == {0o600}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("what", ["the file", "the log", "an empty file"])
def test_what_another_user_owns_is_left_as_it_is(
    sessions: Any, cache_file: Path, origin: Origin, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """G26, G20: that user could read what we store there, and write what we read."""
    url = origin.on("/a", fresh(b"x"))
    session = sessions()
    if what == "an empty file":
        cache_file.touch()
    else:
        session.get(url)
        session.close()
    given = cache_file if what != "the log" else cache_file.with_name("cache.sqlite-wal")
    given.touch()
    os.chown(given, 65_534, 65_534)
    given.chmod(0o666)
    before = given.read_bytes(), given.stat().st_mode, given.stat().st_mtime_ns
    assert [session.get(url).content for _ in range(2)] == [b"x"] * 2
    assert (given.read_bytes(), given.stat().st_mode, given.stat().st_mtime_ns) == before
    assert str(given) in caplog.text


@pytest.mark.parametrize("which", ["", "-wal", "-shm", "-journal"])
def test_no_link_to_a_strangers_file_is_filled(
    sessions: Any, cache_file: Path, tmp_path: Path, origin: Origin, which: str
) -> None:
    """G20, G29: a link in the place of the file, or of one beside it, to something empty."""
    url = origin.on("/a", fresh(b"x"))
    if which:
        with sessions() as before:
            before.get(url)
    empty = tmp_path / "package" / "__init__.py"
    empty.parent.mkdir()
    empty.touch()
    Path(f"{cache_file}{which}").unlink(missing_ok=True)
    Path(f"{cache_file}{which}").symlink_to(empty)
    session = sessions()
    assert [session.get(url).content for _ in range(2)] == [b"x"] * 2
    assert empty.stat().st_size == 0
    assert Path(f"{cache_file}{which}").is_symlink()


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("ftp://me:S3CRET@h/?token=S3CRET", "x"),
        ("/a?token=S3CRET", "x"),
        ("http://me:S3CRET@h\\x/#S3CRET", "x"),
        ("http://me:S3CRET@h/\n", "x"),
        ("http://h/?token=S3CRET\udc80", "x"),
        ("http://h/", "S3CRET\n"),
        ("http://h/", "S3CRET€"),
    ],
)
def test_no_error_of_the_trio_client_shows_what_was_wrong_with_a_secret(url: str, value: str) -> None:
    """G26."""

    async def ask() -> None:
        async with TrioCachedSession() as session:
            await session.get(url, headers={"Authorization": value})

    with pytest.raises((InvalidURL, LocalProtocolError)) as caught:
        trio.run(ask)
    assert "S3CRET" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__suppress_context__ or "S3CRET" not in str(caught.value.__context__)
