"""Bodies that are hashed with BLAKE3, seen by commands that have its wheel and by those that have not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from clock import Clock
from command_line import Command
from local_origin import Origin, fresh
from without_wheel import NEEDS_BLAKE3, without_blake3

from sansio_cache import CachedSession

pytestmark = NEEDS_BLAKE3
LARGE = bytes(range(256)) * 12_000
SAYS = "pip install 'sansio-cache[blake3]'"
KINDS = pytest.mark.parametrize("place", ["sqlite", "files", "redis"], indirect=True)


@pytest.fixture
def url(place: str, origin: Origin, clock: Clock) -> str:
    """The URL of a large body that is stored so; beside it lies a small one."""
    large = origin.on("/large", fresh(LARGE))
    with CachedSession(place, clock=clock, body_digest="blake3") as session:
        session.get(large)
        session.get(origin.on("/small", fresh(b"small")))
    return large


@KINDS
def test_with_the_wheel_all_is_well(command: Command, url: str) -> None:
    assert command("verify").status == 0
    assert command("doctor", "--bodies").status == 0
    assert [line.split() for line in command("show", url).lines if line.startswith("hashed")] == [
        ["hashed", "with", "blake3"]
    ]
    assert command("show", url, "--json").json[0]["body_digest"] == "blake3"
    assert command("body", url).raw == LARGE


@KINDS
def test_without_it_commands_say_what_to_install_and_remove_nothing(command: Command, url: str) -> None:
    with without_blake3():
        assert command("show", url).status == 0
        assert command("verify", "--heads").status == 0
        verified = command("verify")
        assert verified.status == 1
        assert SAYS in verified.err
        assert "purge" not in verified.err
        assert "1 unknown-digest" in verified.err
        doctor = {each["name"]: each for each in command("doctor", "--bodies", "--json").json}
        assert (doctor["digest"]["level"], doctor["digest"]["advice"]) == (
            "warning",
            f"blake3 is not installed: {SAYS}",
        )
        assert doctor["damage"]["level"] == "ok"
        body = command("body", url)
        assert body.status != 0
        assert SAYS in body.err
        assert "unknown-digest" in command("explain", url).out
        command("purge", "--invalid")
    assert command("body", url).raw == LARGE


def test_what_is_damaged_beside_is_told_as_well(command: Command, url: str, place: str) -> None:
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("UPDATE records SET sealed = x'00' WHERE url LIKE '%/small'")
    with without_blake3():
        verified = command("verify")
        assert "purge --invalid removes them" in verified.err
        command("purge", "--invalid")
    assert [Path(each["url"]).name for each in command("ls", "--json").json] == ["large"]
