"""What earlier versions of the other libraries have written, as they wrote it."""

from __future__ import annotations

import pickle
import pickletools
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from written_caches import Written

from sansio_cache import CachedSession, import_cache
from sansio_cache_adapters.importing.pickles import read_pickle

pytestmark = pytest.mark.once


def without_requests(source: Path, target: Path) -> Path:
    """A file of aiohttp-client-cache, as before 0.14: without the fields of the requests."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new, new:
        new.execute("CREATE TABLE responses (key PRIMARY KEY, value)")
        for key, value in old.execute("SELECT key, value FROM responses"):
            # A name of the same length that is not read.
            new.execute("INSERT INTO responses VALUES (?, ?)", (key, value.replace(b"request_raw_headers", b"x" * 19)))
    return target


def test_who_asked_is_not_kept(written: Written, tmp_path: Path) -> None:
    source = without_requests(written.at("ac_sqlite"), tmp_path / "old.sqlite")
    posted, varied = 2, 1
    report = import_cache(source, tmp_path / "new.sqlite")
    assert report.imported == 0
    assert report.skipped == {
        "asker-unknown": len(written.entries("ac_sqlite")) - posted - varied,
        "request-body-unknown": posted,
        "vary": varied,
    }
    report = import_cache(source, tmp_path / "new.sqlite", anonymous=True)
    assert report.skipped == {"request-body-unknown": posted, "vary": varied}
    with CachedSession(tmp_path / "new.sqlite", offline=True) as session:
        for path in ("/plain", "/negotiated", "/moved/2", "/mine"):
            assert session.get(written.base + path).from_cache


def test_times_without_a_zone_and_bytes_in_base_85(tmp_path: Path) -> None:
    """requests-cache 1.0: UTC without saying so; its JSON had bytes in base 85."""
    import base64
    import json

    entry: dict[str, Any] = {
        "created_at": "2024-05-06T07:08:09.123456",
        "expires": "2094-05-06T07:08:09",
        "headers": {"Content-Type": "application/octet-stream"},
        "_content": base64.b85encode(bytes(range(256))).decode(),
        "status_code": 200,
        "request": {"method": "GET", "url": "http://made-up.example/", "headers": {}},
    }
    with closing(sqlite3.connect(tmp_path / "old.sqlite")) as file, file:
        file.execute("CREATE TABLE responses (key TEXT PRIMARY KEY, value BLOB, expires INTEGER)")
        file.execute("INSERT INTO responses VALUES ('a', ?, NULL)", (json.dumps(entry, indent=2),))
    assert import_cache(tmp_path / "old.sqlite", tmp_path / "new.sqlite").imported == 1
    with CachedSession(tmp_path / "new.sqlite", offline=True) as session:
        response = session.get("http://made-up.example/")
    assert response.content == bytes(range(256))
    assert response.created_at is not None
    assert response.created_at.isoformat() == "2024-05-06T07:08:09.123456+00:00"


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_of_pickles(protocol: int) -> None:
    value = {"status_code": 200, "headers": {"A": "b"}, "history": [], "elapsed": 0.5, "expires": None}
    assert read_pickle(pickletools.optimize(pickle.dumps(value, protocol)))[0] == value
