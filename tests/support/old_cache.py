"""A cache as requests-cache writes it, for examples that bring one along."""

from __future__ import annotations

import pickle
import sqlite3
from contextlib import closing
from pathlib import Path

__all__ = ["lay_out_old_cache"]


def lay_out_old_cache(path: Path, url: str) -> None:
    """A SQLite file with one response in it."""
    entry = {
        "created_at": "2026-01-02T03:04:05+00:00",
        "headers": {"Content-Type": "application/json"},
        "_content": b"{}",
        "status_code": 200,
        "request": {"method": "GET", "url": url, "headers": {"Accept": "*/*"}},
    }
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE TABLE responses (key TEXT PRIMARY KEY, value BLOB, expires INTEGER)")
        file.execute("INSERT INTO responses VALUES ('0123456789abcdef', ?, NULL)", (pickle.dumps(entry),))
