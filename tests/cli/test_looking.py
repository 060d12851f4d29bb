"""``ls``, ``show`` and ``body``: what is stored, as people and programs want it."""

from __future__ import annotations

import csv
import gzip
import io
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from clock import Clock
from command_line import Command
from local_origin import Origin, fresh

from sansio_cache import CachedSession
from sansio_cache_adapters.cli.app import cli
from sansio_cache_adapters.cli.place import PlaceOptions

pytestmark = pytest.mark.once

every_store = pytest.mark.parametrize("place", ["sqlite", "files", "redis"], indirect=True)


def listed(command: Command, urls: dict[str, str], *arguments: str) -> set[str]:
    """The names of the URLs that ``ls`` lists."""
    shown = {url.replace("abcdef", "REDACTED"): name for name, url in urls.items()}
    return {shown[row["url"]] for row in command("ls", "--json", *arguments).json}


@every_store
def test_ls_lists_what_is_stored(command: Command, urls: dict[str, str]) -> None:
    assert listed(command, urls) == set(urls)
    ran = command("ls")
    assert ran.status == 0
    assert len(ran.lines) == len(urls)
    assert ran.lines[0].split("\t") == ["200", "fresh", "0s", "60m", "2560000", "GET", urls["big"]]
    assert "\x1b" not in ran.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--fresh"], {"two", "gone", "packed", "big", "secret"}),
        (["--stale"], {"one"}),
        (["--status", "404"], {"gone"}),
        (["--status", "2xx", "--status", "404", "--stale"], {"one"}),
        (["--status", "5xx"], set()),
        (["--tag", "small"], {"one"}),
        (["--method", "head"], set()),
        (["--host", "127.*"], {"one", "two", "gone", "packed", "big", "secret"}),
        (["--host", "example.*"], set()),
        (["--larger-than", "4k"], {"two", "big"}),
        (["--larger-than", "4k", "--smaller-than", "1MiB"], {"two"}),
        (["--older-than", "1m"], {"one", "two", "gone", "packed", "big", "secret"}),
        (["--older-than", "1h"], set()),
        (["--newer-than", "1h"], {"one", "two", "gone", "packed", "big", "secret"}),
        (["--newer-than", "2000-01-01"], {"one", "two", "gone", "packed", "big", "secret"}),
        (["--older-than", "2000-01-01"], set()),
        (["--invalid"], set()),
        (["*/b*"], {"big"}),
        (["127.0.0.1:*/gone"], {"gone"}),
    ],
    ids=lambda value: " ".join(sorted(value)),  # in the same order in every process
)
def test_ls_filters(
    command: Command, urls: dict[str, str], clock: Clock, arguments: list[str], expected: set[str]
) -> None:
    clock.advance(100)
    assert listed(command, urls, *arguments) == expected


def test_a_url_without_a_star_is_the_beginning_of_one(command: Command, urls: dict[str, str]) -> None:
    assert listed(command, urls, urls["secret"].partition("?")[0]) == {"secret"}
    assert listed(command, urls, urls["one"][:-3]) == set(urls)


@pytest.mark.parametrize(
    ("sort", "field"),
    [
        *(("url", "url"), ("size", "size"), ("status", "status"), ("expires", "expires_at")),
        *(("stored", "stored_at"), ("host", "url"), ("state", "state")),
    ],
)
def test_ls_sorts(
    command: Command, urls: dict[str, str], place: str, clock: Clock, origin: Origin, sort: str, field: str
) -> None:
    clock.advance(100)
    with CachedSession(place, clock=clock) as session:
        session.get(origin.on("/late", fresh(b"later")))
    values = [row[field] for row in command("ls", "--json", "--sort", sort).json]
    assert values == sorted(values)
    assert len(set(values)) > 1
    backwards = [row[field] for row in command("ls", "--json", "--sort", sort, "--reverse").json]
    assert backwards == sorted(values, reverse=True)
    assert len(command("ls", "--json", "--limit", "2").json) == 2


