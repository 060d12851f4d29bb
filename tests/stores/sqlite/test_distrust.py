"""G29: what else lies in the file than verified records runs nothing, and costs a miss of its own URL at most."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from sansio_cache.errors import StoreError
from sansio_cache.records import CHUNK_SIZE
from sansio_cache_adapters.stores.protocol import Lease
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.testing import make_item, name, put, stream
from sansio_cache_adapters.testing.opening import seen

pytestmark = pytest.mark.once

NOW = time.time()
Raw = Callable[[], sqlite3.Connection]

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
COSTLY = "length(replace(hex(zeroblob(5000000)), '0', 'xx'))"


def instead(table: str, columns: str) -> str:
    """A view that never ends in the place of a table."""
    return f"""
        ALTER TABLE {table} RENAME TO {table}_before;
        CREATE VIEW {table} AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT {columns} FROM c;
    """


def rewritten(table: str, old: str, new: str) -> str:
    """A table whose definition was changed in its text."""
    return f"""
        PRAGMA writable_schema = ON;
        UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}') WHERE name = '{table}';
        PRAGMA writable_schema = OFF;
    """


PLANTED = {
    "view for removed": instead("removed", "-x AS id, -x AS rev"),
    "view for small": instead("small", "-x AS id, x AS data"),
    "view for marks": instead("marks", "x AS resource, x AS at"),
    "view for leases": instead("leases", "x AS partition, x AS resource, x AS token, x AS until, x AS open"),
    "view for meta": instead("meta", "x AS id, x AS store_id, x AS salt, 0 AS signed, 0 AS counted, 0 AS entries"),
    "view for records": instead("records", "x AS id, x AS partition_64, x AS partition, x AS sealed, x AS body"),
    "view for bodies": instead("bodies", "x AS id, x AS entry, 1 AS state, x AS size, x AS hashes"),
    "trigger on a commit": f"CREATE TRIGGER t BEFORE INSERT ON records BEGIN SELECT ({ENDLESS}); END;",
    "trigger on a lease": f"CREATE TRIGGER t AFTER INSERT ON leases BEGIN SELECT ({ENDLESS}); END;",
    "trigger on a mark": f"CREATE TRIGGER t AFTER INSERT ON marks BEGIN SELECT ({ENDLESS}); END;",
    "trigger on a delete": f"CREATE TRIGGER t BEFORE DELETE ON records BEGIN SELECT ({ENDLESS}); END;",
    "trigger on a use": f"CREATE TRIGGER t BEFORE UPDATE ON records BEGIN SELECT ({ENDLESS}); END;",
    "index on an expression": f"CREATE INDEX i ON records (rev + {COSTLY} * 0);",
    "partial index": f"CREATE INDEX i ON leases (until) WHERE open + {COSTLY} > 5;",
    "index with a collation": rewritten("records_purge_at", "(purge_at)", "(purge_at COLLATE nobody_has_it)"),
    "check": rewritten("leases", "open INTEGER", "open INTEGER CHECK (length(hex(zeroblob(5000000))) > 0)"),
    "generated column": f"ALTER TABLE records ADD COLUMN g AS ({COSTLY}) VIRTUAL;",
    "generated column of that name": f"""
        ALTER TABLE records RENAME COLUMN sealed TO before;
        ALTER TABLE records ADD COLUMN sealed AS (zeroblob({COSTLY})) VIRTUAL;
    """,
    "virtual table": "DROP TABLE small; CREATE VIRTUAL TABLE small USING rtree(id, data, other);",
    "default": "ALTER TABLE records ADD COLUMN d DEFAULT (1);",
}  # fmt: skip


def plant(raw: Raw, script: str) -> None:
    try:
        raw().executescript(script)
    except sqlite3.OperationalError as error:
        if "no such module" not in str(error):
            raise


def spent(call: Callable[[], object]) -> float:
    """Seconds of this thread."""
    began = time.thread_time()
    call()
    return time.thread_time() - began


def is_used_throughout(store: SQLiteStore) -> None:
    """Every verb, without an error."""
    resource_, one = name("resource"), name("one")
    assert len(store.load(one)) <= 1
    assert store.claim(one, resource_, b"t" * 16, now=NOW, until=NOW + 9) is Lease.GRANTED
    put(store, make_item("one", now=NOW), now=NOW)
    store.release(one, b"t" * 16)
    stored = store.load(one)[0]
    assert store.change([seen("one", stored.rev)], make_item("one", now=NOW + 1))
    store.touch(one, stored.entry, now=NOW + 100)
    assert store.flush(1.0)
    assert [each.partition for each in store.listed()] == [one]
    store.sweep(now=NOW)
    assert store.drop(resource_, now=NOW - 700) == 1
    store.open(signed=True)


@pytest.mark.parametrize("already_open", [False, True], ids=["before it is opened", "while it is open"])
@pytest.mark.parametrize("what", PLANTED)
def test_what_was_planted_never_runs(
    opened: Callable[..., SQLiteStore], raw: Raw, path: Path, what: str, already_open: bool
) -> None:
    """G29: the schema is not ours any more, so that the file is set aside and a new one begun."""
    store = opened()
    put(store, make_item("one", now=NOW), now=NOW)
    assert len(store.load_nowait(name("one")) or ()) == 1
    if not already_open:
        store.close()
    plant(raw, PLANTED[what])
    began = time.monotonic()
    is_used_throughout(store)
    assert time.monotonic() - began < 10
    # What does not change the number of the schema those who have read it do not see.
    unseen = already_open and "writable_schema" in PLANTED[what]
    assert len(list(path.parent.glob("*.corrupt-?"))) == (0 if unseen else 1)


def test_a_read_that_must_not_wait_runs_nothing_either(store: SQLiteStore, raw: Raw) -> None:
    """G22: what was prepared before is not prepared again by itself."""
    put(store, make_item("one", now=NOW), now=NOW)
    assert len(store.load_nowait(name("one")) or ()) == 1
    raw().executescript(PLANTED["view for removed"])
    began = time.monotonic()
    assert store.load_nowait(name("one")) is None
    assert time.monotonic() - began < 5


def test_what_a_person_adds_for_themselves_stays(store: SQLiteStore, raw: Raw, path: Path) -> None:
    """A view, and a table that is none of ours: nothing of ours meets them, and the file is as good as before."""
    put(store, make_item("one", now=NOW), now=NOW)
    raw().executescript(
        "CREATE VIEW mine AS SELECT url FROM responses; CREATE TABLE notes (text); DROP VIEW responses;"
    )
    assert len(store.load(name("one"))) == 1
    assert len(store.load_nowait(name("one")) or ()) == 1
    put(store, make_item("two", now=NOW), now=NOW)
    store.close()
    assert len(store.load(name("one"))) == 1
    assert [each.name for each in path.parent.glob("*.corrupt-*")] == []


def test_others_can_read_the_view(store: SQLiteStore, raw: Raw) -> None:
    """For people, and their tools."""
    put(store, make_item("one", now=NOW), now=NOW)
    assert raw().execute("SELECT status FROM responses").fetchall() == [(200,)]


def test_many_rows_of_one_partition_break_a_read_off(store: SQLiteStore, raw: Raw) -> None:
    """G22, G28: they hold up neither a loop nor, for long, anybody else."""
    put(store, make_item("one", now=NOW), now=NOW)
    columns = ", ".join(
        f"{each[1]} + 1" if each[1] == "rev" else "x'00'" if each[1] == "partition" else each[1]
        for each in raw().execute("PRAGMA table_info(records)")
        if each[1] != "id"
    )
    names = ", ".join(each[1] for each in raw().execute("PRAGMA table_info(records)") if each[1] != "id")
    for _ in range(17):
        raw().execute(f"INSERT INTO records ({names}) SELECT {columns} FROM records")
    plain = raw()
    assert store.load_nowait(name("one")) is None
    whole = min(spent(lambda: plain.execute("SELECT sealed FROM records WHERE rev").fetchall()) for _ in range(3))
    broken_off = min(spent(lambda: store.load_nowait(name("one"))) for _ in range(5))
    assert broken_off < whole / 4
    assert len(store.load(name("one"))) == 1


# What is larger than any of ours

LARGE = [
    *("records.sealed", "records.body", "records.entry", "records.variant", "records.url", "records.tags"),
    *("bodies.hashes", "chunks.data", "small.data", "leases.token", "leases.resource", "meta.salt", "marks.at"),
]


@pytest.mark.parametrize("column", LARGE)
def test_a_value_larger_than_ours_is_not_read(opened: Callable[..., SQLiteStore], raw: Raw, column: str) -> None:
    """G28, G29: not even once; every verb goes on, and another URL's record stays."""
    store = opened()
    for each in ("one", "two"):
        put(store, make_item(each, b"x" * 20_000, resource=each, now=NOW), now=NOW)
    large = make_item("large", b"x" * (2 * CHUNK_SIZE), resource="large", now=NOW)
    put(store, stream(store, large), now=NOW)
    store.claim(name("one"), name("one"), b"o" * 16, now=NOW, until=NOW + 9)
    store.drop(name("nothing"), now=NOW)
    table, _, only = column.partition(".")
    value = "CAST(zeroblob(40000000) AS TEXT)" if only in ("url", "tags") else "zeroblob(40000000)"
    where = {"records": "url LIKE '%one'", "chunks": "id & 1", "small": "id = 1"}.get(table, "1")
    raw().execute(f"UPDATE {table} SET {only} = {value} WHERE {where}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    store.load(name("one"))
    store.load_nowait(name("one"))
    for each in store.load(name("large")):
        with suppress(StoreError):
            assert len(store.hashes(each.entry)) == 64
        with suppress(StoreError):
            assert len(store.chunk(each.entry, 1)) == CHUNK_SIZE
        store.change([seen("large", each.rev)], None)
    assert store.claim(name("one"), name("one"), b"t" * 16, now=NOW, until=NOW + 9) in Lease
    # What was requested before the marks had to go is not kept.
    store.commit(make_item("one", now=NOW), vary_limit=32, now=NOW)
    later = time.time() + 1
    put(store, make_item("one", now=later), now=later)
    put(store, make_item("three", now=later), now=later)
    assert {each.partition for each in store.listed()} >= {name("three")}
    assert store.sweep(now=NOW) >= 0
    assert store.flush(1.0)
    if table != "meta":
        assert len(store.load(name("two"))) == 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 20_000


def without_end(connection: sqlite3.Connection) -> None:
    """Twenty thousand tables; to create each of them would take SQLite as long as all tests of this folder take."""
    connection.execute("CREATE TABLE t (a, b, c, d, e, f, g)")
    (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 't'").fetchone()
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO sqlite_master VALUES ('table', :t, :t, :root, 'CREATE TABLE ' || :t || ' (a, b, c, d, e, f, g)')",
        ({"t": f"t{number}", "root": root} for number in range(20_000)),
    )
    connection.execute("COMMIT")


@pytest.mark.parametrize("already_open", [False, True], ids=["before it is opened", "while it is open"])
def test_a_schema_without_end_is_not_read_to_it(
    opened: Callable[..., SQLiteStore], raw: Raw, path: Path, already_open: bool
) -> None:
    """G22, G28: SQLite reads all of it to prepare anything; such a file is set aside."""
    store = opened()
    put(store, make_item("one", now=NOW), now=NOW)
    store.load_nowait(name("one"))
    if not already_open:
        store.close()
    beside = path.with_name("beside.sqlite")
    with closing(sqlite3.connect(beside, isolation_level=None)) as plain:
        without_end(plain)
    whole = min(
        spent(lambda: sqlite3.connect(beside).execute("SELECT count(*) FROM t").connection.close()) for _ in range(3)
    )
    without_end(raw())
    found: list[object] = []
    broken_off = spent(lambda: found.append(store.load_nowait(name("one"))))
    assert found in ([None], [[]])  # it may have been set aside by itself in the meantime
    assert broken_off < whole / 2
    began = time.monotonic()
    is_used_throughout(store)
    assert time.monotonic() - began < 20
    assert path.with_name("cache.sqlite.corrupt-1").exists()
