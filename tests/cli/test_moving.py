"""``import``: another library's cache, taken over."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from command_line import Command

every_store = pytest.mark.parametrize("place", ["sqlite", "files", "redis"], indirect=True)


@pytest.fixture
def theirs(tmp_path: Path) -> str:
    """A file with the tables of requests-cache, and nothing that can be read in them."""
    path = tmp_path / "theirs.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE responses (key TEXT PRIMARY KEY, value BLOB, expires INTEGER)")
        database.execute("CREATE TABLE redirects (key TEXT PRIMARY KEY, value BLOB)")
        database.execute("INSERT INTO responses VALUES ('a', x'00ff', NULL)")
    return str(path)


@every_store
def test_what_cannot_be_taken_over_is_counted(command: Command, theirs: str) -> None:
    ran = command("import", theirs, "--json")
    assert ran.status == 1
    assert ran.json["imported"] == 0
    assert sum(ran.json["skipped"].values()) == 1
    assert "1 skipped: " in command("import", theirs, "--kind", "requests-cache").out


def test_a_dry_run_makes_nothing(command: Command, theirs: str, place: str) -> None:
    ran = command("import", theirs, "--dry-run")
    assert "0 would be imported" in ran.out
    assert not Path(place).exists()


def test_import_is_told_what_is_wrong(command: Command, theirs: str, secret_file: Callable[..., str]) -> None:
    assert command("import", theirs + ".not").status == 2
    assert command("import", theirs, "--kind", "diskcache").status == 2
    assert command("import", theirs, "--set", "expire_after=3").status == 2
    assert command("import", theirs, "--source-key-file", secret_file("a", "b")).status == 2
    text = Path(theirs).with_name("letter")
    text.write_text("dear")
    assert command("import", str(text)).status == 2


def test_the_key_of_the_source(command: Command, theirs: str, secret_file: Callable[..., str]) -> None:
    assert command("import", theirs, "--source-key-file", secret_file("theirs"), "--json").status == 1
    command.env["SANSIO_CACHE_SOURCE_KEY"] = "theirs"
    assert command("import", theirs, "--json").status == 1
