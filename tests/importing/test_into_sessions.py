"""Imported for a session, whatever its settings: that session finds it. So do programs that were not changed."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from peer_caches import KEY
from written_caches import Written

from sansio_cache import (
    AsyncCachedSession,
    BadSignature,
    CachedSession,
    FileStore,
    KeyRequired,
    MemoryStore,
    RedisStore,
    SettingError,
    StoreError,
    import_cache,
)

pytestmark = pytest.mark.once

SECRET = "a secret of this cache"
SETTINGS: list[dict[str, Any]] = [
    {},
    {"ignored_parameters": ["a"], "parameter_order": False},
    {"match_headers": ["Accept-Language"], "expire_after": 60, "allowed_codes": [200]},
    {"shared": True, "namespace": "of mine"},
    {"key_fn": lambda request: request.url, "filter_fn": lambda *_: False},
    {"offline": True, "read_only": True},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_session_finds_what_was_imported_for_it(settings: dict[str, Any], written: Written, tmp_path: Path) -> None:
    with CachedSession(tmp_path / "new.sqlite", secret_key="a secret of this cache", **settings) as session:
        report = import_cache(written.at("rc_sqlite_pickle"), session)
        assert report.imported == report.total
        for path in ("/plain", "/q?a=1&b=2", "/never"):
            assert session.cache.contains(written.base + path)
        assert session.get(f"{written.base}/plain").from_cache
        with pytest.raises(SettingError, match="of its own"):
            import_cache(written.at("rc_sqlite_pickle"), session, namespace="another")
        with pytest.raises(SettingError, match="of its own"):
            import_cache(written.at("rc_sqlite_pickle"), session, secret_key="a secret of this cache")


def test_a_session_of_aiohttp_too(written: Written, tmp_path: Path) -> None:
    async def hit() -> bool:
        async with AsyncCachedSession(cache=tmp_path / "new.sqlite", match_headers=["X-A"]) as session:
            await asyncio.to_thread(import_cache, written.at("ac_files"), session)
            async with session.get(f"{written.base}/plain") as response:
                return response.from_cache

    assert asyncio.run(hit())


@pytest.mark.parametrize("kind", ["rc_sqlite_pickle", "rc_files_signed"])
def test_a_program_written_for_requests_cache(kind: str, written: Written, tmp_path: Path) -> None:
    from sansio_cache.compat import requests_cache

    options: dict[str, Any] = {"allowable_codes": (200, 404), "allowable_methods": ("GET", "HEAD", "POST")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = requests_cache.CachedSession(str(tmp_path / "new"), expire_after=86400, **options)
    with session:
        report = import_cache(written.at(kind), session, key=KEY if "signed" in kind else None)
        assert report.imported == report.total
        for path in ("/plain", "/q?b=2&a=1", "/q?a=1&b=2", "/moved/2", "/missing", "/never"):
            assert session.get(written.base + path).from_cache, path
        assert session.head(f"{written.base}/headed").from_cache
        assert session.post(f"{written.base}/posted", json={"b": 1, "a": [True, None]}).from_cache


def test_a_program_written_for_aiohttp_client_cache(written: Written, tmp_path: Path) -> None:
    from sansio_cache.compat import aiohttp_client_cache

    async def hits() -> list[bool]:
        backend = aiohttp_client_cache.SQLiteBackend(str(tmp_path / "new.sqlite"), allowed_codes=(200, 404))
        async with aiohttp_client_cache.CachedSession(cache=backend) as session:
            import_cache(written.at("ac_sqlite_signed"), session, key=KEY)
            found: list[bool] = []
            for path in ("/plain", "/q?b=2&a=1", "/moved/2", "/missing"):
                async with session.get(written.base + path) as response:
                    found.append(response.from_cache)
            return found

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert asyncio.run(hits()) == [True] * 4


TARGETS: dict[str, Callable[[Path], Any]] = {
    "path": lambda folder: str(folder / "new.sqlite"),
    "url": lambda folder: f"file://{folder}/new",
    "memory": lambda _: MemoryStore(secret_key=SECRET),
    "files": lambda folder: FileStore(folder / "new"),
    "redis": lambda _: RedisStore(fakeredis.FakeRedis()),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_into_any_store(kind: str, written: Written, tmp_path: Path) -> None:
    target = TARGETS[kind](tmp_path)
    dry = import_cache(written.at("rc_sqlite_json"), target, secret_key=SECRET, dry_run=True)
    assert not list(tmp_path.iterdir())
    report = import_cache(written.at("rc_sqlite_json"), target, secret_key=SECRET)
    assert dry == report
    again = import_cache(written.at("rc_sqlite_json"), target, secret_key=SECRET)
    assert (again.imported, again.skipped) == (0, {"already-there": report.imported})
    with CachedSession(target, secret_key=SECRET, offline=True) as session:
        assert session.get(f"{written.base}/large").content == b"a line of no importance\n" * 100_000
        assert session.get(f"{written.base}/moved/2").text == "this is /arrived"
        assert not session.cache.verify().flaws


def test_a_target_in_trouble_is_said(written: Written, tmp_path: Path) -> None:
    """Quiet failure is failure: an import is no request of a session, which would go on without the store."""
    source = written.at("rc_sqlite_json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError):
        import_cache(source, tmp_path / "folder")
    (tmp_path / "text").write_text("none of ours")
    with pytest.raises(StoreError):
        import_cache(source, tmp_path / "text")
    assert (tmp_path / "text").read_text() == "none of ours"
    import_cache(source, tmp_path / "new.sqlite", secret_key=SECRET)
    with pytest.raises(KeyRequired):
        import_cache(source, tmp_path / "new.sqlite")
    with pytest.raises(BadSignature):
        import_cache(source, tmp_path / "new.sqlite", secret_key="another secret, as long")
    store = MemoryStore()
    store.commit = failing  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="is in trouble"):
        import_cache(source, store)


def failing(*_: object, **__: object) -> bool:
    raise StoreError("no room")
