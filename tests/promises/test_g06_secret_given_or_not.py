"""G6: a cache is unsigned only if it was never opened with a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from local_origin import Origin, fresh

from sansio_cache import CachedSession, FileStore, KeyRequired, MemoryStore, SettingError, SQLiteStore

WRONG: list[Any] = [None, "", b"", [], (), [""], [b"a good key of sixteen", b""], [None], 0, {}]


@pytest.mark.parametrize("secret", WRONG)
def test_a_secret_that_is_none_is_an_error(tmp_path: Path, secret: Any) -> None:
    """G6: when it is given; leaving it out is the only way to be unsigned."""
    for make in (
        lambda: CachedSession(tmp_path / "cache.sqlite", secret_key=secret),
        lambda: CachedSession(MemoryStore(), secret_key=secret),
        lambda: SQLiteStore(tmp_path / "cache.sqlite", secret_key=secret),
        lambda: FileStore(tmp_path / "cache", secret_key=secret),
    ):
        with pytest.raises(SettingError, match="leave secret_key out"):
            make()
    assert list(tmp_path.glob("cache*")) == []


def test_a_short_secret_warns(tmp_path: Path) -> None:
    """G6: below 16 bytes; the shortest of a list counts."""
    short: list[Any] = ["fifteen bytes..", [b"short", "a long one of many bytes"]]
    for secret in short:
        with pytest.warns(UserWarning, match="16 bytes"):
            CachedSession(MemoryStore(), secret_key=secret).close()
    CachedSession(MemoryStore(), secret_key="sixteen bytes...").close()


@pytest.fixture(params=["sqlite", "files"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Makes the same store again, as another program would."""
    makers: dict[str, Any] = {
        "sqlite": lambda: SQLiteStore(tmp_path / "cache.sqlite"),
        "files": lambda: FileStore(tmp_path / "cache"),
    }
    return makers[request.param]


def test_a_signed_store_wants_its_secret(store: Any, key: str, origin: Origin) -> None:
    """G6: opening it without is an error that says what to do."""
    with CachedSession(store(), secret_key=key) as session:
        session.get(origin.on("/a", fresh(b"x")))
    with CachedSession(store()) as session, pytest.raises(KeyRequired, match="secret_key"):
        session.get(origin.url("/a"))


def test_unsigned_records_are_misses_once_there_is_a_secret(tmp_path: Path, key: str, origin: Origin) -> None:
    """G6: opening with a secret marks the store."""
    url = origin.on("/a", fresh(b"x"))
    path = tmp_path / "cache.sqlite"
    with CachedSession(path) as session:
        session.get(url)
        assert session.get(url).from_cache
    with CachedSession(path, secret_key=key) as session:
        assert not session.get(url).from_cache
        assert session.cache.stats.flaws == 1
        assert session.get(url).from_cache
    with CachedSession(path) as session, pytest.raises(KeyRequired):
        session.get(url)


def test_a_session_that_was_there_before_the_mark(tmp_path: Path, key: str, origin: Origin) -> None:
    """G6: keeps working, without ever serving what was signed as if it were its own."""
    url = origin.on("/a", fresh(b"x"))
    path = tmp_path / "cache.sqlite"
    with CachedSession(path) as old:
        old.get(origin.on("/b", fresh(b"y")))
        with CachedSession(path, secret_key=key) as new:
            new.get(url)
            assert old.get(url).content == b"x"
            assert new.get(url).content == b"x"


@pytest.mark.parametrize("way", ["clear", "unsign"])
def test_the_mark_can_be_removed(tmp_path: Path, key: str, origin: Origin, way: str) -> None:
    """G6: by its owner, on purpose."""
    url = origin.on("/a", fresh(b"x"))
    path = tmp_path / "cache.sqlite"
    with CachedSession(path, secret_key=key) as session:
        session.get(url)
        if way == "clear":
            session.cache.clear()
        else:
            assert session.cache.resign(unsign=True) == 1
    with CachedSession(path) as session:
        assert session.get(url).from_cache is (way == "unsign")
