"""G29: a foreign value in the place of one URL's record costs that URL a miss, and other URLs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attacker import Attacker
from local_origin import Origin, fresh

pytestmark = pytest.mark.once

LARGE = 3_000_000
VALUES = {
    "text": "'text'",
    "blob": "x'00ff'",
    "integer": "-5",
    "real": "1e300",
    "infinity": "9e999",
    "long text": f"CAST(zeroblob({LARGE}) AS TEXT)",
    "long blob": f"zeroblob({LARGE})",
}
COLUMNS = [
    *("rev", "status", "method", "url", "tags", "size", "weight", "requested_at", "received_at", "stale_at"),
    *("purge_at", "used_at", "entry", "partition", "resource", "variant", "small_id", "body_id", "sealed", "body"),
    *("partition_64", "resource_64"),
]


INDEXED = ("purge_at", "used_at", "partition_64", "resource_64", "state", "entry")
"""What SQLite must read to take a row out: where that is too long the file is set aside, with all that is in it."""


class Case:
    """A session, and how often it had to fetch the good URL anew."""

    def __init__(self, sessions: Any, **settings: Any) -> None:
        self.told: list[str] = []
        self.missed = 0
        self.session = sessions(
            on_event=lambda event: self.told.append(event.kind), on_bad_signature="miss", **settings
        )

    def get(self, url: str, size: int) -> bool:
        response = self.session.get(url)
        assert len(response.content) == size
        return bool(response.from_cache)

    def use(self, good: str, others: dict[str, int]) -> None:
        for _ in range(3):
            for url, size in others.items():
                self.get(url, size)
            self.missed += not self.get(good, 4)
        self.session.post(next(iter(others)))
        store = self.session.cache.store
        store.sweep(now=0.0)
        assert store.flush(30)
        self.missed += not self.get(good, 4)
        assert good in self.session.cache.urls()
        assert "store-trouble" not in self.told


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("column", COLUMNS)
def test_a_strange_value_in_a_row(sessions: Any, cache_file: Path, origin: Origin, column: str, value: str) -> None:
    """G29: of each storage class, and longer than any of ours, in each column."""
    bad, good = origin.on("/bad", fresh(b"bad")), origin.on("/good", fresh(b"good", 10_000))
    case = Case(sessions)
    case.get(bad, 3)
    case.get(good, 4)
    Attacker(cache_file).run(f"UPDATE records SET {column} = {VALUES[value]} WHERE url LIKE '%/bad'")
    case.use(good, {bad: 3})
    assert case.missed <= (column in INDEXED and "long" in value)


OF_BAD = "FROM records WHERE url LIKE '%/bad'"
OTHERS = {
    "token of a lease": f"INSERT OR REPLACE INTO leases SELECT partition, resource, {{value}}, 9e12, 0 {OF_BAD}",
    "end of a lease": f"INSERT OR REPLACE INTO leases SELECT partition, resource, x'00', {{value}}, 0 {OF_BAD}",
    "openness of a lease": f"INSERT OR REPLACE INTO leases SELECT partition, resource, x'00', 9e12, {{value}} {OF_BAD}",
    "mark": f"INSERT OR REPLACE INTO marks SELECT resource, {{value}} {OF_BAD}",
    "hashes": "UPDATE bodies SET hashes = {value}",
    "size": "UPDATE bodies SET size = {value}",
    "state": "UPDATE bodies SET state = {value}",
    "time": "UPDATE bodies SET at = {value}",
    "entry": "UPDATE bodies SET entry = {value} WHERE id = (SELECT max(id) FROM bodies)",
    "chunk": "UPDATE chunks SET data = {value}",
    "small body": "UPDATE small SET data = {value}",
    "removed": f"INSERT OR REPLACE INTO removed SELECT id, {{value}} {OF_BAD}",
}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("what", OTHERS)
def test_a_strange_value_beside_a_row(sessions: Any, cache_file: Path, origin: Origin, what: str, value: str) -> None:
    """G29: in leases, marks, and bodies that lie elsewhere."""
    bad, good = origin.on("/bad", fresh(bytes(20_000))), origin.on("/good", fresh(b"good", 10_000))
    large = origin.on("/large", fresh(bytes(100_000)))
    case = Case(sessions, wait_for_leader=0.2)
    for url, size in ((bad, 20_000), (large, 100_000), (good, 4)):
        case.get(url, size)
    Attacker(cache_file).run(OTHERS[what].format(value=VALUES[value]))
    case.use(good, {bad: 20_000, large: 100_000})
    assert case.missed <= (what in INDEXED and "long" in value)


@pytest.mark.parametrize("column", ["store_id", "salt", "signed"])
def test_a_value_of_the_meta_record_that_is_too_large_to_be_read(
    sessions: Any, cache_file: Path, origin: Origin, column: str
) -> None:
    """G20, G29: the file is set aside, like any that is broken, and a new one serves."""
    url = origin.on("/a", fresh(b"good"))
    with sessions() as session:
        session.get(url)
    Attacker(cache_file).run(f"UPDATE meta SET {column} = CAST(zeroblob(50000000) AS TEXT)")
    session = sessions()
    assert not session.get(url).from_cache
    assert session.get(url).from_cache


def test_a_total_of_another_type_counts_for_nothing(sessions: Any, cache_file: Path, origin: Origin) -> None:
    """G29: deleting and dropping go on."""
    urls = [origin.on(path, fresh(b"x")) for path in ("/a", "/b")]
    for column in ("meta SET counted", "meta SET entries", "meta SET bytes", "records SET weight"):
        with sessions() as session:
            for url in urls:
                session.get(url)
        Attacker(cache_file).run(f"UPDATE {column} = 'text'")
        with sessions() as session:
            session.cache.delete(urls=urls[:1])
            session.post(urls[1])
            assert not any(session.get(url).from_cache for url in urls)
            session.cache.delete(expired=True)
