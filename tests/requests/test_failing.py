"""Fail open: whatever the store does, the request works, soon without delay, and the cache comes back when it can."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from local_origin import Origin, Reply, fresh
from patience import SOON

from sansio_cache import CachedSession, FileStore, MemoryStore, SQLiteStore, StoreBusy
from sansio_cache_adapters.cache.flights import FLIGHTS


def until(condition: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def a_text(path: Path) -> None:
    path.write_bytes(b"my thesis " * 1000)


def a_short_text(path: Path) -> None:
    path.write_bytes(b"x")


def a_foreign_database(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE responses (key TEXT PRIMARY KEY, value BLOB)")
        db.execute("INSERT INTO responses VALUES ('a', 'b')")
    db.close()


def a_cut_database(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + bytes(30))


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "mine.txt").write_bytes(b"mine")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link_to_a_folder(path: Path) -> None:
    (path.parent / "target").mkdir()
    path.symlink_to(path.parent / "target")


FOREIGN = [a_text, a_short_text, a_foreign_database, a_cut_database, a_folder, a_pipe, a_link_to_a_folder]


def picture(path: Path) -> object:
    """All that is at a place and beside it."""
    found = [path, *path.parent.rglob("*")]
    return {
        str(each): (each.lstat().st_mode, each.lstat().st_ino, each.read_bytes() if each.is_file() else None)
        for each in found
        if os.path.lexists(each)
    }


@pytest.mark.parametrize("place", FOREIGN)
@pytest.mark.parametrize("secret", [True, False])
def test_what_is_not_ours_is_left_alone(
    tmp_path: Path, key: str, sessions: Any, origin: Origin, caplog: pytest.LogCaptureFixture, place: Any, secret: bool
) -> None:
    """Byte for byte, with one warning that names it; and every request goes to the origin."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "thesis.docx"
    place(path)
    before = picture(path)
    url = origin.on("/a", fresh(b"x"))
    with sessions(path, secret_key=key if secret else ...) as session:
        for _ in range(3):
            started = time.monotonic()
            response = session.get(url)
            assert (response.content, response.from_cache) == (b"x", False)
            assert time.monotonic() - started < SOON
        assert session.post(url).content == b"x"
        assert "store-unavailable" in response.cache_status
        assert session.cache.stats.store_troubles > 0
    assert picture(path) == before
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert str(path) in warnings[0].getMessage()


def test_it_comes_back_when_the_place_is_free(tmp_path: Path, key: str, origin: Origin) -> None:
    """Anyone who owns the file moves it away, and the session begins one of its own."""
    path = tmp_path / "cache.sqlite"
    a_text(path)
    url = origin.on("/a", fresh(b"x"))
    with CachedSession(path, secret_key=key) as session:
        session.get(url)
        path.rename(tmp_path / "thesis.docx")
        until(lambda: session.get(url).from_cache)
    assert path.exists()


def test_an_empty_file_is_begun(tmp_path: Path, key: str, origin: Origin) -> None:
    """As made by tempfile."""
    path = tmp_path / "cache.sqlite"
    path.touch()
    url = origin.on("/a", fresh(b"x"))
    with CachedSession(path, secret_key=key) as session:
        session.get(url)
        assert session.get(url).from_cache


@pytest.mark.parametrize("missing", ["/proc/nothing/cache.sqlite", "file/cache.sqlite", "x" * 300])
def test_a_place_that_cannot_be(tmp_path: Path, key: str, origin: Origin, missing: str) -> None:
    """No folder, no permission, no such name."""
    (tmp_path / "file").touch()
    url = origin.on("/a", fresh(b"x"))
    with CachedSession(tmp_path / missing, secret_key=key) as session:
        assert [session.get(url).content for _ in range(3)] == [b"x"] * 3


def test_a_corrupt_cache_of_ours_is_set_aside(cache_file: Path, key: str, origin: Origin) -> None:
    """And a new one is begun."""
    url = origin.on("/a", fresh(b"x"))
    with CachedSession(cache_file, secret_key=key) as session:
        session.get(url)
    data = cache_file.read_bytes()
    cache_file.write_bytes(data[:100] + os.urandom(len(data) - 100))
    with CachedSession(cache_file, secret_key=key) as session:
        assert session.get(url).content == b"x"
        until(lambda: session.get(url).from_cache)
    assert list(cache_file.parent.glob("cache.sqlite.corrupt-*"))