def test_ls_as_csv_and_as_a_database(command: Command, urls: dict[str, str], tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(command("ls", "--csv").out)))
    assert [row["url"] for row in rows] == [row["url"] for row in command("ls", "--json").json]
    file = tmp_path / "look.sqlite"
    assert command("ls", "--sqlite", str(file)).status == 0
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT count(*), sum(size) FROM responses").fetchone() == (
            len(urls),
            sum(int(row["size"]) for row in rows),
        )
    again = command("ls", "--sqlite", str(file))
    assert again.status == 2, "it is not written over"
    assert command("ls", "--json", "--csv").status == 2


def test_no_cell_is_a_formula(command: Command, origin: Origin, place: str, clock: Clock) -> None:
    with CachedSession(place, clock=clock) as session:
        session.get(origin.on("/x", fresh()), tags=["=HYPERLINK(1)"])
    [row] = csv.DictReader(io.StringIO(command("ls", "--csv").out))
    assert row["tags"] == "'=HYPERLINK(1)"


def test_a_file_in_the_place_of_a_url_is_told(command: Command, urls: dict[str, str], place: str) -> None:
    ran = command("ls", place)
    assert ran.status == 2
    assert f"--cache {place}" in ran.err


NARROW = (["http://nobody.example/*"], ["--status", "5xx"], ["--older-than", "1h"])
"""What nothing stored is."""


@pytest.mark.parametrize("narrow", NARROW, ids=lambda given: given[0])
@pytest.mark.parametrize("name", ["ls", "stats", "du"])
def test_nothing_of_what_was_asked_for_is_told(
    command: Command, urls: dict[str, str], name: str, narrow: list[str]
) -> None:
    ran = command(name, *narrow)
    assert ran.status == 1
    assert f"none of {len(urls)} stored responses" in ran.err
    as_data = command(name, "--json", *narrow)
    assert as_data.status == 1
    assert not as_data.json or not as_data.json["responses"]


@pytest.mark.parametrize("name", ["ls", "stats", "du"])
def test_an_empty_cache_is_told_and_is_no_fault(command: Command, urls: dict[str, str], name: str) -> None:
    assert command("clear", "--yes").status == 0
    ran = command(name)
    assert ran.status == 0
    assert "nothing is stored in " in ran.err
    assert command(name, "http://nobody.example/*").status == 1


def test_a_limit_of_none_is_what_was_asked_for(command: Command, urls: dict[str, str]) -> None:
    assert command("ls", "--limit", "0") == (0, "", "", b"")


@every_store
def test_show_tells_times_and_why(command: Command, urls: dict[str, str], clock: Clock) -> None:
    clock.advance(20)
    ran = command("show", urls["one"])
    assert ran.status == 0
    assert "Cache-Control: max-age=60" in ran.lines
    assert "HTTP/1.1 200 OK" in ran.lines
    [now] = [line for line in ran.lines if line.startswith("now")]
    assert "fresh: Cache-Control: max-age gives it 60 s" in now
    assert "RFC 9111 §4.2.1" in now
    clock.advance(100)
    [shown] = command("show", urls["one"], "--json").json
    assert shown["state"] == "stale"
    assert shown["seconds_left"] == pytest.approx(-60, abs=2)
    assert ["Cache-Control", "max-age=60"] in shown["headers"]
    assert shown["tags"] == ["small", "one"]


