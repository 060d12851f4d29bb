"""G20: a file system without another byte of room: requests succeed, what was there is whole, and it heals."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_origin import Origin, fresh
from small_disk import run_on_small_disk

SCRIPT = """
import os, sqlite3, sys, time
from sansio_cache import CachedSession, FileStore, SQLiteStore
kind, when, place, base = sys.argv[1:]
path = place + "/cache"

def opened():
    return CachedSession({"sqlite": SQLiteStore, "files": FileStore}[kind](path))

def ask(name, length):
    began = time.monotonic()
    response = session.get(base + name)
    assert response.content == name[1:2].encode() * length, name
    took = time.monotonic() - began
    assert took < 12, (name, took)
    return response.from_cache

session = opened()
ask("/small", 5_000)
assert ask("/small", 5_000)
if when == "before it is opened":
    session.close()
    session.cache.store.close()
fill(place + "/junk")
if when == "before it is opened":
    session = opened()
for number in range(8):
    ask(f"/large?{number}", 200_000)
    ask(f"/new?{number}", 5_000)
    ask("/small", 5_000)
assert session.cache.stats.store_troubles
os.unlink(place + "/junk")
deadline = time.monotonic() + 40
while not (ask("/large?0", 200_000) and ask("/new?0", 5_000)):
    assert time.monotonic() < deadline, "it does not heal"
    time.sleep(0.02)
assert ask("/small", 5_000)
assert session.cache.verify().flaws == {}
session.close()
session.cache.store.close()
if kind == "sqlite":
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert not [name for name in os.listdir(place) if "corrupt" in name], os.listdir(place)
"""


@pytest.mark.once
@pytest.mark.parametrize("when", ["in use", "before it is opened"])
@pytest.mark.parametrize("kind", ["sqlite", "files"])
def test_no_room_left_on_the_disk(place: Path, origin: Origin, kind: str, when: str) -> None:
    """G20: in a session that has it open, and in a new one."""
    for name, length in (("small", 5_000), ("large", 200_000), ("new", 5_000)):
        origin.on(f"/{name}", fresh(name[:1].encode() * length))
    run_on_small_disk(place, SCRIPT, kind, when, str(place), origin.url(""), size="4m")
