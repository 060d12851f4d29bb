"""G32: what a signal's handler or a finalizer asks of a session, its own thread being in the midst of another request.

Nothing that the interrupted request holds can be given back before the handler is done, so no request may wait for it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from local_origin import Origin, fresh
from redis_servers import RedisServer, make_redis, redis_server, short_path

from sansio_cache import CachedSession, FileStore, MemoryStore, RedisStore, SQLiteStore

__all__ = ["make_redis", "redis_server", "short_path"]

OURS = ("sansio_cache", "sansio_cache_adapters")
STEP = 19
"""Every so many calls a request is interrupted: each would take minutes."""
LONG = 5.0
"""Seconds after which a thread waits for itself."""


class Interrupted:
    """Runs work in a thread, and a handler within it as the n-th of our functions is called there."""

    def __init__(self, work: Callable[[], Any], handler: Callable[[], object], n: int) -> None:
        self._work, self._handler, self._left = work, handler, n
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.result: Any = None
        self.reached = False

    def _run(self) -> None:
        sys.setprofile(self._called)
        try:
            self.result = self._work()
        finally:
            sys.setprofile(None)

    def _called(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_globals.get("__name__", "").partition(".")[0] in OURS:
            self._left -= 1
            if self._left == 0:
                sys.setprofile(None)
                self.reached = True
                self._handler()

    def ends(self) -> bool:
        self._thread.start()
        self._thread.join(LONG)
        return not self._thread.is_alive()


@pytest.fixture(params=["memory", "sqlite", "files", "redis"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], Any]:
    """A new store for each number."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        return lambda number: RedisStore(server.tcp_url, prefix=str(number))
    if request.param == "memory":
        return lambda _: MemoryStore()
    kind = SQLiteStore if request.param == "sqlite" else FileStore
    return lambda number: kind(str(tmp_path / str(number)))


def get(session: CachedSession, url: str) -> bytes:
    return session.get(url, timeout=LONG).content


def interrupted(session: CachedSession, url: str, handler: Callable[[], object], n: int) -> bool:
    """Ask once, interrupted at the n-th call; whether there were so many. A session that is stuck is not closed."""
    began = time.monotonic()
    run = Interrupted(lambda: get(session, url), handler, n)
    assert run.ends(), f"interrupted at call {n}"
    assert time.monotonic() - began < LONG / 2
    assert run.result == get(session, url) == b"/asked"
    return run.reached


@pytest.mark.parametrize("first", ["a miss", "a hit"])
def test_a_handler_may_ask(make_store: Any, origin: Origin, first: str) -> None:
    """The handler gets its answers, a stored one and a new one; the interrupted request gets its own, and the next."""
    stored, new, asked = (origin.on(path, fresh(path.encode())) for path in ("/stored", "/new", "/asked"))
    reached, n = True, 1
    while reached:
        session, got = CachedSession(make_store(n)), list[bytes]()
        if first == "a hit":
            assert get(session, asked) == b"/asked"
            assert get(session, stored) == b"/stored"
        reached = interrupted(
            session,
            asked,
            lambda session=session, got=got: got.extend([get(session, stored), get(session, new)]),
            n,
        )
        assert got == ([b"/stored", b"/new"] if reached else [])
        assert [get(session, each) for each in (stored, new)] == [b"/stored", b"/new"]
        session.close()
        n += STEP


def test_a_handler_may_close(make_store: Any, origin: Origin) -> None:
    """As that of SIGTERM does; the interrupted request ends with its answer, and the session can be used again."""
    asked = origin.on("/asked", fresh(b"/asked"))
    reached, n = True, 1
    while reached:
        session = CachedSession(make_store(n))
        reached = interrupted(session, asked, session.close, n)
        session.close()
        n += STEP