@pytest.mark.parametrize(
    ("setting", "says", "state"),
    [
        ("expire_after=10", "expire_after gives it 10 s", "stale"),
        ("expire-after=1000", "expire_after gives it 1000 s", "fresh"),
        ("cache_control=false", "cache_control=False", "fresh"),
        ('urls_expire_after={"127.0.0.1": 5}', "urls_expire_after gives it 5 s", "stale"),
    ],
)
def test_show_goes_by_the_settings_given(
    command: Command, urls: dict[str, str], clock: Clock, setting: str, says: str, state: str
) -> None:
    clock.advance(20)
    [shown] = command("show", urls["one"], "--json", "--set", setting).json
    assert says in shown["freshness"]["says"]
    assert (shown["seconds_left"] is None or shown["seconds_left"] > 0) == (state == "fresh")
    assert setting.partition("=")[0].replace("-", "_") in command("show", urls["one"], "--set", setting).out


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ("expire_after=90", "expire_after", 90),
        ("expire_after=2h", "expire_after", 7200),
        ("expire_after=never", "expire_after", -1),
        ("expire_after=Sun, 06 Nov 1994 08:49:37 GMT", "expire_after", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("stale_if_error=true", "stale_if_error", True),
        ("stale-while-revalidate=1m", "stale_while_revalidate", 60),
        ("heuristic=none", "heuristic", None),
        ("allowed_codes=200, 404", "allowed_codes", [200, 404]),
        ("allowed_codes=200", "allowed_codes", [200]),
        ("allowable_codes=[200]", "allowed_codes", [200]),
        ("ignored_parameters=a,b", "ignored_parameters", ["a", "b"]),
        ("match_headers=yes", "match_headers", True),
        ("match_headers=Accept", "match_headers", ["Accept"]),
        ("namespace=mine", "namespace", "mine"),
        ('urls_expire_after={"*": 5}', "urls_expire_after", {"*": 5}),
    ],
)
def test_how_settings_are_written(clock: Clock, place: str, setting: str, name: str, value: object) -> None:
    given = PlaceOptions(clock=clock)
    CliRunner().invoke(cli, ["show", "http://x/", "--cache", place, "--set", setting], obj=given)
    assert given.settings == {name: value}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        *(("expire_afte=3", "expire_after"), ("shared=maybe", "True or False")),
        *(("key_fn=x", "function"), ("shared", "NAME=VALUE")),
    ],
)
def test_a_wrong_setting_is_told(command: Command, urls: dict[str, str], setting: str, said: str) -> None:
    ran = command("show", urls["one"], "--set", setting)
    assert ran.status == 2
    assert said in ran.err


def test_show_finds_a_url_as_it_is_shown_and_by_its_key(command: Command, urls: dict[str, str]) -> None:
    [shown] = command("show", urls["secret"], "--json").json
    assert "abcdef" not in str(shown)
    assert command("show", shown["url"], "--json").json == [shown]
    assert command("show", shown["key"][:12], "--json").json == [shown]
    assert command("show", urls["secret"], "--entry", "0" * 6).status == 1
    assert command("show", urls["one"], "--method", "HEAD").status == 1
    assert command("show", "nonsense").status == 2


def test_credentials_in_fields_are_shown_on_demand_only(
    command: Command, origin: Origin, place: str, clock: Clock
) -> None:
    url = origin.on("/fields", fresh(x_auth_token="s3cret", location="http://example.org/?api_key=s3cret", etag='"1"'))
    with CachedSession(place, clock=clock) as session:
        session.get(url, allow_redirects=False)
    ran = command("show", url)
    assert "s3cret" not in ran.out
    assert "Location: http://example.org/?api_key=REDACTED" in ran.lines
    assert 'Etag: "1"' in ran.lines
    assert ran.out.count("s3cret") + 2 == command("show", url, "--secrets").out.count("s3cret")


@every_store
@pytest.mark.parametrize("name", ["one", "two", "packed", "big"])
def test_body_gives_the_bytes(command: Command, urls: dict[str, str], name: str) -> None:
    expected = {
        "one": b"first", "two": b"x" * 5000, "packed": b"packed " * 100, "big": bytes(range(256)) * 10_000
    }[name]  # fmt: skip
    assert command("body", urls[name]).raw == expected
    if name == "packed":
        assert gzip.decompress(command("body", urls[name], "--raw").raw) == expected


