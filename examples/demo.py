"""The main job, on a real local origin: three clients on one signed SQLite file, then a tampered file.

Run it with ``pip install tox && tox -e demo``. It exits with 0 only if everything was as it should be.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import trio
from origin import BIG, Origin, running
from rich.console import Console
from rich.table import Table

from sansio_cache import AsyncCachedSession, BadSignature, CachedSession, TrioCachedSession

OLD_KEY = "the first secret of this demonstration"
NEW_KEY = "the second secret of this demonstration"
OTHER_KEY = "a secret that someone else made up"

# Path, request fields, and what the first and the second request find.
JOBS: list[tuple[str, dict[str, str], str, str]] = [
    ("/items/one", {}, "miss", "hit"),
    ("/tagged", {}, "miss", "validated"),
    ("/greeting", {"Accept-Language": "de"}, "miss", "hit"),
    ("/greeting", {"Accept-Language": "it"}, "miss", "hit"),
    ("/packed", {}, "miss", "hit"),
    ("/moved", {}, "miss", "hit"),
    ("/slow", {}, "miss", "hit"),
    ("/big", {}, "miss", "hit"),
    ("/secret", {}, "miss", "miss"),
]


class Report:
    """A table of what was expected and what was seen."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self._console = Console(width=118)
        self._table = Table()

    def begin(self, title: str, *columns: str) -> None:
        """Begin a table."""
        self._table = Table(*columns, title=title, title_justify="left", expand=True)

    def row(self, ok: bool, *cells: str) -> None:
        """Add a row, and remember it if it is not as it should be."""
        if not ok:
            self.failures.append(" | ".join(cells))
        self._table.add_row(*cells[:-1], cells[-1] if ok else f"[red]NOT AS EXPECTED: {cells[-1]}")

    def end(self) -> None:
        """Show the table."""
        self._console.print(self._table)

    def request(self, path: str, expected: str, response: object, status: int, began: float) -> None:
        """Add a row for a response of any of the clients."""
        from_cache, revalidated = getattr(response, "from_cache"), getattr(response, "revalidated")  # noqa: B009
        found = "validated" if revalidated else "hit" if from_cache else "miss"
        took = f"{(time.perf_counter() - began) * 1000:.1f} ms"
        self.row(found == expected, path, str(status), found, took, str(getattr(response, "cache_status")))  # noqa: B009

    def expect(self, what: str, expected: str, act: Callable[[], str]) -> None:
        """Add a row for a deed and its outcome."""
        try:
            found = act()
        except BadSignature as error:
            found = f"BadSignature ({error.reason})"
        self.row(found == expected, what, found)


REQUESTS = ("path", "status", "answer", "time", "Cache-Status")


def with_requests(report: Report, origin: Origin, file: Path) -> None:
    """Misses, then hits, in requests."""
    report.begin("requests: CachedSession", *REQUESTS)
    with CachedSession(file, secret_key=OLD_KEY) as session:
        for first in (True, False):
            for path, headers, cold, warm in JOBS:
                began = time.perf_counter()
                response = session.get(origin.url + path, headers=headers)
                report.request(path, cold if first else warm, response, response.status_code, began)
                assert path != "/big" or len(response.content) == BIG
    report.end()


async def with_aiohttp(report: Report, origin: Origin, file: Path) -> None:
    """What requests stored, in aiohttp; and one item more."""
    report.begin("aiohttp: AsyncCachedSession, on the same file", *REQUESTS)
    async with AsyncCachedSession(cache=file, secret_key=OLD_KEY) as session:
        for path, headers, _, expected in [*JOBS, ("/items/two", {}, "", "miss")]:
            began = time.perf_counter()
            async with session.get(origin.url + path, headers=headers) as response:
                await response.read()
                report.request(path, expected, response, response.status, began)
    report.end()


async def with_trio(report: Report, origin: Origin, file: Path) -> None:
    """What both stored, in trio; and twenty tasks that want one slow item."""
    report.begin("trio: TrioCachedSession, on the same file", *REQUESTS)
    async with TrioCachedSession(cache=file, secret_key=OLD_KEY) as session:
        for path, headers, _, expected in [*JOBS, ("/items/two", {}, "", "hit")]:
            began = time.perf_counter()
            response = await session.get(origin.url + path, headers=headers)
            report.request(path, expected, response, response.status, began)
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(session.get, origin.url + "/slow?by=trio")
    report.end()
    asked = origin.asked["/slow"]
    report.begin("one fetch for many askers", "deed", "outcome")
    report.row(asked == 2, "20 tasks ask for one cold, slow URL", f"{asked - 1} request reached the origin")
    report.end()


def tampered(report: Report, origin: Origin, file: Path) -> None:
    """What the signature is for."""

    def get(path: str, key: str | list[str] = OLD_KEY) -> str:
        with CachedSession(file, secret_key=key) as session:
            return "hit" if session.get(origin.url + path).from_cache else "miss"

    def change(statement: str, *values: object) -> None:
        with closing(sqlite3.connect(file)) as connection, connection:
            changed = connection.execute(statement, values).rowcount
            assert changed, statement

    def swap(one: str, two: str) -> None:
        with closing(sqlite3.connect(file)) as connection, connection:
            query = "SELECT id, sealed, body FROM records WHERE url IN (?, ?)"
            (a, *of_a), (b, *of_b) = connection.execute(query, (origin.url + one, origin.url + two)).fetchall()
            connection.execute("UPDATE records SET sealed = ?, body = ? WHERE id = ?", (*of_b, a))
            connection.execute("UPDATE records SET sealed = ?, body = ? WHERE id = ?", (*of_a, b))

    report.begin("a tampered file", "deed", "outcome")
    for name in ("a", "b", "c", "d"):
        get(f"/items/{name}")
    change("DELETE FROM records WHERE url = ?", origin.url + "/items/a")
    report.expect("someone stores /items/a under another key", "miss", lambda: get("/items/a", OTHER_KEY))
    report.expect("read it with ours", "BadSignature (signature)", lambda: get("/items/a"))
    swap("/items/b", "/items/c")
    report.expect("swap the rows of /items/b and /items/c, read b", "BadSignature (place)", lambda: get("/items/b"))
    report.expect("read c", "BadSignature (place)", lambda: get("/items/c"))
    change("UPDATE records SET sealed = substr(sealed, 1, length(sealed) - 9) WHERE url = ?", origin.url + "/items/d")
    report.expect("cut the record of /items/d short, read it", "miss", lambda: get("/items/d"))
    report.expect("read it again", "hit", lambda: get("/items/d"))
    report.end()

    report.begin("a new key", "deed", "outcome")
    report.expect("read /items/one with both keys", "hit", lambda: get("/items/one", [OLD_KEY, NEW_KEY]))
    with CachedSession(file, secret_key=[OLD_KEY, NEW_KEY]) as session:
        brought_up = session.cache.resign()
    report.row(brought_up > 0, "resign", f"{brought_up} records brought up to the new key")
    report.expect("read /items/one with the new key alone", "hit", lambda: get("/items/one", NEW_KEY))
    report.expect("read it with the old key", "BadSignature (signature)", lambda: get("/items/one", OLD_KEY))
    report.end()


def main() -> int:
    """Do it all; 0 if everything was as it should be."""
    report = Report()
    with tempfile.TemporaryDirectory() as folder, running() as origin:
        file = Path(folder) / "demo.sqlite"
        with_requests(report, origin, file)
        asyncio.run(with_aiohttp(report, origin, file))
        trio.run(with_trio, report, origin, file)
        tampered(report, origin, file)
    for failure in report.failures:
        print("not as expected:", failure, file=sys.stderr)
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
