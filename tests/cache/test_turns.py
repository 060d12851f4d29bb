"""Threads that hit at the same time take turns; nothing depends on them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from forked_clients import child_ends, ended, fork
from local_origin import Origin, fresh

from sansio_cache import CachedSession, FileStore, MemoryStore, RedisStore, SQLiteStore
from sansio_cache_adapters.cache import turns
from sansio_cache_adapters.cache.turns import Turns, turns_for


def hold(mine: Turns, begun: threading.Event, ends: threading.Event) -> None:
    """Take every turn, until told to end."""
    while not ends.is_set():
        mine.take()
        begun.set()


def test_each_of_many_comes_in_turn() -> None:
    """No thread is kept waiting by others that never stop."""
    mine, ends = Turns(), threading.Event()
    begun = [threading.Event() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(hold, mine, each, ends) for each in begun]
        for _ in range(2):
            for each in begun:
                assert each.wait(30)
                each.clear()
        ends.set()
        for future in running:
            future.result(30)
    assert not mine._waiting


def test_one_who_does_something_else_keeps_nobody_waiting() -> None:
    """It takes the turn of a thread that has not been seen for a while, or has left."""
    mine = Turns()
    for leaves in (False, True):
        took = ThreadPoolExecutor(1)
        took.submit(mine.take).result(30)
        if leaves:
            took.submit(mine.leave).result(30)
        started = time.monotonic()
        mine.take()
        assert time.monotonic() - started < 5
        assert mine._whose == threading.get_ident()
        took.shutdown()


def test_one_who_waits_looks_again_as_soon_after_any_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a turn has lasted, the next begins as soon after its last hit."""
    mine, now, looks = Turns(), [0.0], list[float]()

    class Clockwork(turns.Bell):
        """Lets the time pass in which it would be waited for; the other goes on hitting for ten of these."""

        def wait(self, seconds: float) -> bool:
            looks.append(seconds)
            now[0] += seconds
            if len(looks) <= 10:
                mine._seen = now[0]
            return False

    monkeypatch.setattr(turns, "Bell", Clockwork)
    monkeypatch.setattr(turns, "perf_counter", lambda: now[0])
    mine._begin(-1, now[0])
    mine.take()
    assert mine._whose == threading.get_ident()
    assert len(looks) == 11
    assert max(looks) < 0.001


def test_which_stores_have_turns(tmp_path: Path) -> None:
    """Those that read files: who waits for a network must not wait for another who does, and memory is never let go."""
    assert turns_for(SQLiteStore(tmp_path / "cache.sqlite")) is turns.TURNS
    assert turns_for(FileStore(tmp_path / "cache")) is turns.TURNS
    for store in (MemoryStore(), RedisStore("redis://127.0.0.1:1")):
        assert turns_for(store) is not turns.TURNS


@pytest.mark.parametrize("kind", ["sqlite", "files"])
def test_threads_that_hit_at_once(kind: str, origin: Origin, tmp_path: Path) -> None:
    """Small bodies and large ones, each thread gets its own; a child that is forked meanwhile, too."""
    bodies = {
        origin.on(f"/{number}", fresh(bytes([number]) * (200_000 if number % 3 else 10))): number for number in range(9)
    }
    store = SQLiteStore(tmp_path / "cache.sqlite") if kind == "sqlite" else FileStore(tmp_path / "cache")

    def hits(session: CachedSession) -> None:
        for url, number in bodies.items():
            response = session.get(url)
            assert response.content[:1] == bytes([number])

    with CachedSession(cache=store) as session, ThreadPoolExecutor(8) as pool:
        hits(session)
        running = [pool.submit(hits, session) for _ in range(60)]
        child = fork()
        if not child:
            with child_ends():
                hits(session)
        for future in running:
            future.result(30)
        assert ended([child])
    assert origin.count() == 9
