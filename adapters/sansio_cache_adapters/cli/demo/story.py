"""The main job: three clients on one signed SQLite file, then a tampered file, then a new secret."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from .origin import BIG, DemoOrigin, running
from .report import DemoReport

__all__ = ["main"]

OLD_KEY: Final = "the first secret of this demonstration"
NEW_KEY: Final = "the second secret of this demonstration"
OTHER_KEY: Final = "a secret that someone else made up"

# Path, request fields, and what the first and the second request find.
JOBS: Final[list[tuple[str, dict[str, str], str, str]]] = [
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
_REQUESTS: Final = ("path", "answer", "time", "Cache-Status (RFC 9211)")


def _shown(path: str, headers: dict[str, str]) -> str:
    return " ".join((path, *headers.values()))


def with_requests(report: DemoReport, origin: DemoOrigin, file: Path) -> None:
    """Misses, then hits, in requests."""
    from sansio_cache import CachedSession

    report.begin(
        "requests: CachedSession",
        "Each URL is asked for twice. Look at the second half: hits that take a millisecond, /tagged validated by its "
        "ETag, and /secret never kept.",
        *_REQUESTS,
    )
    with CachedSession(file, secret_key=OLD_KEY) as session:
        for first in (True, False):
            for path, headers, cold, warm in JOBS:
                began = time.perf_counter()
                response = session.get(origin.url + path, headers=headers)
                whole = path != "/big" or len(response.content) == BIG
                report.request(_shown(path, headers), (cold if first else warm) if whole else "whole", response, began)
    report.end()


async def with_aiohttp(report: DemoReport, origin: DemoOrigin, file: Path) -> None:
    """The items that requests stored, in aiohttp; and one item more."""
    from sansio_cache import AsyncCachedSession

    report.begin(
        "aiohttp: AsyncCachedSession, on the same file",
        "Look at the answers: what requests has stored is a hit here. /items/two is new.",
        *_REQUESTS,
    )
    async with AsyncCachedSession(cache=file, secret_key=OLD_KEY) as session:
        for path, headers, _, expected in [*JOBS, ("/items/two", {}, "", "miss")]:
            began = time.perf_counter()
            async with session.get(origin.url + path, headers=headers) as response:
                await response.read()
                report.request(_shown(path, headers), expected, response, began)
    report.end()


async def with_trio(report: DemoReport, origin: DemoOrigin, file: Path) -> None:
    """The items that the others stored, in trio; and twenty tasks that want one slow item."""
    import trio

    from sansio_cache import TrioCachedSession

    report.begin(
        "trio: TrioCachedSession, on the same file",
        "Look at the answers: hits again, by whichever client they were stored.",
        *_REQUESTS,
    )
    async with TrioCachedSession(cache=file, secret_key=OLD_KEY) as session:
        for path, headers, _, expected in JOBS:
            began = time.perf_counter()
            response = await session.get(origin.url + path, headers=headers)
            report.request(_shown(path, headers), expected, response, began)
        report.end()
        before = origin.asked["/slow"]
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(session.get, origin.url + "/slow?by=trio")
    asked = origin.asked["/slow"] - before
    report.begin(
        "one fetch for many askers",
        "Look at the outcome: nineteen of twenty tasks wait for the one that fetches.",
        *("deed", "outcome"),
    )
    report.row(asked == 1, "20 tasks ask for one cold, slow URL", f"{asked} request reached the origin")
    report.end()


class _Tampering:
    """Somebody who can write to the file, and has no secret."""

    def __init__(self, origin: DemoOrigin, file: Path) -> None:
        self._origin = origin
        self._file = file

    def get(self, path: str, key: str | list[str] = OLD_KEY) -> str:
        """How a session with a secret is answered."""
        from sansio_cache import CachedSession

        with CachedSession(self._file, secret_key=key) as session:
            return "hit" if session.get(self._origin.url + path).from_cache else "miss"

    def change(self, statement: str, path: str) -> None:
        """Change the record of a path."""
        with closing(sqlite3.connect(self._file)) as connection, connection:
            changed = connection.execute(statement, (self._origin.url + path,)).rowcount
            assert changed, statement  # noqa: S101 - else the story would be none

    def swap(self, one: str, two: str) -> None:
        """Put the records of two paths in each other's place."""
        with closing(sqlite3.connect(self._file)) as connection, connection:
            query = "SELECT id, sealed, body FROM records WHERE url IN (?, ?)"
            (a, *of_a), (b, *of_b) = connection.execute(query, (self._origin.url + one, self._origin.url + two))
            connection.execute("UPDATE records SET sealed = ?, body = ? WHERE id = ?", (*of_b, a))
            connection.execute("UPDATE records SET sealed = ?, body = ? WHERE id = ?", (*of_a, b))


