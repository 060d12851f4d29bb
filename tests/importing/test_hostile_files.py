"""Files and folders in which anybody may have put anything: the rest is imported, and nothing is changed (G1, G29)."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from sansio_cache import CachedSession, SettingError, StoreError, import_cache

BASE = "http://made-up.example"
TABLE = "CREATE TABLE responses (key TEXT PRIMARY KEY, value BLOB, expires INTEGER)"


def entry(path: str = "/a", **changes: Any) -> dict[str, Any]:
    """An entry as requests-cache has it."""
    whole = {
        "created_at": "2024-05-06T07:08:09+00:00",
        "expires": "2094-05-06T07:08:09+00:00",
        "elapsed": 0.25,
        "headers": {"Content-Type": "text/plain", "Content-Length": "5"},
        "_content": b"hello",
        "reason": "OK",
        "status_code": 200,
        "url": BASE + path,
        "request": {"method": "GET", "url": BASE + path, "headers": {"Accept": "*/*"}},
    }
    return {**whole, **changes}


def request(**changes: Any) -> dict[str, Any]:
    """The same with another request."""
    return entry(request={**entry()["request"], **changes})


def made(path: Path, *values: object, table: str = TABLE) -> Path:
    """A SQLite file with these values."""
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(table)
        for number, value in enumerate(values):
            file.execute("INSERT INTO responses (key, value) VALUES (?, ?)", (f"{number}", value))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in sorted(folder.iterdir()) if each.is_file()}


HARMLESS = entry("/a")
DAMAGED: list[dict[str, Any]] = [
    entry(status_code="200"),
    entry(status_code=None),
    entry(headers=[("a", "b")]),
    entry(headers={"X": "a\r\nSet-Cookie: b"}),
    entry(headers={"X\r\nY": "a"}),
    entry(headers={"X": "\u96ea"}),
    entry(headers={"X": None}),
    entry(headers={7: "x"}),
    entry(reason="OK\r\nX: y"),
    entry(reason=7),
    entry(created_at=None),
    entry(created_at="yesterday"),
    entry(created_at="9999-12-31T23:59:59-23:59"),
    entry(created_at=1.0),
    entry(expires="0001-01-01T00:00:00+14:00"),
    entry(expires=[]),
    entry(history={"a": 1}),
    entry(history=[7]),
    entry(history=[{"status_code": 302}]),
    entry(_content=7),
    entry(_content="a b"),
    entry(request=None),
    request(method=None),
    request(method=""),
    request(url=None),
    request(url=b"http://a/"),
    request(headers=7),
    request(body=7),
]
OTHERS: list[tuple[dict[str, Any], str]] = [
    (entry(status_code=304), "status"),
    (entry(status_code=99), "status"),
    (entry(status_code=10**9), "status"),
    (entry(headers={"Vary": "*"}), "vary"),
    (entry(headers={"Content-Length": "99"}), "incomplete"),
    (entry(headers={"Content-Length": "2"}), "incomplete"),
    (entry(headers={f"X-{number}": "a" for number in range(2000)}), "too-large"),
    (entry(headers={"X": "a" * 70_000}), "too-large"),
    (entry(history=[HARMLESS] * 100), "too-large"),
    (request(method="BREW"), "method"),
    (request(headers={"Cache-Control": "no-store"}), "request-no-store"),
    (request(url="file:///etc/passwd"), "not-http"),
    (request(url="//nowhere/a"), "not-http"),
    (request(url=""), "not-http"),
    (request(url="http:///a"), "not-http"),
    (request(url=f"{BASE}/{'a' * 70_000}"), "too-large"),
    (request(url=f"{BASE}/?token=REDACTED&a=1"), "redacted"),
    (request(headers={"Authorization": "REDACTED"}), "redacted"),
    (request(method="POST", body=b"a=1&password=REDACTED"), "redacted"),
    (request(method="POST", body=b'{"password": "REDACTED"}'), "redacted"),
]


@pytest.mark.parametrize("number", range(len(DAMAGED)))
def test_what_is_no_entry_is_damaged(number: int, tmp_path: Path) -> None:
    source = made(tmp_path / "old.sqlite", pickle.dumps(DAMAGED[number]), pickle.dumps(HARMLESS))
    report = import_cache(source, tmp_path / "new.sqlite")
    assert (report.imported, report.skipped) == (1, {"damaged": 1})


@pytest.mark.parametrize("number", range(len(OTHERS)))
def test_what_cannot_be_imported_is_counted_by_reason(number: int, tmp_path: Path) -> None:
    value, reason = OTHERS[number]
    source = made(tmp_path / "old.sqlite", pickle.dumps(value), pickle.dumps(HARMLESS))
    report = import_cache(source, tmp_path / "new.sqlite")
    assert (report.imported, report.skipped) == (1, {reason: 1})


def test_any_order_of_parameters(tmp_path: Path) -> None:
    value = request(url=f"{BASE}/?a=1&b=2")
    source = made(tmp_path / "old.sqlite", pickle.dumps(value))
    import_cache(source, tmp_path / "new.sqlite", parameter_order=False)
    with CachedSession(tmp_path / "new.sqlite", offline=True, parameter_order=False) as session:
        assert session.get(f"{BASE}/?b=2&a=1").text == "hello"


def test_what_was_redacted_is_found_where_its_name_is_ignored(tmp_path: Path) -> None:
    value = request(url=f"{BASE}/?a=1&token=REDACTED")
    report = import_cache(
        made(tmp_path / "old.sqlite", pickle.dumps(value)), tmp_path / "new.sqlite", ignored_parameters=["token"]
    )
    assert report.imported == 1
    with CachedSession(tmp_path / "new.sqlite", offline=True, ignored_parameters=["token"]) as session:
        assert session.get(f"{BASE}/?a=1&token=mine").text == "hello"


def test_a_list_that_is_in_others_a_thousand_times_is_not_written_out(tmp_path: Path) -> None:
    inner: Any = ["x"]
    for _ in range(60):
        inner = [inner, inner]
    looping: list[Any] = []
    looping.append(looping)
    values = [entry(headers={"Content-Type": "application/json"}, _decoded_content=each) for each in (inner, looping)]
    began = time.monotonic()
    source = made(tmp_path / "old.sqlite", *map(pickle.dumps, values))
    report = import_cache(source, tmp_path / "new.sqlite")
    assert report.skipped == {"too-large": 2}
    assert time.monotonic() - began < 10


def test_credentials_stay_apart(tmp_path: Path) -> None:
    """G10: what one user got is not another's."""
    value = request(headers={"Authorization": "Bearer of mine"})
    import_cache(made(tmp_path / "old.sqlite", pickle.dumps(value)), tmp_path / "new.sqlite")
    with CachedSession(tmp_path / "new.sqlite") as session:
        assert session.cache.contains(f"{BASE}/a", headers={"Authorization": "Bearer of mine"})
        assert not session.cache.contains(f"{BASE}/a", headers={"Authorization": "Bearer of theirs"})
        assert not session.cache.contains(f"{BASE}/a")


