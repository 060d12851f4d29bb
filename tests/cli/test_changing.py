"""``delete``, ``purge``, ``clear``, ``stats``, ``du`` and ``verify``, on every store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from clock import Clock
from command_line import Command, fill
from local_origin import Origin, fresh

from sansio_cache import CachedSession
from sansio_cache_adapters.cli.place import PlaceOptions

pytestmark = pytest.mark.once

every_store = pytest.mark.parametrize("place", ["sqlite", "files", "redis"], indirect=True)


def left(command: Command) -> int:
    return len(command("ls", "--json").json)


@every_store
def test_delete_of_a_url_takes_all_its_responses(
    command: Command, origin: Origin, place: str, clock: Clock, urls: dict[str, str]
) -> None:
    with CachedSession(place, clock=clock) as session:
        session.get(urls["one"], headers={"Authorization": "Bearer of somebody"})
    assert left(command) == 7
    dry = command("delete", urls["one"], "--dry-run")
    assert (dry.status, "2 would be removed" in dry.err, left(command)) == (0, True, 7)
    ran = command("delete", urls["one"])
    assert (ran.status, "2 removed" in ran.err, left(command)) == (0, True, 5)
    assert command("delete", urls["one"]).status == 1
    with CachedSession(place, clock=clock) as session:
        assert not session.get(urls["one"]).from_cache
        assert session.get(urls["two"]).from_cache


@every_store
def test_delete_by_pattern_tag_and_as_shown(command: Command, urls: dict[str, str]) -> None:
    assert command("delete", "--tag", "small").status == 0
    assert left(command) == 5
    shown = urls["secret"].replace("abcdef", "REDACTED")
    assert command("delete", shown).status == 0
    assert left(command) == 4
    assert command("delete", "127.0.0.1:*/g*", "*/b*").status == 0
    assert left(command) == 2
    assert command("delete", "--larger-than", "1k", "*/two").status == 0
    assert left(command) == 1


def test_a_whole_url_is_no_beginning(command: Command, origin: Origin, place: str, clock: Clock) -> None:
    with CachedSession(place, clock=clock) as session:
        for path in ("/a", "/ab"):
            session.get(origin.on(path, fresh()))
    assert command("delete", origin.url("/a"), "--fresh").status == 0
    assert [row["url"] for row in command("ls", "--json").json] == [origin.url("/ab")]


def test_delete_wants_to_be_told_what(command: Command, urls: dict[str, str]) -> None:
    assert command("delete").status == 2
    assert command("delete", "no-url").status == 2
    assert left(command) == 6


@every_store
def test_purge_takes_what_has_expired(command: Command, urls: dict[str, str], clock: Clock) -> None:
    assert "0 removed" in command("purge").err
    clock.advance(100)
    assert "1 would be removed" in command("purge", "-n").err
    assert "1 removed" in command("purge").err
    assert left(command) == 5
    assert command("purge", "--older-than", "1h").status == 0
    assert left(command) == 5
    assert "5 removed" in command("purge", "--older-than", "90s").err
    assert left(command) == 0
    assert command("purge", "--no-expired").status == 2


@every_store
def test_clear_asks(command: Command, urls: dict[str, str]) -> None:
    for answer in ("", "n\n"):
        ran = command("clear", input=answer)
        assert (ran.status, left(command)) == (1, 6)
        assert "Remove all 6 responses" in ran.err
        assert "nothing was removed" in ran.err
    assert command("clear", input="y\n").status == 0
    assert left(command) == 0
    assert command("clear", "--yes").status == 0


@every_store
def test_stats_count(command: Command, urls: dict[str, str], clock: Clock) -> None:
    clock.advance(100)
    found = command("stats", "--json").json
    assert found["responses"] == 6
    assert found["states"] == {"fresh": {"count": 5, "bytes": found["bytes"] - 5}, "stale": {"count": 1, "bytes": 5}}
    assert {name: each["count"] for name, each in found["statuses"].items()} == {"200": 5, "404": 1}
    assert [each["count"] for each in found["hosts"].values()] == [6]
    assert {name: each["count"] for name, each in found["sizes"].items()} == {
        "below 1 KiB": 4, "below 10 KiB": 1, "below 10 MiB": 1
    }  # fmt: skip
    assert {name: each["count"] for name, each in found["ages"].items()} == {"below 60m": 6}
    shown = command("stats")
    assert "6 responses" in shown.out
    assert "█" in shown.out
    assert "\x1b" not in shown.out
    assert command("stats", "*/one", "--json").json["responses"] == 1
    assert command("stats", "--status", "404", "--json").json["responses"] == 1


def test_stats_show_the_first_hosts(command: Command, origin: Origin, place: str, clock: Clock) -> None:
    origin.on("/", fresh())
    with CachedSession(place, clock=clock) as session:
        for host in ("127.0.0.1", "localhost"):
            session.get(origin.url("/", host))
    assert "and 1 more" in command("stats", "--top", "1").out
    assert "and 1 more" not in command("stats").out


@every_store
def test_du_sums_below_paths(command: Command, origin: Origin, place: str, clock: Clock) -> None:
    with CachedSession(place, clock=clock) as session:
        for path in ("/a/1", "/a/2", "/b"):
            session.get(origin.on(path, fresh(b"12345")))
    lines = [line.split("\t") for line in command("du").lines]
    assert lines == [["10", "2", origin.url("/a/…")], ["5", "1", origin.url("/b")]]
    assert command("du", "--depth", "0").lines == [f"15\t3\t{origin.url('/')}"]
    found = command("du", "--json", "--depth", "2").json
    assert found["bytes"] == 15
    assert found["store_bytes"] > 15
    assert len(found["below"]) == 3


@every_store
def test_verify_finds_nothing_wrong(command: Command, urls: dict[str, str]) -> None:
    ran = command("verify")
    assert (ran.status, ran.out) == (0, "")
    assert "6 good, heads and bodies" in ran.err
    assert command("verify", "--json").json == {"good": 6, "flaws": {}, "wrong": []}
    quiet = command("verify", "--quiet", "--heads")
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")


def test_verify_names_what_is_wrong(
    command: Command, signed: dict[str, str], place: str, key: str, secret_file: Callable[..., str]
) -> None:
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("UPDATE records SET sealed = substr(sealed, 1, 40) WHERE url LIKE '%/one'")
        database.execute("UPDATE records SET body = x'00' WHERE url LIKE '%/gone'")
        database.execute("UPDATE chunks SET data = zeroblob(length(data))")
    secret = "--secret-file", secret_file(key)
    ran = command("verify", *secret)
    assert ran.status == 1
    assert sorted(line.split("\t")[0] for line in ran.lines) == ["body", "body", "unreadable"]
    assert {line.split("\t")[1] for line in ran.lines} == {signed["one"], signed["big"], signed["gone"]}
    heads = command("verify", "--heads", *secret)
    assert (heads.status, len(heads.lines)) == (1, 1)
    body = command("body", signed["big"], *secret)
    assert body.status == 4
    assert "is not the one that was stored" in body.err
    assert command("ls", "--invalid", *secret, "--json").json[0]["state"] == "unreadable"
    assert "3 removed" in command("purge", "--invalid", *secret).err
    assert command("verify", *secret).status == 0


def test_what_only_looks_changes_and_makes_nothing(command: Command, urls: dict[str, str], place: str) -> None:
    before = Path(place).read_bytes()
    looks = (["ls"], ["show", urls["one"]], ["body", urls["one"]], ["stats"], ["du"], ["verify"], ["purge", "-n"])
    for arguments in looks:
        assert command(*arguments).status in (0, 1)
    assert Path(place).read_bytes() == before


@every_store
@pytest.mark.parametrize(
    "arguments",
    [
        ["ls"], ["show", "http://x/"], ["body", "http://x/"], ["stats"], ["du"], ["verify"], ["purge"],
        ["delete", "http://x/"], ["clear", "--yes"], ["resign"],
    ],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_where_there_is_no_cache_none_is_made(
    command: Command, tmp_path: Path, place: str, arguments: list[str], request: pytest.FixtureRequest
) -> None:
    if place.startswith("redis"):
        server = request.getfixturevalue("shared_redis")
        with server.client() as client:
            client.flushall()
    ran = command(*arguments)
    assert ran.status == 3
    assert "there is no cache at" in ran.err
    assert list(tmp_path.iterdir()) == []
    if place.startswith("redis"):
        with server.client() as client:
            assert client.keys() == []


@pytest.mark.parametrize("place", ["sqlite", "files"], indirect=True)
def test_nothing_is_evicted_that_its_program_would_keep(
    command: Command, urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound of a store is its program's to say: a cache larger than the default stays as it is."""
    from sansio_cache_adapters.cache import locations

    defaults = locations.store_at.__kwdefaults__
    assert defaults["max_bytes"] == 1024**3
    store = PlaceOptions(cache=command.cache).store()
    assert store.max_bytes == 1024**4
    assert command("delete", urls["one"]).status == 0
    assert command("purge").status == 0
    assert left(command) == 5


