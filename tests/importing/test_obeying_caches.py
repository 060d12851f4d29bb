"""hishel and CacheControl: what they keep is as it came, and as fresh as it says itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import copytree

import pytest
from peer_caches import OBEYING
from written_caches import Written

from sansio_cache import CachedSession, SettingError, import_cache

pytestmark = pytest.mark.once

BODIES = {
    "/fresh": b"fresh for an hour",
    "/coded": b'{"name": "teapot", "sizes": [1, 2.5, null]}',
    "/large": b"a line of no importance\n" * 100_000,
    "/language": b"Guten Tag",
    "/tagged": "Grüße".encode(),
}


@pytest.mark.parametrize("kind", ["hishel", "cachecontrol", "cachecontrol_bodies"])
def test_every_entry_is_a_hit(kind: str, written: Written, tmp_path: Path) -> None:
    urls = [written.base + path for path in OBEYING]
    report = import_cache(written.at(kind), tmp_path / "new.sqlite", urls=urls, anonymous=kind != "hishel")
    assert (report.imported, report.skipped) == (len(OBEYING), {})
    german = {"Accept-Language": "de"}
    with CachedSession(tmp_path / "new.sqlite", offline=True) as session:
        answers = {path: session.get(written.base + path, headers=german) for path in OBEYING}
    assert {path: answer.content for path, answer in answers.items()} == BODIES
    assert answers["/tagged"].headers["ETag"] == '"one"'
    created = answers["/fresh"].created_at
    assert created is not None

    def fresh(path: str, seconds: float) -> bool:
        with CachedSession(tmp_path / "new.sqlite", clock=lambda: created.timestamp() + seconds) as session:
            return session.cache.contains(written.base + path, headers=german)

    for path in ("/fresh", "/coded", "/large", "/language"):
        assert fresh(path, 3500)
        assert not fresh(path, 3700)
    assert not fresh("/tagged", 1)


def test_a_digest_is_no_url(written: Written, tmp_path: Path) -> None:
    source = written.at("cachecontrol")
    report = import_cache(source, tmp_path / "new.sqlite")
    assert (report.imported, report.skipped) == (0, {"url-unknown": len(OBEYING)})
    urls = [f"{written.base}/fresh", "http://other.example/"]
    unknown = import_cache(source, tmp_path / "new.sqlite", urls=urls)
    assert unknown.skipped == {"asker-unknown": 1, "url-unknown": len(OBEYING) - 1}
    some = import_cache(source, tmp_path / "new.sqlite", urls=urls, anonymous=True)
    assert (some.imported, some.skipped) == (1, {"url-unknown": len(OBEYING) - 1})
    with pytest.raises(SettingError, match="absolute URLs"):
        import_cache(source, tmp_path / "new.sqlite", urls=["/fresh"])


def test_what_hishel_has_given_up_or_not_finished(written: Written, tmp_path: Path) -> None:
    copytree(written.folder, tmp_path / "copy", ignore=lambda _, names: [n for n in names if n != "hishel.sqlite"])
    source = tmp_path / "copy" / "hishel.sqlite"
    with closing(sqlite3.connect(source)) as changed, changed:
        ids = [row[0] for row in changed.execute("SELECT id FROM entries ORDER BY last_accessed_at")]
        changed.execute("UPDATE entries SET expires_at = 0.0 WHERE id = ?", (ids[0],))
        changed.execute("UPDATE entries SET chunk_count = NULL WHERE id = ?", (ids[1],))
        changed.execute("DELETE FROM streams WHERE entry_id = ? AND chunk_number = 3", (ids[2],))
        changed.execute("UPDATE entries SET data = x'ff' WHERE id = ?", (ids[3],))
    report = import_cache(source, tmp_path / "new.sqlite")
    assert report.imported == 1
    assert report.skipped == {"removed": 1, "incomplete": 1, "damaged": 2}
