"""G21: ``kill -9`` of a client at any moment, on any store: no record is lost or partial, no request waits.

Redis' own process is killed too; it has a log on disk here, so that what was half done would be seen.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from local_origin import Origin, Reply, Seen
from redis import Redis
from redis_servers import RedisServer
from remotes import Remote, ask_all
from thorough import extent

from sansio_cache import CachedSession, FileStore, NotCached, RedisStore, SQLiteStore

pytestmark = pytest.mark.once

MAKERS: dict[str, Callable[[str], Any]] = {"sqlite": SQLiteStore, "files": FileStore, "redis": RedisStore}
SIZES = [10, 1_900, 30_000, 70_000, 1_500_000, 3_000_000]
NUMBERS = range(12)
AT_ONCE = 12.0
"""Seconds that a request may be late: one for the store, and what a busy machine adds; a lease lasts for more."""


class Editions:
    """An origin that says something new in each round under even numbers, and confirms what is known under odd ones."""

    def __init__(self, origin: Origin) -> None:
        self.round = 0
        self.url = origin.on("/a", self.answer)

    @staticmethod
    def body(number: int, edition: str) -> bytes:
        """Each edition of a number has its own bytes and its own length."""
        unit = hashlib.sha256(f"{number} {edition}".encode()).digest()
        return unit * (SIZES[number % len(SIZES)] // 32 + int(edition) % 7)

    def answer(self, seen: Seen) -> Reply:
        number = int(seen.target.partition("?")[2])
        tag = seen.get("if-none-match")
        fields = {"Cache-Control": "max-age=3600", "ETag": f'"{self.round}"', "X-Edition": str(self.round)}
        if tag and number % 2:
            return Reply(status=304, fields=fields | {"ETag": tag, "X-Edition": tag.strip('"')}, framing="none")
        return Reply(self.body(number, str(self.round)), fields=fields)

    def urls(self) -> list[str]:
        return [f"{self.url}?{number}" for number in NUMBERS]

    def edition(self, number: int, response: Any) -> int:
        """Which edition a response is; whole, or the test fails."""
        edition = response.headers["X-Edition"]
        assert response.content == self.body(number, edition), f"{number} is not edition {edition}"
        return int(edition)


@pytest.fixture
def victims() -> Iterator[Callable[[str], Remote]]:
    """Starts clients to be killed; those that live at the end end, too."""
    started: list[Remote] = []

    def start(client: str) -> Remote:
        started.append(Remote(client))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.kill()


@pytest.mark.slow
@pytest.mark.timeout(extent(180, 2400))
def test_a_client_killed_at_any_moment(
    kind: str, location: str, origin: Origin, victims: Callable[[str], Remote], key: str
) -> None:
    """G21, G23: after each kill the store opens, gives whole bodies, holds no request up; the next fetch is stored."""
    chance = random.Random(f"kills of {kind}")
    editions = Editions(origin)
    clients = itertools.cycle(["requests", "aiohttp", "trio"])
    kills = extent(4, 100)
    client, following = next(clients), next(clients)
    victim, next_victim = victims(client), victims(following)
    for editions.round in range(1, kills + 1):
        # Everything is validated: half of it replaced, half of it freshened.
        victim.do("open", kind, location, secret_key=key, always_revalidate=True)
        told = chance.sample(NUMBERS, 2)
        victim.get(*(f"{editions.url}?{number}" for number in told))
        victim.tell("get", chance.sample(editions.urls(), len(NUMBERS)))
        time.sleep(chance.uniform(0, 0.25))
        victim.kill()
        look_at(MAKERS[kind](location), key, editions, told if client == "requests" else [])
        client, following = following, next(clients)
        victim, next_victim = next_victim, victims(following)
    leaves_nothing_over(kind, location, key, deaths=kills)


def look_at(store: Any, key: str, editions: Editions, told: list[int]) -> None:
    """Read all that is there, then fetch everything anew; ``told`` was answered to a blocking client in this round."""
    with CachedSession(store, secret_key=key, offline=True) as session:
        assert session.cache.verify().flaws == {}
        for number in NUMBERS:
            try:
                edition = editions.edition(number, session.get(f"{editions.url}?{number}"))
            except NotCached:
                assert number not in told, f"{number} is lost"
            else:
                assert number not in told or number % 2 or edition == editions.round
        assert session.cache.stats.store_troubles == 0
    with CachedSession(store, secret_key=key) as session:
        for number in NUMBERS:
            began = time.monotonic()
            response = session.get(f"{editions.url}?{number}", force_refresh=True)
            assert editions.edition(number, response) == editions.round
            assert time.monotonic() - began < AT_ONCE, f"{number} had to wait"
            assert session.get(f"{editions.url}?{number}").from_cache, f"{number} is not stored"
        assert session.cache.stats.store_troubles == 0


def leaves_nothing_over(kind: str, location: str, key: str, *, deaths: int) -> None:
    """After a sweep the store counts what it lists, and nothing else takes room."""
    with CachedSession(MAKERS[kind](location), secret_key=key) as session:
        store = session.cache.store
        while store.sweep(now=time.time() + 200):
            pass
        listed = list(store.listed())
        size, kept = store.size(), sum(each.size + len(each.stored.sealed) for each in listed)
        assert size == (len(NUMBERS), size.bytes if kind == "redis" else kept)
    if kind == "sqlite":
        with closing(sqlite3.connect(location)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert database.execute("SELECT count(*) FROM bodies WHERE state <> 1").fetchone() == (0,)
    elif kind == "redis":
        # What the dead left there goes by the server's clock: within a minute, or where they had just made a record
        # visible and not yet let go of the body that it replaced, in that one's own time.
        theirs = {f"sansio-cache:b:{{{each.stored.entry.hex()}}}".encode() for each in listed}
        with closing(Redis.from_url(location)) as client:
            left = [client.ttl(key) for key in client.scan_iter("*:b:*") if key not in theirs]
        assert -1 not in left  # -2 is gone meanwhile
        # Of the two numbers whose large bodies are replaced, each death may leave both so.
        assert sum(seconds > 60 for seconds in left) <= 2 * deaths
    elif kind == "files":
        bodies = [each for each in Path(location).glob("bodies/*/*") if each.is_file()]
        assert len(bodies) == sum(each.size > 65_536 for each in listed)
        assert list(Path(location).glob("pending/*")) == []


@pytest.mark.slow
@pytest.mark.timeout(extent(180, 1200))
def test_a_server_killed_at_any_moment(make_redis: Any, remotes: Any, origin: Origin, key: str) -> None:
    """G20, G21: Redis killed while three clients read and write, and started again with what its log has."""
    server: RedisServer = make_redis("--appendonly", "yes")
    chance = random.Random("kills of the server")
    editions = Editions(origin)
    three: list[Remote] = remotes(
        *("redis", server.tcp_url, "requests", "aiohttp", "trio"), secret_key=key, always_revalidate=True
    )
    blocking, *awaiting = three
    # Only a blocking client asks again by itself where a stored body breaks off; small ones come in one piece.
    small = [f"{editions.url}?{number}" for number in NUMBERS if SIZES[number % len(SIZES)] < 65_536]
    kills = extent(3, 20)
    for editions.round in range(1, kills + 1):
        ask_all(three, editions.urls()[0])
        blocking.tell("get", editions.urls())
        for each in awaiting:
            each.tell("get", small)
        time.sleep(chance.uniform(0, 0.15))
        server.stop()
        for got in [got for each in three for got in each.got()]:
            assert got.seconds < 2 * AT_ONCE, got.seconds  # begun from the store, broken off, and asked for again
        server.start()
        look_at(RedisStore(server.tcp_url), key, editions, [])
    leaves_nothing_over("redis", server.tcp_url, key, deaths=kills)