@pytest.mark.parametrize("gone", ["file", "folder"])
def test_a_cache_that_was_deleted(tmp_path: Path, key: str, origin: Origin, gone: str) -> None:
    """While it is in use."""
    folder = tmp_path / "folder"
    url = origin.on("/a", fresh(b"x"))
    with CachedSession(folder / "cache.sqlite", secret_key=key) as session:
        session.get(url)
        assert session.get(url).from_cache
        if gone == "file":
            for each in folder.iterdir():
                each.unlink()
        else:
            shutil.rmtree(folder)
        other = origin.on("/b", fresh(b"y"))
        assert session.get(other).content == b"y"
        assert session.get(url).content == b"x"
        until(lambda: session.get(other).from_cache and session.get(url).from_cache)
        assert (folder / "cache.sqlite").exists()


def test_a_lock_delays_one_request_at_most(cache_file: Path, key: str, origin: Origin) -> None:
    """By about a second; then the cache is bypassed, until the lock is gone; hits go on meanwhile or at once after."""
    kept, url = origin.on("/kept", fresh(b"kept")), origin.on("/a", fresh(b"x"))
    with CachedSession(cache_file, secret_key=key) as session:
        session.get(kept)
        lock = sqlite3.connect(cache_file, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        assert session.get(url).content == b"x"
        assert time.monotonic() - started < SOON
        assert session.cache.stats.store_troubles == 1
        started = time.monotonic()
        for _ in range(20):
            assert session.get(url).content == b"x"
        assert time.monotonic() - started < SOON
        lock.execute("ROLLBACK")
        lock.close()
        until(lambda: session.get(url).from_cache)
        assert session.get(kept).from_cache


def test_a_full_disk(tmp_path: Path, key: str, origin: Origin) -> None:
    """Here a bound on the size of files, in a process of its own."""
    small, large = origin.on("/small", fresh(bytes(10))), origin.on("/large", fresh(bytes(5_000_000)))
    script = f"""
        import resource, signal, time
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        from sansio_cache import CachedSession
        session = CachedSession({str(tmp_path / "cache.sqlite")!r}, secret_key={key!r})
        session.get({small!r})
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
        for _ in range(3):
            assert len(session.get({large!r}).content) == 5_000_000
        assert session.cache.stats.store_troubles
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        deadline = time.monotonic() + 30
        while not session.get({large!r}).from_cache:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert session.get({small!r}).from_cache
        session.close()
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=50, env=environment)


VERBS = ("open", "load", "begin", "write", "commit", "freshen", "drop", "claim", "release", "touch", "abort", "discard")


class Failing(MemoryStore):
    """A store of the user's own, of which some verbs raise."""

    def __init__(self) -> None:
        super().__init__()
        self.failing: dict[str, Exception] = {}

    def __getattribute__(self, name: str) -> Any:
        if name in (*VERBS, "hashes", "chunk", "close") and name in self.failing:
            error = self.failing[name]

            def fail(*_: Any, **__: Any) -> Any:
                raise error

            return fail
        return super().__getattribute__(name)


ERRORS = [StoreBusy("busy"), OSError(28, "No space left on device"), RuntimeError("a bug")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("verb", VERBS)
def test_a_store_that_raises(origin: Origin, verb: str, error: Exception) -> None:
    """Trouble of any kind, in any verb: every kind of request works, none is left waiting, and the store recovers."""
    store = Failing()
    hit, stale = origin.on("/hit", fresh(b"hit")), origin.on("/stale", fresh(b"stale", 0, etag='"1"'))
    large = origin.on("/large", fresh(bytes(3_000_000)))
    with CachedSession(store, wait_for_leader=0.2) as session:
        session.get(hit)
        session.get(stale)
        origin.on("/stale", Reply(status=304, fields={"ETag": '"1"'}, framing="none"))
        store.failing[verb] = error
        for _ in range(2):
            assert session.get(hit).content == b"hit"
            session._cache.engine.breaker.down = False
            assert len(session.get(large).content) == 3_000_000
            session._cache.engine.breaker.down = False
            assert session.post(hit).status_code == 200
            session._cache.engine.breaker.down = False
            with session.get(large + "?unread", stream=True) as response:
                assert response.status_code in (200, 404)
        origin.on("/stale", fresh(b"stale", 0, etag='"1"'))
        assert session.get(stale).content == b"stale"
        store.failing.clear()
        until(lambda: session.get(hit).from_cache)


@pytest.mark.parametrize("verb", ["write", "commit"])
def test_trouble_leaves_no_lease_behind(origin: Origin, verb: str) -> None:
    """Once the store works again, no request waits for a leader that has long gone."""
    store = Failing()
    url = origin.on("/a", fresh(bytes(3_000_000)))
    with CachedSession(store) as session:
        store.failing[verb] = StoreBusy("busy")
        session.get(url)
        store.failing.clear()
        until(lambda: not session._cache.engine.breaker.down)
        started = time.monotonic()
        session.get(url)
        assert time.monotonic() - started < SOON
        assert session.get(url).from_cache


def test_a_lease_whose_grant_was_never_heard_of_goes_back(tmp_path: Path, origin: Origin) -> None:
    """A frozen server does its old commands when it goes on: no request waits for a leader that knows nothing of it."""

    class Mute(FileStore):
        mute = True

        def claim(self, *arguments: Any, **keywords: Any) -> Any:
            lease = super().claim(*arguments, **keywords)
            if self.mute:
                raise StoreBusy("no answer in time")
            return lease

    store = Mute(tmp_path / "cache")
    url = origin.on("/a", fresh(b"x"))
    with CachedSession(store) as session:
        session.get(url)
        store.mute = False
        until(lambda: not session._cache.engine.breaker.down)
        FLIGHTS._not_storable.clear()  # as in another process
        started = time.monotonic()
        session.get(url)
        assert time.monotonic() - started < SOON
        assert session.get(url).from_cache


@pytest.mark.parametrize("verb", ["hashes", "chunk"])
@pytest.mark.parametrize("many", [False, True])
def test_a_body_that_is_gone_is_fetched_anew(origin: Origin, verb: str, many: bool) -> None:
    """Without ``stream`` the user notices nothing; a record whose body cannot be had is dropped."""
    store = Failing()
    url = origin.on("/a", fresh(bytes(3_000_000)))
    with CachedSession(store) as session:
        if many:
            session.hooks["response"].append(lambda response, **_: None)
        session.get(url)
        store.failing[verb] = StoreBusy("gone")
        response = session.get(url)
        assert (len(response.content), response.from_cache) == (3_000_000, False)
        store.failing.clear()
        assert session.get(url).from_cache
    assert origin.count() == 2


def test_a_store_that_is_closed_behind_the_session(cache_file: Path, key: str, origin: Origin) -> None:
    """Opens again."""
    url = origin.on("/a", fresh(b"x"))
    store = SQLiteStore(cache_file, secret_key=key)
    with CachedSession(store) as session:
        session.get(url)
        store.close()
        assert session.get(url).from_cache


def test_a_session_that_was_closed_while_its_store_was_ill(tmp_path: Path, key: str, origin: Origin) -> None:
    """Finds it well when it is used again."""
    path = tmp_path / "cache.sqlite"
    a_text(path)
    url = origin.on("/a", fresh(b"x"))
    session = CachedSession(path, secret_key=key)
    session.get(url)
    session.close()
    path.unlink()
    session.get(url)
    assert session.get(url).from_cache
    session.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("kind", [SQLiteStore, FileStore, MemoryStore])
def test_a_child_after_fork_goes_on(tmp_path: Path, origin: Origin, kind: Any) -> None:
    """Also one that was forked while the store was ill."""
    url = origin.on("/a", fresh(b"x"))
    store = MemoryStore() if kind is MemoryStore else kind(tmp_path / "cache")
    with CachedSession(store) as session:
        session.get(url)
        session._cache.engine.breaker.trip(StoreBusy("ill"))
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = 0 if session.get(url).from_cache else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_trouble_is_told_once(origin: Origin, caplog: pytest.LogCaptureFixture) -> None:
    """However many requests meet it; and that it is over, at info."""
    store = Failing()
    url = origin.on("/a", fresh(b"x"))
    with CachedSession(store) as session, caplog.at_level(logging.INFO, "sansio_cache"):
        store.failing["open"] = store.failing["load"] = StoreBusy("busy")
        for _ in range(5):
            session.get(url)
        store.failing.clear()
        until(lambda: session.get(url).from_cache)
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert len(told) == 2
    assert "bypassed" in told[0]
    assert "in use again" in told[1]


def test_a_relapse_is_told_no_more_and_passed_by_for_longer(origin: Origin, caplog: pytest.LogCaptureFixture) -> None:
    """Trouble that a probe does not see, a full disk for one, is not the news of every quarter of a second."""
    store = Failing()
    origin.on("/a", fresh(b"x"))
    numbers = itertools.count()
    with CachedSession(store) as session, caplog.at_level(logging.INFO, "sansio_cache"):
        store.failing["commit"] = OSError(28, "No space left on device")
        began = time.monotonic()
        while session.cache.stats.store_troubles < 3:
            assert session.get(origin.url(f"/a?{next(numbers)}")).content == b"x"
        assert time.monotonic() - began >= 0.25 + 0.5
        store.failing.clear()
        until(lambda: session.get(origin.url("/a")).from_cache)
    assert sum("bypassed" in record.getMessage() for record in caplog.records) == 1
