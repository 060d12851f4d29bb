"""G20: whatever happens to a store, the requests of two processes that share it succeed, and later they hit it again.

The table says which fault strikes which store; the clients take turns.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import store_faults as faults
from local_origin import Origin, Reply, Seen, fresh
from remotes import Remote, ask_all
from store_faults import Fault, Scene
from thorough import extent

pytestmark = pytest.mark.once

AT_ONCE = 12.0
"""Seconds that the first request may be late: one in which the store fails, and what a busy machine adds."""
AFTERWARDS = 5.0
"""Seconds for ten requests of each of two processes that bypass the store: ten, if each waited for it, every time."""
HEALED = 20.0
"""Probes come every two seconds at most, and every thirty where the file is not ours any more."""

TABLE: dict[str, dict[str, Fault]] = {
    "no room": {"sqlite": faults.full, "files": faults.full, "redis": faults.out_of_memory},
    "read-only": {"sqlite": faults.read_only, "files": faults.read_only, "redis": faults.a_replica},
    "garbage": {
        "sqlite": faults.garbage_in_the_file,
        "files": faults.garbage_in_every_file,
        "redis": faults.garbage_in_every_row,
    },
    "cut off": {
        "sqlite": faults.file_cut_in_half,
        "files": faults.every_file_cut_in_half,
        "redis": faults.every_row_cut_in_half,
    },
    "emptied": {"sqlite": faults.file_emptied},
    "gone while in use": {"sqlite": faults.deleted, "files": faults.deleted, "redis": faults.flushed},
    "another cache in its place": dict.fromkeys(("sqlite", "files"), faults.another_cache),
    "of another shape": {
        "sqlite": faults.without_a_table,
        "files": faults.without_its_tag,
        "redis": faults.of_wrong_types,
    },
    "somebody else's": {
        "sqlite": faults.anothers_database_in_its_place,
        "files": faults.a_folder_in_its_place,
        "redis": faults.anothers_meta_record,
    },
    "of another kind": {"sqlite": faults.a_folder_in_its_place, "files": faults.a_text_in_its_place},
    "somebody's lock": {"sqlite": faults.locked_for_writing, "files": faults.every_folder_locked},
    "locked as a whole": {"sqlite": faults.locked_as_a_whole},
    "clock set back a day": dict.fromkeys(("sqlite", "files", "redis"), faults.clock_set_back),
    "frozen": {"redis": faults.frozen},
    "killed": {"redis": faults.killed},
    "password needed": {"redis": faults.behind_a_password},
}
CELLS = [(kind, what) for kind in ("sqlite", "files", "redis") for what in TABLE if kind in TABLE[what]]
PAIRS = [("requests", "aiohttp"), ("aiohttp", "trio"), ("trio", "requests")]
each_cell = pytest.mark.parametrize(
    ("kind", "what", "clients"),
    [(*cell, PAIRS[number % 3]) for number, cell in enumerate(CELLS)],
    ids=[f"{kind}: {what}" for kind, what in CELLS],
)


@each_cell
def test_requests_succeed_and_hit_again(
    place: Path, remotes: Any, origin: Origin, request: Any, kind: str, what: str, clients: tuple[str, str]
) -> None:
    """G20: at once while the fault lasts; after it a miss is stored and hit, by both."""
    scene = scene_of(kind, place, remotes, request, clients)
    old = origin.on("/old", fresh(b"old" * 1000))
    large = origin.on("/large", fresh(b"large" * 20_000))
    until_hits(scene.pair, old, large)
    with TABLE[what][kind](scene):
        asked = go_on(scene.pair, origin, old, large)
    began = time.monotonic()
    until_hits(scene.pair, old)
    # Requests meanwhile: none waits for a lease that was given back while the server was away.
    until_hits(scene.pair, large, *asked)
    until_hits(scene.pair, origin.on("/after", fresh(b"after")))
    assert time.monotonic() - began < HEALED
    count = origin.count()
    assert all(one.from_cache for _ in range(5) for one in ask_all(scene.pair, old, large))
    assert origin.count() == count


MIDST = [
    *(("sqlite", what) for what in ("somebody's lock", "garbage", "cut off", "gone while in use")),
    *(("files", what) for what in ("somebody's lock", "garbage", "cut off", "gone while in use")),
    *(("redis", what) for what in ("read-only", "no room", "frozen", "killed", "password needed", "gone while in use")),
]


@pytest.mark.parametrize(("kind", "what"), MIDST, ids=[f"{kind}: {what}" for kind, what in MIDST])
def test_a_fault_in_the_midst_of_a_fetch(
    place: Path, remotes: Any, origin: Origin, request: Any, kind: str, what: str
) -> None:
    """G20: its leader has a lease by then; once the store has recovered no request waits for it."""
    server = request.getfixturevalue("redis_server") if kind == "redis" else None
    location = server.tcp_url if server else str(place / "cache")
    scene = Scene(kind, place / "cache", remotes(kind, location, "requests", "aiohttp"), server)
    leader, other = scene.pair
    until_hits(scene.pair, origin.on("/old", fresh(b"old")))
    with ExitStack() as lasting:

        def struck(_: Seen) -> Reply:
            lasting.enter_context(TABLE[what][kind](scene))
            return fresh(b"new")

        url = origin.on("/new", struck, fresh(b"new"))
        [got] = leader.get(url)
        assert got.body == "new"
        assert got.seconds < AT_ONCE
    [got] = other.get(url)
    assert got.body == "new"
    assert got.seconds < AT_ONCE
    until_hits(scene.pair, url)


@pytest.mark.serial
@pytest.mark.skipif(not extent(0, 1), reason="measures rates for minutes: tox -e crash")
@each_cell
def test_hits_are_as_fast_as_before(
    place: Path,
    remotes: Any,
    origin: Origin,
    request: Any,
    record_property: Any,
    kind: str,
    what: str,
    clients: tuple[str, str],
) -> None:
    """G20: five seconds after healing within a tenth of their rate before the fault.

    By what a hit takes of the processor, which other programs do not change; who had to wait would have a fraction of
    the rate by the clock too.
    """
    scene = scene_of(kind, place, remotes, request, clients)
    old = origin.on("/old", fresh(b"old" * 300))
    until_hits(scene.pair, old)
    before = rates(scene.pair, old)
    with TABLE[what][kind](scene):
        for index in range(10):
            ask_all(scene.pair, origin.on(f"/more/{index}", fresh(b"more")), old)
    healed = time.monotonic()
    while time.monotonic() < healed + 5:
        ask_all(scene.pair, old)
    by_clock, own = [0.0, 0.0], [0.0, 0.0]
    for _ in range(3):
        # Whatever else this machine does can only make them slower.
        after = rates(scene.pair, old)
        for number, (early, late) in enumerate(zip(before, after, strict=True)):
            by_clock[number] = max(by_clock[number], late[0] / early[0])
            own[number] = max(own[number], late[1] / early[1])
        if min(own) > 0.9 and min(by_clock) > 0.9:
            break
    record_property("ratios", own)
    print(f"hits a second before {before}, ratios {by_clock} by the clock, {own} of its own time")
    assert min(own) > 0.9
    assert min(by_clock) > 0.2


def scene_of(kind: str, place: Path, remotes: Any, request: Any, clients: tuple[str, str]) -> Scene:
    """A new store, and two clients on it."""
    path = place / "in" / "cache"
    path.parent.mkdir()
    server = request.getfixturevalue("redis_server") if kind == "redis" else None
    return Scene(kind, path, remotes(kind, server.tcp_url if server else str(path), *clients), server)


def rates(pair: list[Remote], url: str) -> list[tuple[float, float]]:
    """Hits a second of each, by the clock and of its own time, measured one after the other."""
    return [each.do("rate", url, 8, 0.25) for each in pair]


def go_on(pair: list[Remote], origin: Origin, old: str, large: str) -> list[str]:
    """Ask for new and for old while the store is in trouble. The URLs of the new."""
    asked = [origin.on("/new", fresh(b"new"))]
    got = ask_all(pair, asked[0])
    assert [one.body for one in got] == ["new", "new"]
    assert max(one.seconds for one in got) < AT_ONCE, got
    took: list[float] = []
    while not took or (took[-1] > AFTERWARDS and len(took) < 4):
        began = time.monotonic()
        for _ in range(5):
            asked.append(origin.on(f"/more/{len(asked)}", fresh(b"more")))
            got = ask_all(pair, asked[-1], old)
            assert {one.body for one in got} == {"more", "old" * 1000}
        took.append(time.monotonic() - began)
    assert min(took) < AFTERWARDS
    assert {one.body for one in ask_all(pair, large, may_break=True)} == {"large" * 20_000}
    return asked


def until_hits(pair: list[Remote], *urls: str) -> None:
    """Ask until both hit them all."""
    deadline = time.monotonic() + 20
    while not all(one.from_cache for one in ask_all(pair, *urls, may_break=True)):
        assert time.monotonic() < deadline, f"not all of {urls} are hit"
        time.sleep(0.02)
