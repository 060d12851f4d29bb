"""What an async session has queued, when its process ends or forks (G21, G24)."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.testing import name

Script = Callable[..., subprocess.Popen[str]]

COMMIT = """
    import anyio
    from sansio_cache_adapters.stores.threaded import threaded
    async def commit(store, text):
        return await store.commit(make_item(text, resource=text, now=now), vary_limit=32, now=now)
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_exit_drains_the_queue(path: Path, opened: Callable[..., SQLiteStore], script: Script, backend: str) -> None:
    """A program that ends without closing its session loses nothing that was queued, and gives no warning."""
    code = (
        COMMIT
        + """
    store = threaded(SQLiteStore(path))
    async def main():
        for index in range(300):
            assert await commit(store, str(index))
    anyio.run(main, backend=sys.argv[2])
    """
    )
    process = script(code, path, backend)
    process.communicate()
    assert process.returncode == 0
    assert opened().size().entries == 300


def test_exit_does_not_wait_for_ever(
    path: Path, store: SQLiteStore, script: Script, raw: Callable[[], sqlite3.Connection]
) -> None:
    """What cannot be written in five seconds is lost, and the program ends."""
    other = raw()
    other.execute("BEGIN IMMEDIATE")
    code = (
        COMMIT
        + """
    store = threaded(SQLiteStore(path, busy_timeout=60))
    async def main():
        await store.load(name("one"))
        assert await commit(store, "one")
    anyio.run(main)
    """
    )
    process = script(code, path)
    assert process.wait(timeout=60) == 0
    other.execute("ROLLBACK")
    assert store.size().entries == 0


def test_a_forked_child_has_a_queue_of_its_own(path: Path, opened: Callable[..., SQLiteStore], script: Script) -> None:
    """What the parent queued the parent writes; the child queues and writes its own, and both end."""
    code = (
        COMMIT
        + """
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later warn of forks beside threads
    store = threaded(SQLiteStore(path, busy_timeout=30))
    async def main(prefix, number):
        await store.open(signed=False)
        for index in range(number):
            assert await commit(store, f"{prefix} {index}")
        return os.fork() if prefix == "parent" else await store.flush(30)
    pid = anyio.run(main, "parent", 1000)
    if pid == 0:
        status = 1
        try:
            store = threaded(store.store)
            status = 0 if anyio.run(main, "child", 10) else 2
        finally:
            os._exit(status)
    say(os.waitpid(pid, 0)[1])
    """
    )
    process = script(code, path)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, json.loads(output)) == (0, 0)
    store = opened()
    assert store.size().entries == 1010
    assert len(store.load(name("parent 999"))) == len(store.load(name("child 9"))) == 1