def tampered(report: DemoReport, origin: DemoOrigin, file: Path) -> None:
    """The purpose of the signature."""
    hand = _Tampering(origin, file)
    report.begin(
        "a tampered file",
        "Someone who has no secret writes to the file. Look at the outcomes: nothing of theirs is ever an answer.",
        *("deed", "outcome"),
    )
    for name in ("a", "b", "c", "d"):
        hand.get(f"/items/{name}")
    hand.change("DELETE FROM records WHERE url = ?", "/items/a")
    report.expect("store /items/a under another secret", "miss", lambda: hand.get("/items/a", OTHER_KEY))
    report.expect("read it with ours", "BadSignature (signature)", lambda: hand.get("/items/a"))
    hand.swap("/items/b", "/items/c")
    report.expect(
        "swap the rows of /items/b and /items/c, read b", "BadSignature (place)", lambda: hand.get("/items/b")
    )
    report.expect("read c", "BadSignature (place)", lambda: hand.get("/items/c"))
    hand.change("UPDATE records SET sealed = substr(sealed, 1, length(sealed) - 9) WHERE url = ?", "/items/d")
    report.expect("cut the record of /items/d short, read it", "miss", lambda: hand.get("/items/d"))
    report.expect("read it again", "hit", lambda: hand.get("/items/d"))
    report.end()


def rotated(report: DemoReport, origin: DemoOrigin, file: Path) -> None:
    """How a secret is changed."""
    from sansio_cache import CachedSession

    hand = _Tampering(origin, file)
    report.begin(
        "a new secret",
        "Look at the outcomes: both secrets verify while records are signed anew, then the new one alone.",
        *("deed", "outcome"),
    )
    report.expect("read /items/one with both", "hit", lambda: hand.get("/items/one", [OLD_KEY, NEW_KEY]))
    with CachedSession(file, secret_key=[OLD_KEY, NEW_KEY]) as session:
        signed = session.cache.resign()
    report.row(signed > 0, "resign", f"{signed} records signed with the new secret")
    report.expect("read /items/one with the new one alone", "hit", lambda: hand.get("/items/one", NEW_KEY))
    report.expect("read it with the old one", "BadSignature (signature)", lambda: hand.get("/items/one", OLD_KEY))
    report.end()


def main(report: DemoReport | None = None) -> int:
    """Tell it all; 0 if everything was as it should be.

    :raises ImportError: requests is not installed.
    """
    report = DemoReport() if report is None else report
    with tempfile.TemporaryDirectory() as folder, running() as origin:
        file = Path(folder) / "demo.sqlite"
        clients = ["requests"]
        with_requests(report, origin, file)
        if find_spec("aiohttp") is not None:
            clients.append("aiohttp")
            asyncio.run(with_aiohttp(report, origin, file))
        if find_spec("trio") is not None and find_spec("h11") is not None:
            import trio

            clients.append("trio")
            trio.run(with_trio, report, origin, file)
        tampered(report, origin, file)
        rotated(report, origin, file)
    report.say()
    for failure in report.failures:
        sys.stderr.write(f"not as expected: {failure}\n")
    if report.failures:
        report.say(f"{len(report.failures)} of {report.checks} were not as they should be.", "bold red")
        return 1
    report.say(f"All {report.checks} as they should be: {' and '.join(clients)} on one signed file.", "bold")
    return 0
