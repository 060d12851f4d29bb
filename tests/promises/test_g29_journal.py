"""G29: a rollback journal beside a SQLite file, which may name any file for SQLite to delete, is never rolled back."""

from __future__ import annotations

import os
import sqlite3
import struct
from pathlib import Path
from typing import Any

import pytest
from local_origin import Origin, fresh

from sansio_cache_adapters.stores.sqlite import guarded

MAGIC = bytes.fromhex("d9d505f920a163d7")
PAGE = 4_096
SECTOR = 512
LOCKED = 0x40000000 // PAGE + 1
"""The page of the locks, under whose number a journal names its super-journal (SQLite's file format, §3)."""


def plant_journal(cache_file: Path, names: Path) -> Path:
    """A journal as if a transaction over several files had broken off, with ``names`` as what bound them together."""
    name = os.fsencode(names)
    pages = cache_file.stat().st_size // PAGE
    head = (MAGIC + struct.pack(">5I", 0, 1, pages, SECTOR, PAGE)).ljust(SECTOR, b"\0")
    end = struct.pack(">I", LOCKED) + name + struct.pack(">2I", len(name), sum(name)) + MAGIC
    journal = cache_file.with_name(f"{cache_file.name}-journal")
    journal.write_bytes(head + end)
    return journal


@pytest.fixture
def thesis(tmp_path: Path) -> Path:
    """A file of a stranger's."""
    path = tmp_path / "strangers" / "thesis.txt"
    path.parent.mkdir()
    path.write_text("years of work\n")
    return path


def test_what_is_planted_here_would_delete(cache_file: Path, sessions: Any, thesis: Path, origin: Origin) -> None:
    """SQLite itself, without our precautions, deletes what the journal names: so these tests can fail."""
    with sessions() as session:
        session.get(origin.on("/a", fresh(b"x")))
    plant_journal(cache_file, thesis)
    connection = sqlite3.connect(cache_file)
    connection.execute("SELECT count(*) FROM records").fetchall()
    connection.close()
    assert not thesis.exists()


def test_a_journal_is_removed_before_the_file_is_opened(
    cache_file: Path, sessions: Any, thesis: Path, origin: Origin
) -> None:
    url = origin.on("/a", fresh(b"x"))
    with sessions() as session:
        session.get(url)
    journal = plant_journal(cache_file, thesis)
    with sessions() as session:
        assert session.get(url).from_cache
    assert not journal.exists()
    assert thesis.exists()


def test_a_journal_that_comes_while_the_file_is_opened(
    cache_file: Path, sessions: Any, thesis: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = origin.on("/a", fresh(b"x"))
    with sessions() as session:
        session.get(url)
    monkeypatch.setattr(guarded, "_remove_journal", lambda _path: plant_journal(cache_file, thesis))
    with sessions() as session:
        assert session.get(url).content == b"x"
    assert thesis.exists()


def test_a_folder_in_its_place(cache_file: Path, sessions: Any, origin: Origin, caplog: Any) -> None:
    url = origin.on("/a", fresh(b"x"))
    with sessions() as session:
        session.get(url)
        journal = cache_file.with_name(f"{cache_file.name}-journal")
        journal.mkdir()
    with sessions() as session:
        assert session.get(url).content == b"x"
    assert journal.is_dir()
    assert "-journal" in caplog.text