def test_a_cookie_is_not_imported(tmp_path: Path) -> None:
    """G13."""
    value = entry(headers={"Set-Cookie": "session=mine"})
    import_cache(made(tmp_path / "old.sqlite", pickle.dumps(value)), tmp_path / "new.sqlite")
    with CachedSession(tmp_path / "new.sqlite", offline=True) as session:
        assert "Set-Cookie" not in session.get(f"{BASE}/a").headers


# SQLite files


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE VIEW responses AS WITH RECURSIVE c(key) AS (SELECT 1 UNION ALL SELECT key FROM c) SELECT * FROM c",
        "CREATE TABLE responses (key, value GENERATED ALWAYS AS (zeroblob(100000000)), expires)",
        "CREATE TABLE responses (key, value, expires AS (zeroblob(100000000)) STORED)",
        "CREATE VIRTUAL TABLE responses USING fts5(key, value, expires)",
        "CREATE TABLE responses (key PRIMARY KEY, value, expires) WITHOUT ROWID",
        "CREATE TABLE responses (rowid, key, value)",
        "CREATE TABLE others (key, value, expires)",
    ],
)
def test_a_program_in_the_place_of_the_table_is_refused(schema: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.sqlite")) as file, file:
        file.execute(schema)
    before = contents(tmp_path)
    with pytest.raises(SettingError, match="no cache of requests-cache or"):
        import_cache(tmp_path / "old.sqlite", tmp_path / "new.sqlite")
    assert contents(tmp_path) == before


def test_what_lies_beside_the_table_does_not_run(tmp_path: Path) -> None:
    source = made(tmp_path / "old.sqlite", pickle.dumps(HARMLESS))
    with closing(sqlite3.connect(source)) as file, file:
        file.execute("CREATE VIEW v AS SELECT randomblob(1000000000)")
        file.execute("CREATE TRIGGER t AFTER INSERT ON responses BEGIN DELETE FROM responses; END")
        file.execute("CREATE INDEX i ON responses (length(value))")
    report = import_cache(source, tmp_path / "new.sqlite")
    assert (report.imported, report.skipped) == (1, {})


@pytest.mark.once
def test_values_of_any_kind_and_size(tmp_path: Path) -> None:
    large = made(tmp_path / "old.sqlite", pickle.dumps(HARMLESS), None, 7, 1.5, "text", b"", b"\x80" * 9)
    with closing(sqlite3.connect(large)) as file, file:
        file.execute("INSERT INTO responses VALUES ('z', zeroblob(300000000), NULL)")
        file.execute("INSERT INTO responses VALUES ('e', CAST(zeroblob(300000000) AS TEXT), NULL)")
    report = import_cache(large, tmp_path / "new.sqlite")
    assert (report.imported, report.skipped) == (1, {"damaged": 6, "too-large": 2})


def test_a_damaged_file_gives_what_can_be_read(tmp_path: Path) -> None:
    values = [pickle.dumps(entry(f"/{number}", _content=b"x" * 900, headers={})) for number in range(500)]
    source = made(tmp_path / "old.sqlite", *values)
    whole = bytearray(source.read_bytes())
    middle = len(whole) // 2 // 4096 * 4096
    whole[middle : middle + 20 * 4096] = b"\xff" * 20 * 4096
    source.write_bytes(whole)
    report = import_cache(source, tmp_path / "new.sqlite")
    assert report.imported > 200
    assert report.skipped["damaged"] >= 1
    source.write_bytes(whole[:4096])
    with pytest.raises((StoreError, SettingError)):
        import_cache(source, tmp_path / "other.sqlite")


def test_a_file_in_use_is_read_with_its_log_and_left_as_it_is(tmp_path: Path) -> None:
    source = made(tmp_path / "old.sqlite", pickle.dumps(HARMLESS))
    with closing(sqlite3.connect(source)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO responses VALUES ('k', ?, NULL)", (pickle.dumps(entry("/late")),))
        writer.commit()
        report = import_cache(source, tmp_path / "new.sqlite")
    assert report.imported == 2


def test_a_journal_that_names_a_file_to_delete_is_not_followed(tmp_path: Path) -> None:
    source = made(tmp_path / "old.sqlite", pickle.dumps(HARMLESS))
    (tmp_path / "old.sqlite-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(504))
    before = contents(tmp_path)
    with suppress(StoreError):
        import_cache(source, tmp_path / "elsewhere" / "new.sqlite")
    assert {name: data for name, data in contents(tmp_path).items() if "old" in name} == before


# Folders


def folder_of(path: Path, *values: dict[str, Any]) -> Path:
    """A folder of requests-cache with these entries."""
    path.mkdir()
    for number, value in enumerate(values):
        text = {**value, "_content": "aGVsbG8="}
        (path / f"{number:016x}.json").write_text(json.dumps(text))
    return path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes in folders")
def test_links_pipes_and_folders_are_not_read(tmp_path: Path) -> None:
    outside = folder_of(tmp_path / "outside", entry("/secret"))
    source = folder_of(tmp_path / "old", HARMLESS)
    (source / "link.json").symlink_to(outside / f"{0:016x}.json")
    (source / "nowhere.json").symlink_to(tmp_path / "nowhere")
    (source / "zero.json").symlink_to("/dev/zero")
    (source / "linked").symlink_to(outside)
    (source / "inner").mkdir()
    os.mkfifo(source / "pipe.json")
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(import_cache(source, tmp_path / "new.sqlite")), daemon=True)
    thread.start()
    thread.join(30)
    (report,) = found
    assert (report.imported, report.skipped) == (1, {"no-file": 5})


def test_what_the_others_keep_beside_the_entries_is_left_out(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "old", HARMLESS, entry("/b"))
    for name in ("redirects.sqlite", "redirects.sqlite-wal", "lru.db", "a.lock", ".hidden"):
        (source / name).write_bytes(b"not an entry")
    report = import_cache(source, tmp_path / "new.sqlite")
    assert (report.imported, report.skipped) == (2, {})


def test_garbage_in_a_folder(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "old", HARMLESS)
    (source / "a.json").write_bytes(os.urandom(5000))
    (source / "b.pkl").write_bytes(b"\x80\x04cos\nsystem\n\x8c\x04true\x85R.")
    (source / "c.yaml").write_text("!!python/object/apply:os.system ['true']")
    (source / "d.json").write_text("{}")
    (source / "e").write_text("")
    with open(source / "f.json", "wb") as file:
        file.truncate(2**34)
    report = import_cache(source, tmp_path / "new.sqlite")
    assert report.imported == 1
    assert report.total == 7
    assert report.skipped["too-large"] == 1
    assert report.skipped["not-data"] + report.skipped.get("needs-library", 0) >= 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "diskcache"}, "kind takes one of"),
        ({"key": ""}, "an empty one"),
        ({"key": []}, "key takes"),
        ({"key": ["a", ""]}, "an empty one"),
        ({"key": 7}, "key takes"),
        ({"expire_after": 5}, "settings that shape keys"),
        ({"secret_key": ""}, "secret_key"),
    ],
)
def test_options_say_what_they_take(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    source = made(tmp_path / "old.sqlite", pickle.dumps(HARMLESS))
    with pytest.raises(SettingError, match=said):
        import_cache(source, tmp_path / "new.sqlite", **options)
    assert not (tmp_path / "new.sqlite").exists()


def test_a_place_without_a_cache(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no cache")
    (tmp_path / "empty").mkdir()
    with CachedSession(tmp_path / "ours.sqlite") as session:
        session.cache.clear()
    for name, said in [
        ("none", "there is no cache at"),
        ("text", "neither a folder nor a SQLite file"),
        ("empty", "has no entries of"),
        ("ours.sqlite", "a cache of sansio-cache"),
    ]:
        with pytest.raises(SettingError, match=said):
            import_cache(tmp_path / name, tmp_path / "new.sqlite")
    for source in ("redis://127.0.0.1", "http://made-up.example/cache.sqlite", 7, None):
        with pytest.raises(SettingError, match="source takes"):
            import_cache(source, tmp_path / "new.sqlite")  # type: ignore[arg-type]
    assert not (tmp_path / "new.sqlite").exists()


ODD: list[Any] = [
    *(None, 0, -1, 2**70, 1.5, float("nan"), float("inf"), True, "", "x", "\ud800", "é", "雪", "a\r\nb", "9" * 5000),
    *(b"", b"\xff", [], [1], {}, {"a": 1}, {"a": [1]}, {1: 2}, {"": ""}, (), ((1, 2),), ((b"a", b"b"),), 99, 206, 304),
    *("0001-01-01T00:00:00", "9999-12-31T23:59:59.999999-23:59", "http://[::1", "http://a:b@c:99999999/"),
    *(
        "http://\x00/",
        "http://a.example/%zz?%",
        "https://a.example" + "/a" * 40_000,
        "GET\r\n",
        "get",
        "HTTP://A.EXAMPLE",
    ),
]


def test_nothing_odd_in_any_place_ends_an_import(tmp_path: Path) -> None:
    values = [entry(**{name: odd}) for name in [*entry(), "history", "_decoded_content"] for odd in ODD]
    values += [request(**{name: odd}) for name in ("method", "url", "headers", "body") for odd in ODD]
    values += [entry(headers={"Content-Type": "application/json"}, _decoded_content=odd) for odd in ODD]
    values += [
        entry(headers={name: odd}) for name in ("Date", "Vary", "Age", "Content-Encoding", "ETag") for odd in ODD
    ]
    source = made(tmp_path / "old.sqlite", *map(pickle.dumps, values))
    report = import_cache(source, tmp_path / "new.sqlite")
    assert report.total == len(values)
    assert report.imported > 20
    with CachedSession(tmp_path / "new.sqlite", offline=True) as session:
        assert not session.cache.verify().flaws
        assert session.get(f"{BASE}/a").status_code == 200
