"""What the other libraries wrote themselves is there afterwards, as they themselves read it."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from peer_caches import KEY, KINDS, REQUESTS
from written_caches import Written

from sansio_cache import AsyncCachedSession, CachedSession, NotCached, SQLiteStore, import_cache

pytestmark = pytest.mark.once

ALL = [kind for kinds in KINDS.values() for kind in kinds]
SECRET = "a secret of the new cache"
UNKNOWN = {"requests-cache": 0, "aiohttp-client-cache": 2}
"""How many requests are not kept whole there."""


def key_of(kind: str) -> str | None:
    return KEY if "signed" in kind else None


def options_of(method: str, path: str) -> list[dict[str, Any]]:
    """What requests to a URL were made with."""
    found = [more for name, where, more in REQUESTS if (name, where) == (method, path)]
    return [{name: value for name, value in more.items() if name != "expire_after"} for more in found or [{}]]


@pytest.mark.parametrize("kind", ALL)
def test_every_entry_is_a_hit(kind: str, written: Written, tmp_path: Path) -> None:
    entries = written.entries(kind)
    library = next(name for name, kinds in KINDS.items() if kind in kinds)
    report = import_cache(written.at(kind), tmp_path / "new.sqlite", key=key_of(kind), secret_key=SECRET)
    assert report.total == len(entries) >= len(REQUESTS)
    assert sum(report.skipped.values()) == UNKNOWN[library]
    newest = {(each["method"], each["url"]): each for each in sorted(entries, key=itemgetter("created"))}
    posted = 0
    with CachedSession(tmp_path / "new.sqlite", secret_key=SECRET, offline=True) as session:
        for entry in entries:
            method = entry["method"]
            url = entry["history"][0][0] if entry["history"] else entry["url"]
            path = url.removeprefix(written.base).replace("?a=1&b=2", "?b=2&a=1")
            if method == "POST" and UNKNOWN[library]:
                continue
            # Either came first: the digest of what each has sent tells which.
            tries = [session.request(method, url, **options) for options in options_of(method, path)]
            r = next(each for each in tries if sha256(each.content).hexdigest() == entry["sha256"])
            posted += method == "POST"
            assert (r.status_code, r.url) == (entry["status"], entry["url"]), url
            assert [[hop.url, hop.status_code] for hop in r.history] == entry["history"]
            entry = entry if method == "POST" else newest[method, entry["url"]]
            assert r.created_at is not None
            assert r.created_at.timestamp() == pytest.approx(entry["created"], abs=1e-5)
            assert (r.expires and r.expires.timestamp()) == pytest.approx(entry["expires"], abs=1e-5)
    assert posted == 2 - UNKNOWN[library]


@pytest.mark.parametrize("kind", ["rc_sqlite_pickle", "ac_sqlite"])
def test_another_client_has_hits_too(kind: str, written: Written, tmp_path: Path) -> None:
    import_cache(written.at(kind), tmp_path / "new.sqlite")

    async def read(path: str) -> tuple[bytes, list[int]]:
        opened = AsyncCachedSession(cache=tmp_path / "new.sqlite", offline=True)
        async with opened as session, session.get(written.base + path) as response:
            return await response.read(), [hop.status for hop in response.history]

    assert asyncio.run(read("/negotiated")) == (b'{"name": "teapot", "sizes": [1, 2.5, null]}', [])
    assert asyncio.run(read("/moved/2")) == (b"this is /arrived", [302, 301])


@pytest.mark.parametrize("kind", ["rc_sqlite_pickle", "ac_files"])
@pytest.mark.parametrize(
    "settings", [{}, {"cache_control": False}, {"cache_control": False, "expire_after": 86400}, {"expire_after": 5}]
)
def test_each_keeps_its_own_expiry(kind: str, settings: dict[str, Any], written: Written, tmp_path: Path) -> None:
    import_cache(written.at(kind), tmp_path / "new.sqlite")
    moments = {entry["url"]: entry for entry in written.entries(kind)}

    def cached(path: str, at: float) -> bool:
        with CachedSession(tmp_path / "new.sqlite", clock=lambda: at, **settings) as session:
            return session.cache.contains(written.base + path)

    created = moments[f"{written.base}/stale"]["created"]
    assert cached("/stale", created + 0.5)
    assert not cached("/stale", created + 1.5)
    assert cached("/plain", created + 80_000)
    assert not cached("/plain", created + 90_000)
    assert cached("/never", created + 1e9)
    assert cached("/missing", created + 80_000)


@pytest.mark.parametrize("kind", [kind for kind in ALL if "signed" in kind])
def test_a_signature_must_fit(kind: str, written: Written, tmp_path: Path) -> None:
    count = len(written.entries(kind))
    wrong = import_cache(written.at(kind), tmp_path / "new.sqlite", key="another key, just as long")
    assert (wrong.imported, wrong.skipped) == (0, {"bad-signature": count})
    none = import_cache(written.at(kind), tmp_path / "new.sqlite")
    assert (none.imported, none.skipped) == (0, {"key-required": count})
    rotated = import_cache(written.at(kind), tmp_path / "new.sqlite", key=[KEY, "another key, just as long"])
    assert rotated.imported == count - sum(rotated.skipped.values())
    assert "bad-signature" not in rotated.skipped


@pytest.mark.parametrize("kind", ["rc_sqlite_pickle", "rc_sqlite_json", "rc_sqlite_bson", "rc_files_yaml", "ac_sqlite"])
def test_what_is_not_signed_is_not_vouched_for(kind: str, written: Written, tmp_path: Path) -> None:
    report = import_cache(written.at(kind), tmp_path / "new.sqlite", key=KEY)
    assert (report.imported, report.skipped) == (0, {"unsigned": len(written.entries(kind))})


def test_what_the_session_would_not_find_is_counted(written: Written, tmp_path: Path) -> None:
    source = written.at("rc_sqlite_pickle")
    found = import_cache(source, tmp_path / "a.sqlite", match_headers=["Accept-Language"])
    assert found.imported == found.total
    with CachedSession(tmp_path / "a.sqlite", offline=True) as session, pytest.raises(NotCached):
        session.get(f"{written.base}/plain")
    with CachedSession(tmp_path / "a.sqlite", offline=True, match_headers=["Accept-Language"]) as session:
        assert session.get(f"{written.base}/plain").from_cache


def test_thousands_in_steps(written: Written, tmp_path: Path) -> None:
    """An import that is broken off goes on where it was."""
    source, target = written.at("many"), tmp_path / "new.sqlite"
    steps: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        steps.append((done, total))
        if done == 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_cache(source, target, progress=stop)
    assert steps == [(number, 3000) for number in range(1, 1001)]
    rest = import_cache(source, target)
    assert (rest.imported, rest.skipped) == (2000, {"already-there": 1000})
    store = SQLiteStore(target)
    assert store.size().entries == 3000
    store.close()


def test_a_dry_run_writes_nothing(written: Written, tmp_path: Path) -> None:
    source, target = written.at("ac_sqlite"), tmp_path / "new.sqlite"
    before = source.read_bytes()
    dry = import_cache(source, target, dry_run=True)
    assert not target.exists()
    assert dry == import_cache(source, target)
    again = import_cache(source, target, dry_run=True)
    assert again.imported == 0
    assert again.skipped["already-there"] == dry.imported
    assert source.read_bytes() == before
    assert [each.name for each in source.parent.iterdir() if each.name.startswith("ac_sqlite.sqlite")] == [source.name]