def test_what_the_library_logs_is_told_safely(
    command: Command, urls: dict[str, str], place: str, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("UPDATE records SET sealed = x'00', url = 'http://example.org/' || char(27) || ']0;owned'")
    ran = command("export", str(tmp_path / "out"))
    assert "not exported" in ran.err
    assert "\x1b" not in ran.err


def test_bodies_that_are_gone_or_altered(command: Command, urls: dict[str, str], place: str) -> None:
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("UPDATE records SET body = x'00' WHERE url LIKE '%/one'")
        database.execute("UPDATE bodies SET hashes = zeroblob(length(hashes))")
    assert sorted(line.split("\t")[0] for line in command("verify").lines) == ["body", "body"]
    for name in ("one", "big"):
        ran = command("body", urls[name])
        assert (ran.status, "is not the one that was stored" in ran.err) == (3, True)
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("DELETE FROM chunks")
        database.execute("DELETE FROM bodies")
    assert "gone" in {line.split("\t")[0] for line in command("verify").lines}
    ran = command("body", urls["big"])
    assert (ran.status, "is gone" in ran.err) == (3, True)


def test_a_file_of_bodies_that_was_removed(place: str, clock: Clock, origin: Origin, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    command = Command(f"file://{folder}", clock)
    urls = fill(f"file://{folder}", origin, clock)
    for body in (folder / "bodies").rglob("*"):
        if body.is_file():
            body.unlink()
    assert {line.split("\t")[0] for line in command("verify").lines} == {"gone"}
    assert command("body", urls["big"]).status == 3
    assert command("body", urls["one"]).status == 0
    by_path = Command(str(folder), clock)
    assert len(by_path("ls", "--json").json) == 6, "a folder needs no scheme"


def test_a_coding_that_cannot_be_taken_off(command: Command, origin: Origin, place: str, clock: Clock) -> None:
    url = origin.on("/", fresh(b"no such coding", content_encoding="compress"))
    broken = origin.on("/broken", fresh(b"no gzip at all", content_encoding="br"))
    with CachedSession(place, clock=clock) as session:
        for each in (url, broken):
            with session.get(each, stream=True) as response:
                response.raw.read(decode_content=False)
    ran = command("body", url)
    assert (ran.status, "--raw gives it as it is stored" in ran.err) == (1, True)
    assert command("body", url, "--raw").raw == b"no such coding"
    assert command("body", broken).status == 1
