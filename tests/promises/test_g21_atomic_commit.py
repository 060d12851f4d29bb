"""G21: the head's commit is the one atomic step; after ``kill -9`` nothing committed is lost, nothing is partial."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from attacker import Attacker
from local_origin import Origin, Reply, Seen
from thorough import extent

from sansio_cache import CachedSession

SIZES = [10, 1_900, 30_000, 70_000, 1_500_000, 3_000_000]


def body(name: str) -> bytes:
    """What the origin says under a name, never twice the same length."""
    number = int(name)
    return hashlib.sha256(name.encode()).digest() * (SIZES[number % len(SIZES)] // 32 + number % 7)


@pytest.fixture
def numbered(origin: Origin) -> str:
    """The URL under which there is a body for each number."""

    def answer(seen: Seen) -> Reply:
        return Reply(body(seen.target.partition("?")[2]), fields={"Cache-Control": "max-age=3600", "ETag": '"1"'})

    return origin.on("/a", answer)


WRITER = """
    import sys
    from sansio_cache import CachedSession
    session = CachedSession({path!r}, secret_key={key!r})
    number = {first}
    while True:
        session.get({url!r} + "?" + str(number))
        # On a machine that is too slow for the store's patience the session passes the store by: nothing is promised.
        if session.cache.contains({url!r} + "?" + str(number)):
            print(number, flush=True)
        if number % 3 == 0:
            session.get({url!r} + "?" + str(number), force_refresh=True)
        number += 1
"""


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.timeout(extent(180, 1200))
def test_a_killed_writer(cache_file: Path, key: str, numbered: str, origin: Origin) -> None:
    """G21: killed at any moment, again and again: what it told of is there, whole; left-over chunks are swept."""
    told: list[int] = []
    first = 0
    chosen = random.Random(21)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(extent(6, 100)):
        script = textwrap.dedent(WRITER.format(path=str(cache_file), key=key, url=numbered, first=first))
        writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
        assert writer.stdout is not None
        told.append(int(writer.stdout.readline()))
        time.sleep(chosen.uniform(0.05, 0.4))
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout.read().split()]
        writer.wait(30)
        writer.stdout.close()
        first = max(told) + 1
        # In full, all of it is more than a store holds: the longest unused may be gone.
        with CachedSession(cache_file, secret_key=key, offline=True) as session:
            for number in told[-40:]:
                assert session.get(f"{numbered}?{number}").content == body(str(number)), number
            assert session.cache.verify().flaws == {}
    attacker = Attacker(cache_file)
    assert attacker.run("PRAGMA integrity_check")[0][0] == "ok"
    with CachedSession(cache_file, secret_key=key) as session:
        store = session.cache.store
        while store.sweep(now=time.time() + 120):
            pass
        orphans = attacker.run(
            "SELECT count(*) FROM bodies WHERE entry NOT IN (SELECT entry FROM records) AND state <> 1"
        )
        assert orphans[0][0] == 0
        assert session.get(f"{numbered}?{first}").content == body(str(first))


def test_what_was_read_is_committed(sessions: Any, numbered: str, key: str, cache_file: Path) -> None:
    """G21: a blocking session's entry is there when its body has been read, for any other process at once."""
    session = sessions()
    for number in range(6):
        session.get(f"{numbered}?{number}")
        with CachedSession(cache_file, secret_key=key, offline=True) as other:
            assert other.get(f"{numbered}?{number}").content == body(str(number))


def test_before_the_commit_nothing_is_there(sessions: Any, numbered: str, cache_file: Path) -> None:
    """G21: though nearly all of it is written."""
    session, other = sessions(), sessions(offline=True)
    whole = body("5")
    with session.get(numbered + "?5", stream=True) as response:
        assert len(response.raw.read(len(whole) - 1)) == len(whole) - 1
        assert other.cache.size().entries == 0
        assert Attacker(cache_file).run("SELECT count(*) FROM chunks")[0][0] > 0
        assert len(response.raw.read()) == 1
    assert other.get(numbered + "?5").content == whole