def test_body_into_a_file(command: Command, urls: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "body"
    assert command("body", urls["two"], "-o", str(file)).status == 0
    assert file.read_bytes() == b"x" * 5000
    again = command("body", urls["two"], "--output", str(file))
    assert (again.status, "is there already" in again.err) == (2, True)
    assert command("body", urls["two"], "-o", str(tmp_path / "no" / "folder")).status == 2
    assert command("body", urls["two"] + "x").status == 1


def test_of_several_the_newest_is_given(command: Command, origin: Origin, place: str, clock: Clock) -> None:
    url = origin.on("/greeting", fresh(b"guten Tag", vary="Accept-Language"), fresh(b"bom dia", vary="Accept-Language"))
    with CachedSession(place, clock=clock) as session:
        session.get(url, headers={"Accept-Language": "de"})
        clock.advance(10)
        session.get(url, headers={"Accept-Language": "pt"})
    ran = command("body", url)
    assert ran.raw == b"bom dia"
    assert "2 are stored" in ran.err
    assert command("show", url).out.count("varies by   accept-language") == 2


def test_nothing_that_a_terminal_obeys_is_printed(command: Command, place: str, clock: Clock) -> None:
    """An unsigned store can be written by anyone: whatever they put there is shown escaped."""
    with CachedSession(place, clock=clock):
        pass
    from sansio_cache import SQLiteStore

    store = SQLiteStore(place)
    store.open(signed=False)
    store.close()
    evil = "http://example.org/\x1b]0;owned\x07\x9b31m\u202eevil"
    with closing(sqlite3.connect(place)) as database, database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(records)")]
        said: dict[str, object] = {
            "url": evil, "method": "G\x1b[2J", "tags": "[]", "body": None, "partition": bytes(32),
            "resource": bytes(32), "variant": bytes(32), "entry": bytes(16), "sealed": b"none of ours",
        }  # fmt: skip
        values = [said.get(name, 0) for name in columns]
        database.execute(f"INSERT INTO records VALUES ({', '.join('?' * len(values))})", values)
    for arguments in (["ls"], ["ls", "--json"], ["ls", "--csv"], ["stats"], ["du"], ["verify"], ["show", "000000"]):
        ran = command(*arguments)
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & {*ran.out, *ran.err}, arguments
        assert "evil" in ran.out or arguments == ["stats"]


def test_rows_of_any_type_are_shown(command: Command, place: str, urls: dict[str, str]) -> None:
    """What lies beside the sealed record may be anything: it can at worst look odd."""
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("UPDATE records SET sealed = x'00', url = x'ff1b', method = 7, status = 'x', size = 1e300")
        database.execute("UPDATE records SET partition = 5, stale_at = 'never', received_at = x'00', tags = '7'")
    for arguments in (["ls"], ["ls", "--json"], ["stats"], ["du"], ["verify"]):
        ran = command(*arguments)
        assert ran.status in (0, 1)
        assert "\x1b" not in ran.out
    assert {row["state"] for row in command("ls", "--json").json} == {"unreadable"}


def test_an_extra_that_is_missing_is_named(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    ran = Command("redis://127.0.0.1", clock)("ls")
    assert ran.status == 2
    assert "pip install 'sansio-cache[redis]'" in ran.err


@every_store
def test_variants_are_told_apart_and_a_body_goes_before_a_head(
    command: Command, origin: Origin, place: str, clock: Clock
) -> None:
    url = origin.on("/hello", lambda seen: fresh((seen.get("accept-language") or "-").encode(), vary="Accept-Language"))
    with CachedSession(place, clock=clock) as session:
        for language in ("de", "it"):
            session.get(url, headers={"Accept-Language": language})
            clock.advance(1)
        session.head(url)
    ran = command("body", url)
    assert (ran.status, ran.out) == (0, "it")
    assert "3 are stored" in ran.err
    shown = command("show", url, "--json").json
    assert [each["method"] for each in shown] == ["GET", "GET", "HEAD"]
    bodies = [command("body", url, "--entry", each["variant"][:12]).out for each in shown]
    assert bodies == ["it", "de", ""]
    assert shown[0]["variant"] in command("show", url).out
