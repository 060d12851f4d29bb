"""Who can write to a cache file but has no secret (security.md, T1): reads and changes rows, on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Attacker", "flipped"]


def flipped(data: bytes, bit: int) -> bytes:
    """``data`` with one bit changed."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


class Attacker:
    """Has the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path)) as database, database:
            database.row_factory = sqlite3.Row
            yield database

    def run(self, statement: str, *values: Any) -> list[Any]:
        """The rows that a statement gives; what it changes is committed."""
        with self._database() as database:
            return database.execute(statement, values).fetchall()

    def row(self, path: str) -> dict[str, Any]:
        """The record of the URL that ends so."""
        (row,) = self.run("SELECT * FROM records WHERE url LIKE ?", f"%{path}")
        return dict(row)

    def put(self, path: str, **columns: Any) -> None:
        """Change the record of the URL that ends so."""
        for name, value in columns.items():
            self.run(f"UPDATE records SET {name} = ? WHERE url LIKE ?", value, f"%{path}")

    def columns(self) -> dict[str, str]:
        """The columns of the records, and their types."""
        return {row["name"]: row["type"] for row in self.run("PRAGMA table_info(records)")}

    def plant(self, row: dict[str, Any]) -> None:
        """Add a row as given, under an id of its own."""
        row = {name: value for name, value in row.items() if name != "id"}
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self.run(f"INSERT INTO records ({names}) VALUES ({marks})", *row.values())
