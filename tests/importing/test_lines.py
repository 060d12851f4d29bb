"""Lines of JSON: what a store keeps can be written out and sealed anew in another."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from local_origin import Origin, Reply, fresh
from without_wheel import NEEDS_BLAKE3, without_blake3

from sansio_cache import (
    CachedSession,
    FileStore,
    KeyRequired,
    MemoryStore,
    NotCached,
    RedisStore,
    SettingError,
    SQLiteStore,
    export_cache,
    load_cache,
)

OLD, NEW = "the secret of the old cache", "the secret of the new cache"
STORES: dict[str, Callable[[Path], Any]] = {
    "memory": lambda _: MemoryStore(),
    "sqlite": lambda folder: SQLiteStore(folder / "new.sqlite"),
    "files": lambda folder: FileStore(folder / "new"),
    "redis": lambda _: RedisStore(fakeredis.FakeRedis()),
}
HASHED = {"body_digest": "blake3"}
BYTES = bytes(range(256)) * 12_000
MINE = {"Authorization": "Bearer of mine"}


@pytest.fixture
def filled(tmp_path: Path, origin: Origin) -> dict[str, str]:
    """The URLs of what ``old.sqlite`` keeps: text, large and coded bodies, users, variants, times of the user's."""
    answers = {
        "text": fresh("Grüße".encode()),
        "large": fresh(BYTES),
        "coded": fresh(b"coded " * 100, coded=True),
        "mine": fresh(b"for me", vary="Authorization"),
        "german": fresh(b"Hallo", vary="Accept-Language"),
        "forever": Reply(b"for ever"),
    }
    urls = {name: origin.on(f"/{name}", reply) for name, reply in answers.items()}
    with CachedSession(tmp_path / "old.sqlite", secret_key=OLD) as session:
        for name in ("text", "large", "coded"):
            assert session.get(urls[name]).content
        session.get(urls["mine"], headers=MINE)
        session.get(urls["german"], headers={"Accept-Language": "de"})
        session.get(urls["forever"], expire_after=-1, tags=["kept"])
    return urls


@pytest.mark.parametrize("kind", STORES)
def test_everything_is_found_again(kind: str, filled: dict[str, str], tmp_path: Path) -> None:
    assert export_cache(tmp_path / "old.sqlite", tmp_path / "lines", secret_key=OLD) == 6
    store = STORES[kind](tmp_path)
    report = load_cache(store, tmp_path / "lines", secret_key=NEW)
    assert (report.imported, report.skipped) == (6, {})
    again = load_cache(store, tmp_path / "lines", secret_key=NEW)
    assert (again.imported, again.skipped) == (0, {"already-there": 6})
    with CachedSession(tmp_path / "old.sqlite", secret_key=OLD, offline=True) as old:
        moments = {name: old.get(url, headers=MINE).created_at for name, url in filled.items() if name == "mine"}
    with CachedSession(store, secret_key=NEW, offline=True) as session:
        assert session.get(filled["text"]).text == "Grüße"
        assert session.get(filled["large"]).content == BYTES
        assert session.get(filled["coded"]).content == b"coded " * 100
        assert session.get(filled["mine"], headers=MINE).created_at == moments["mine"]
        assert session.get(filled["german"], headers={"Accept-Language": "de"}).text == "Hallo"
        assert session.get(filled["forever"]).expires is None
        with pytest.raises(NotCached):
            session.get(filled["mine"])
        assert session.cache.verify() == (6, {})
        assert session.cache.delete(tags=["kept"]) == 1
    store.close()


