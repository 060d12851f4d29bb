"""Imported for a session, whatever its settings: that session finds it. So do programs that were not changed."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import Any

import pytest
from peer_caches import KEY
from written_caches import Written

from sansio_cache import AsyncCachedSession, CachedSession, SettingError, import_cache

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
