"""What a commit or a confirmation does in one statement is what it does in several."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from sansio_cache import SQLiteStore
from sansio_cache.testing import make_item, name
from sansio_cache_adapters.stores.protocol import Seen
from sansio_cache_adapters.stores.sqlite.guarded import Guarded

NOW = time.time()
Raw = Callable[[], sqlite3.Connection]


def commit(
    store: SQLiteStore, partition: str = "one", body: bytes = b"body", *, variant: str = "v", vary_limit: int = 32
) -> bool:
    item = make_item(partition, body, now=NOW, resource="r", variant=variant)
    return store.commit(item, vary_limit=vary_limit, now=NOW + 1)


def remove(store: SQLiteStore, partition: str) -> int:
    return store.change([each for each in store.listed() if each.partition == name(partition)], None)


def freshen(store: SQLiteStore, sealed: bytes, *, rev: int | None = None) -> int:
    """Confirm the record that a commit has made, under the rev that it has or another one."""
    [there] = store.load(name("one")) or [None]
    seen = Seen(name("one"), name("v"), (0 if there is None else there.rev) if rev is None else rev)
    return store.change([seen], replace(make_item("one", now=NOW + 5, resource="r", variant="v"), sealed=sealed))


LIKE = b"S" * len(make_item("one", now=NOW, variant="v").sealed)
SITUATIONS: dict[str, Callable[[SQLiteStore], list[object]]] = {
    "the first": lambda store: [commit(store)],
    "another partition": lambda store: [commit(store), commit(store, "two")],
    "another variant": lambda store: [commit(store), commit(store, variant="w")],
    "one variant too many": lambda store: [commit(store), commit(store, variant="w", vary_limit=1)],
    "the same variant": lambda store: [commit(store), commit(store, body=b"another")],
    "one that was removed": lambda store: [commit(store), remove(store, "one"), commit(store)],
    "dropped since": lambda store: [store.drop(name("r"), now=NOW), commit(store)],
    "dropped before": lambda store: [store.drop(name("r"), now=NOW - 1), commit(store)],
    "larger than the row": lambda store: [commit(store, body=bytes(3000))],
    "in chunks": lambda store: [commit(store, body=bytes(100_000))],
    "heavier than the store": lambda store: [commit(store, body=bytes(2_000_000))],
    "confirmed": lambda store: [commit(store), freshen(store, LIKE)],
    "confirmed, and longer": lambda store: [commit(store), freshen(store, LIKE + b"more")],
    "confirmed in chunks": lambda store: [commit(store, body=bytes(100_000)), freshen(store, LIKE)],
    "confirmed another": lambda store: [commit(store), freshen(store, LIKE, rev=1)],
    "confirmed what is gone": lambda store: [commit(store), remove(store, "one"), freshen(store, LIKE)],
}


@pytest.fixture
def in_several(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Has nothing done in one statement from now on."""
    return lambda: monkeypatch.setattr(Guarded, "at_once", lambda *_: None)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_both_ways_lead_to_the_same_rows(tmp_path: Path, in_several: Callable[[], None], situation: str) -> None:
    def outcome(path: Path) -> tuple[list[object], list[tuple[object, ...]]]:
        store = SQLiteStore(path, max_bytes=1_000_000)
        try:
            store.open(signed=False)
            # From then on the statements are prepared.
            assert [commit(store, "before"), remove(store, "before"), commit(store, "other")]
            said = SITUATIONS[situation](store)
            size = store.size()
        finally:
            store.close()
        with closing(sqlite3.connect(path)) as raw:
            raw.row_factory = sqlite3.Row
            there = [dict(row) for row in raw.execute("SELECT * FROM records ORDER BY id")]
        assert len({each["rev"] for each in there}) == len(there) == len({each["entry"] for each in there})
        assert all(len(each["entry"]) == 16 and each["rev"] >= 0 for each in there)
        return [*said, size], [tuple(each[key] for key in each if key not in ("rev", "entry")) for each in there]

    at_once = outcome(tmp_path / "at once.sqlite")
    in_several()
    assert outcome(tmp_path / "in several.sqlite") == at_once


@contextmanager
def statements(store: SQLiteStore) -> Iterator[list[str]]:
    """The verbs of the statements that write meanwhile."""
    writer = store._connections._writer
    assert writer is not None
    said: list[str] = []
    writer.set_trace_callback(lambda text: said.append(text.split()[0]))
    try:
        yield said
    finally:
        writer.set_trace_callback(None)


def test_a_second_commit_and_a_second_confirmation_are_one_statement_each(store: SQLiteStore, raw: Raw) -> None:
    """Also once another program has added a table of its own, with which the schema is compared anew."""
    for round_ in ("one", "table"):
        if round_ == "table":
            raw().execute("CREATE TABLE notes (text)")
        assert commit(store, f"{round_} to prepare")
        store.drop(name("r"), now=NOW - 1000)
        store.sweep(now=NOW)
        assert commit(store)
        assert freshen(store, LIKE) == 1
        with statements(store) as said:
            assert commit(store, f"{round_} of many")
            assert freshen(store, LIKE) == 1
        assert said == ["INSERT", "UPDATE"]
        assert remove(store, "one")
        store.sweep(now=NOW)


def test_another_who_writes_is_waited_for(store: SQLiteStore, raw: Raw) -> None:
    """The one statement never waits; what takes its place does."""
    assert commit(store, "to prepare")
    other = raw()
    other.execute("BEGIN IMMEDIATE")
    original = Guarded._begin_when_free

    def ending(self: Guarded, error: sqlite3.OperationalError, deadline: float) -> None:
        other.execute("ROLLBACK")
        original(self, error, deadline)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Guarded, "_begin_when_free", ending)
        assert commit(store)
    assert len(store.load(name("one"))) == 1