def test_a_file_is_for_its_owner_and_appears_at_once(filled: dict[str, str], tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        steps.append((done, total))
        assert not (tmp_path / "lines").exists()
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_cache(tmp_path / "old.sqlite", tmp_path / "lines", secret_key=OLD, progress=stop)
    assert steps == [(1, 6), (2, 6), (3, 6)]
    assert not [each for each in tmp_path.iterdir() if "lines" in each.name]
    export_cache(tmp_path / "old.sqlite", tmp_path / "lines", secret_key=OLD)
    assert (tmp_path / "lines").stat().st_mode & 0o777 == 0o600
    text = (tmp_path / "lines").read_text()
    assert "Bearer" not in text
    assert {json.loads(line)["url"] for line in text.splitlines()[1:]} == set(filled.values())


def test_streams_and_steps(filled: dict[str, str], tmp_path: Path) -> None:
    out = io.BytesIO()
    assert export_cache(tmp_path / "old.sqlite", out, secret_key=OLD) == 6
    steps: list[tuple[int, int]] = []
    store = MemoryStore()
    load_cache(store, io.BytesIO(out.getvalue()), progress=lambda *step: steps.append(step))
    assert steps == [(number, number) for number in range(1, 7)]
    (tmp_path / "lines").write_bytes(out.getvalue())
    steps.clear()
    load_cache(MemoryStore(), tmp_path / "lines", progress=lambda *step: steps.append(step))
    assert steps == [(number, 6) for number in range(1, 7)]


def test_a_store_that_is_in_use_keeps_its_salt(filled: dict[str, str], origin: Origin, tmp_path: Path) -> None:
    """What was kept for users, or selected by Vary, would never be found there: it is counted, and not stored."""
    export_cache(tmp_path / "old.sqlite", tmp_path / "lines", secret_key=OLD)
    theirs = origin.on("/theirs", fresh(b"for another", vary="Authorization"))
    with CachedSession(tmp_path / "new.sqlite") as session:
        session.get(theirs, headers=MINE)
    report = load_cache(tmp_path / "new.sqlite", tmp_path / "lines")
    assert (report.imported, report.skipped) == (4, {"bound-to-its-store": 2})
    with CachedSession(tmp_path / "new.sqlite", offline=True) as session:
        assert session.get(theirs, headers=MINE).text == "for another"
        assert session.get(filled["text"]).from_cache


def test_what_is_forged_is_not_vouched_for(filled: dict[str, str], tmp_path: Path, caplog: Any) -> None:
    with pytest.raises(KeyRequired):
        export_cache(tmp_path / "old.sqlite", tmp_path / "lines")
    assert export_cache(tmp_path / "old.sqlite", tmp_path / "lines", secret_key="another secret, as long") == 0
    assert sum("not exported" in each.message for each in caplog.records) == 6


def test_lines_are_read_in_distrust(filled: dict[str, str], tmp_path: Path) -> None:
    export_cache(tmp_path / "old.sqlite", tmp_path / "lines", secret_key=OLD)
    first, *lines = (tmp_path / "lines").read_bytes().splitlines()
    line = json.loads(next(each for each in lines if b'"text":"Gr' in each))
    bad: list[Any] = [
        {**line, "headers": [["X", "a\r\nSet-Cookie: b"]]},
        {**line, "headers": [["a b", "c"]]},
        {**line, "headers": [["X", "雪"]]},
        {**line, "reason": "OK\r\nX: y"},
        {**line, "status": 99},
        {**line, "body": "AAAA"},
        {**line, "text": "\ud800"},
        {**line, "resource": "AAAA"},
        {**line, "facts": 1},
        {**line, "received_at": "now"},
        {name: value for name, value in line.items() if name != "text"},
        [[[]]],
        7,
    ]
    deep = b"[" * 100_000
    for each in [*(json.dumps(value).encode() for value in bad), deep, b"{", b"\xff\xfe"]:
        report = load_cache(MemoryStore(), io.BytesIO(first + b"\n" + each + b"\n"))
        assert (report.imported, report.skipped) == (0, {"damaged": 1}), each[:200]
    long = load_cache(MemoryStore(max_bytes=80_000), io.BytesIO(first + b"\n" + b" " * 9_000_000 + b"\n{}\n"))
    assert long.skipped == {"too-large": 1, "damaged": 1}


@pytest.mark.parametrize("text", [b"", b"{}\n", b'{"sansio_cache":"export","version":99,"salt":""}\n', b"\x00" * 50])
def test_another_file_is_refused(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(text)
    with pytest.raises(SettingError, match="no file that export_cache wrote"):
        load_cache(tmp_path / "new.sqlite", tmp_path / "lines")
    assert not (tmp_path / "new.sqlite").exists()


def test_what_is_not_there_is_not_made(tmp_path: Path) -> None:
    for target in (tmp_path / "none.sqlite", FileStore(tmp_path / "none")):
        with pytest.raises(SettingError, match="there is no cache at"):
            export_cache(target, tmp_path / "lines")
    with pytest.raises(SettingError, match="cannot be read"):
        load_cache(tmp_path / "none.sqlite", tmp_path / "lines")
    with pytest.raises(SettingError, match="open for bytes"):
        export_cache(MemoryStore(), io.StringIO())  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="open for bytes"):
        load_cache(MemoryStore(), io.StringIO())
    assert not list(tmp_path.iterdir())


@NEEDS_BLAKE3
@pytest.mark.parametrize("kind", STORES)
def test_what_is_hashed_with_blake3_stays_so(kind: str, tmp_path: Path, origin: Origin) -> None:
    """Where it is installed; else its copy is hashed with SHA-256, and the original not verified, and left out."""
    url = origin.on("/large", fresh(BYTES))
    file, store = io.BytesIO(), STORES[kind](tmp_path)
    with CachedSession(tmp_path / "old.sqlite", secret_key=OLD, **HASHED) as session:
        session.get(url)
    assert export_cache(tmp_path / "old.sqlite", file, secret_key=OLD) == 1
    file.seek(0)
    assert load_cache(store, file, secret_key=NEW).imported == 1
    with without_blake3():
        with CachedSession(store, secret_key=NEW, offline=True) as session, pytest.raises(NotCached):
            session.get(url)
        assert export_cache(tmp_path / "old.sqlite", io.BytesIO(), secret_key=OLD) == 0
        file.seek(0)
        other = MemoryStore()
        assert load_cache(other, file, secret_key=NEW).imported == 1
        with CachedSession(other, secret_key=NEW, offline=True) as session:
            assert session.get(url).content == BYTES
    with CachedSession(store, secret_key=NEW, offline=True) as session:
        assert session.get(url).content == BYTES
    store.close()


@NEEDS_BLAKE3
def test_a_copy_is_hashed_as_the_original(tmp_path: Path, origin: Origin) -> None:
    url = origin.on("/large", fresh(BYTES))
    with CachedSession(tmp_path / "old.sqlite", secret_key=OLD, **HASHED) as session:
        session.get(url)
        assert session.cache.copy_to(tmp_path / "new.sqlite", secret_key=NEW) == 1
    with CachedSession(tmp_path / "new.sqlite", secret_key=NEW, offline=True) as copy:
        with without_blake3(), pytest.raises(NotCached):
            copy.get(url)
        assert copy.get(url).content == BYTES
