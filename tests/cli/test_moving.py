"""``import``: another library's cache, taken over."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from clock import Clock
from command_line import Command
from old_cache import lay_out_old_cache

from sansio_cache_adapters.cli import moving
from sansio_cache_adapters.importing.report import Reason, Report

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


@pytest.mark.parametrize("name", ["theirs.sqlite", "folder"])
def test_where_anothers_cache_lies_it_is_said_how_to_take_it_over(
    theirs: str, tmp_path: Path, clock: Clock, name: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "redirects.sqlite").touch()
    ran = Command(str(tmp_path / name), clock)("ls")
    assert ran.status == 3
    assert "sansio-cache import brings along what it holds" in ran.err
    assert "--cache" in ran.err
    assert "is a cache of" in Command(str(tmp_path / name), clock)("doctor").out


def test_every_reason_is_explained() -> None:
    assert {each.value for each in Reason} <= moving._MEANS.keys()


def test_a_folder_of_somebodys(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "letter").touch()
    assert "with other things in it" in Command(str(tmp_path), clock)("ls").err


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


@every_store
def test_export_and_load(
    command: Command, urls: dict[str, str], tmp_path: Path, clock: Clock, key: str, secret_file: Callable[..., str]
) -> None:
    file = tmp_path / "all.jsonl"
    ran = command("export", str(file))
    assert (ran.status, "6 exported" in ran.err) == (0, True)
    assert file.stat().st_mode & 0o077 == 0
    other = Command(str(tmp_path / "other.sqlite"), clock)
    secret = "--secret-file", secret_file(key)
    assert "6 would be loaded" in other("load", str(file), "--dry-run", *secret).out
    assert not (tmp_path / "other.sqlite").exists()
    assert other("load", str(file), *secret, "--json").json == {"imported": 6, "skipped": {}}
    assert other("verify", *secret).status == 0, "sealed anew"
    assert {row["url"] for row in other("ls", "--json", *secret).json} == {
        row["url"] for row in command("ls", "--json").json
    }
    assert "6 skipped: already-there" in other("load", str(file), *secret).out


def test_export_through_a_pipe(command: Command, urls: dict[str, str], tmp_path: Path, clock: Clock) -> None:
    ran = command("export", "-")
    assert ran.raw.count(b"\n") == 7
    other = Command(str(tmp_path / "other.sqlite"), clock)
    assert "6 loaded" in other("load", "-", input=ran.out).out


def test_export_writes_nothing_over(command: Command, urls: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text("a letter")
    assert command("export", str(file)).status == 2
    assert file.read_text() == "a letter"
    assert command("export", str(file), "--force").status == 0
    assert "a letter" not in file.read_text()


def test_export_changes_nothing(command: Command, urls: dict[str, str], place: str, tmp_path: Path) -> None:
    before = Path(place).read_bytes()
    assert command("export", str(tmp_path / "out")).status == 0
    assert Path(place).read_bytes() == before


def test_export_of_a_signed_cache(
    command: Command, signed: dict[str, str], tmp_path: Path, key: str, secret_file: Callable[..., str]
) -> None:
    assert command("export", str(tmp_path / "out")).status == 4
    ran = command("export", str(tmp_path / "out"), "--secret-file", secret_file(key))
    assert (ran.status, "6 exported" in ran.err) == (0, True)


@every_store
def test_export_of_nothing_makes_nothing(command: Command, tmp_path: Path, place: str) -> None:
    ran = command("export", str(tmp_path / "out"))
    if not place.startswith("redis"):
        assert ran.status == 3
        assert not list(tmp_path.iterdir())


def test_load_of_something_else(command: Command, tmp_path: Path, place: str) -> None:
    file = tmp_path / "letter"
    file.write_text("dear")
    assert command("load", str(file)).status == 2
    assert command("load", str(file) + ".not").status == 2


@every_store
def test_what_can_be_taken_over_is(command: Command, tmp_path: Path) -> None:
    old, url = tmp_path / "old.sqlite", "https://api.example.com/items/1"
    lay_out_old_cache(old, url)
    before = old.read_bytes()
    assert "1 would be imported" in command("import", str(old), "--dry-run").out
    ran = command("import", str(old))
    assert (ran.status, ran.lines) == (0, ["1 imported"])
    assert [row["url"] for row in command("ls", "--json").json] == [url]
    assert command("body", url).raw == b"{}"
    again = command("import", str(old))
    assert (again.status, "1 skipped: already-there" in again.out) == (0, True)
    assert old.read_bytes() == before


def test_a_second_run_is_no_failure_though_something_is_never_taken_over(command: Command, tmp_path: Path) -> None:
    old = tmp_path / "old.sqlite"
    lay_out_old_cache(old, "https://api.example.com/items/1")
    with closing(sqlite3.connect(old)) as file, file:
        file.execute("INSERT INTO responses VALUES ('fedcba9876543210', ?, NULL)", (b"no pickle",))
    assert command("import", str(old)).lines == ["1 imported", "1 skipped: damaged (it cannot be read)"]
    again = command("import", str(old))
    assert again.status == 0
    assert "nothing could be taken over" not in again.err


def test_a_new_cache_is_signed_where_there_is_a_secret(
    command: Command, tmp_path: Path, key: str, secret_file: Callable[..., str]
) -> None:
    old = tmp_path / "old.sqlite"
    lay_out_old_cache(old, "https://api.example.com/items/1")
    secret = "--secret-file", secret_file(key)
    assert command("import", str(old), *secret).status == 0
    assert command("verify", *secret).status == 0
    assert command("ls").status == 4


def test_urls_that_cachecontrol_may_have(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}

    def take(*_: object, **keywords: object) -> Report:
        given.update(keywords)
        return Report(imported=1)

    monkeypatch.setattr(moving, "import_cache", take)
    file = tmp_path / "urls"
    file.write_text("http://example.org/1\n\n http://example.org/2\n")
    assert command("import", str(tmp_path), "--kind", "cachecontrol", "--urls", str(file)).status == 0
    assert (given["kind"], given["urls"]) == ("cachecontrol", ["http://example.org/1", "http://example.org/2"])
    assert command("import", str(tmp_path), "--urls", "-", input="http://example.org/3\n").status == 0
    assert given["urls"] == ["http://example.org/3"]
    assert not given["anonymous"]
    assert command("import", str(tmp_path), "--anonymous").status == 0
    assert given["anonymous"]
    assert command("import", str(tmp_path), "--urls", str(file) + ".not").status == 2
