"""G3: what lies outside the signed record can at worst cause a miss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from attacker import Attacker
from clock import Clock
from local_origin import Origin, fresh

BODY = b"what the origin said"
COLUMNS = [
    *("partition_64", "resource_64", "rev", "status", "method", "url", "tags", "size", "weight", "requested_at"),
    *(
        "received_at",
        "stale_at",
        "purge_at",
        "used_at",
        "entry",
        "partition",
        "resource",
        "variant",
        "small_id",
        "body_id",
    ),
]
VALUES = [0, -1, 2**62, -math.inf, math.inf, "text", "é" * 10_000, b"", b"\xff" * 32, 304, "POST", "http://evil.test/"]


def test_every_other_column_is_named_here(sessions: Any, cache_file: Path, origin: Origin) -> None:
    """G3: a new column must be tried too."""
    sessions().get(origin.on("/a", fresh(BODY)))
    assert {*Attacker(cache_file).columns()} == {"id", "sealed", "body", *COLUMNS}


@pytest.mark.once
@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_decides_nothing(sessions: Any, cache_file: Path, origin: Origin, column: str) -> None:
    """G3: whatever is written into it, the answer is what the origin said, from the store or from the network."""
    url = origin.on("/a", fresh(BODY, etag='"1"'))
    session = sessions()
    session.get(url)
    attacker = Attacker(cache_file)
    row = attacker.row("/a")
    for value in VALUES:
        attacker.run("DELETE FROM records")
        attacker.plant(row | {column: value})
        for _ in range(2):
            response = session.get(url)
            assert (response.status_code, response.content, response.url) == (200, BODY, url)
            assert response.request.method == "GET"
            assert int(response.headers.get("Age", "0")) < 60
        session.post(url)
        assert session.cache.urls() in ([], [url])
        session.get(url)


@pytest.mark.parametrize("column", ["stale_at", "received_at", "requested_at", "purge_at", "used_at"])
def test_a_stale_record_is_not_revived(
    sessions: Any, cache_file: Path, clock: Clock, origin: Origin, column: str
) -> None:
    """G3: by no date outside the signature."""
    url = origin.on("/a", lambda _: fresh(str(origin.count()).encode(), 10))
    session = sessions(clock=clock)
    session.get(url)
    Attacker(cache_file).put("/a", **{column: clock() + 10**6})
    clock.advance(11)
    assert session.get(url).content == b"2"


@pytest.mark.once
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE meta SET store_id = x'00'",
        "UPDATE meta SET store_id = zeroblob(16)",
        "UPDATE meta SET salt = zeroblob(32)",
        "UPDATE meta SET salt = 'text'",
        "UPDATE meta SET salt = 5",
        "UPDATE meta SET signed = 0",
        "UPDATE meta SET signed = 'text'",
        "UPDATE meta SET entries = 2000000000000, bytes = -5",
        "UPDATE meta SET counted = 9000000000000",
        "DELETE FROM meta",
        "INSERT INTO marks SELECT resource, 9e12 FROM records",
        "INSERT INTO leases SELECT partition, resource, x'00', 9e12, 0 FROM records",
        "INSERT INTO leases SELECT partition, resource, x'00', 9e12, 1 FROM records",
        "UPDATE records SET body = NULL",
        "DELETE FROM records",
        "DROP TABLE records",
        "DROP TABLE meta",
        "DROP TABLE chunks",
        "DROP TABLE bodies",
        "DROP TABLE leases",
        "DROP TABLE marks",
        "ALTER TABLE records RENAME COLUMN sealed TO opened",
        "PRAGMA user_version = 99",
        "PRAGMA user_version = 0",
        "PRAGMA application_id = 1",
        "CREATE TRIGGER t AFTER INSERT ON records BEGIN UPDATE records SET body = x'00'; END",
        "CREATE TRIGGER t BEFORE INSERT ON records BEGIN SELECT RAISE(ABORT, 'no'); END",
    ],
)
def test_other_tables_decide_nothing(sessions: Any, cache_file: Path, origin: Origin, statement: str) -> None:
    """G3: store id, salt, counters, leases, marks, the schema itself: misses, each within the time of a request."""
    url, other = origin.on("/a", fresh(BODY)), origin.on("/b", fresh(b"other"))
    before = sessions(wait_for_leader=0.3, on_bad_signature="miss")
    before.get(url, auth=("me", "pw"))
    before.close()
    Attacker(cache_file).run(statement)
    for session in (before, sessions(wait_for_leader=0.3, on_bad_signature="miss")):
        for _ in range(2):
            response = session.get(url, auth=("me", "pw"))
            assert (response.status_code, response.content) == (200, BODY)
            assert session.get(other).content == b"other"
        assert session.get(url).request.headers.get("Authorization") is None
