"""Threads, processes and forks on one file (G21, G22, G24), and nothing left open."""

from __future__ import annotations

import gc
import json
import os
import random
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from patience import SOON
from thorough import extent

from sansio_cache.records import chunk_hashes
from sansio_cache_adapters.stores.protocol import LEASE_SECONDS
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.testing import make_item, name, put, stream

NOW = time.time()
Script = Callable[..., subprocess.Popen[str]]
LARGE = bytes(range(256)) * 6000

WRITER = """
    store = SQLiteStore(path)
    prefix = sys.argv[2]
    large = bytes(range(256)) * 6000
    for index in range(10_000):
        text = f"{prefix} {index}"
        body = large if index % 5 == 4 else text.encode() * 100
        item = make_item(text, body, resource=text, now=now)
        store.commit(stream(store, item) if index % 5 == 4 else item, vary_limit=32, now=now)
        say(text)
"""


def check_whole(store: SQLiteStore) -> set[bytes]:
    """Every record that is listed can be read to its end; the totals are right. Which partitions there are."""
    weights = 0
    for listed in store.listed():
        [stored] = store.load(listed.partition)
        body = stored.body
        if body is None:
            hashes = store.hashes(stored.entry)
            body = b"".join([store.chunk(stored.entry, index) for index in range(len(hashes) // 32)])
            assert chunk_hashes(body) == hashes
        assert len(body) == listed.size
        weights += listed.size + len(stored.sealed)
    assert store.size().bytes == weights
    return {listed.partition for listed in store.listed()}


@pytest.mark.once
class TestKilled:
    @pytest.mark.timeout(extent(180, 1200))
    def test_what_was_committed_is_there_and_whole(
        self, path: Path, opened: Callable[..., SQLiteStore], script: Script
    ) -> None:
        """G21: ``kill -9`` at a random moment, again and again on one file."""
        chance = random.Random(17)
        said: list[str] = []
        for number in range(extent(8, 100)):
            process = script(WRITER, path, number)
            assert process.stdout is not None
            said.append(json.loads(process.stdout.readline()))
            time.sleep(chance.uniform(0, 0.1))
            process.kill()
            # The last line may be cut off by the kill; what was said before it was committed.
            said += [json.loads(line) for line in process.communicate()[0].splitlines() if line.endswith('"')]
        store = opened()
        while store.sweep(now=time.time() + LEASE_SECONDS + 1):
            pass
        assert {name(text) for text in said} <= check_whole(store)
        assert len(said) >= 8
        store.close()
        with sqlite3.connect(path) as plain:
            assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            orphans = "SELECT count(*) FROM chunks WHERE id >> 20 NOT IN (SELECT body_id FROM records WHERE body_id)"
            assert plain.execute(orphans).fetchone() == (0,)
            assert plain.execute("SELECT count(*) FROM bodies WHERE state <> 1").fetchone() == (0,)
        plain.close()

    @pytest.mark.timeout(extent(180, 1200))
    def test_killed_while_it_begins_the_file(
        self, path: Path, opened: Callable[..., SQLiteStore], script: Script
    ) -> None:
        """G21: there is either no file or a whole one."""
        chance = random.Random(18)
        for _ in range(extent(5, 100)):
            process = script('say("ready"); SQLiteStore(path).open(signed=False); say("done"); hear()', path)
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 0.15))
            process.kill()
            process.wait()
            store = opened()
            put(store, make_item("one", now=NOW), now=NOW)
            store.close()
            for each in path.parent.iterdir():
                each.unlink()


MIXED = """
    import hashlib, random
    store = SQLiteStore(path, busy_timeout=30)  # the holder of the lock may be off the processor for long
    store.open(signed=False)
    waits, errors, kept = [], [], [0]
    end = time.monotonic() + float(sys.argv[3])
    large = bytes(range(256)) * 5000
    def work(number):
        chance = random.Random(f"{sys.argv[2]} {number}")
        try:
            while time.monotonic() < end:
                text = str(chance.randrange(300))
                began = time.perf_counter()
                kind = chance.random()
                if kind < 0.6:
                    for stored in store.load(name(text)):
                        store.touch(name(text), stored.entry, now=now)
                        digest = hashlib.sha256(stored.body or b"").hexdigest().encode()
                        if stored.body is not None and stored.sealed.split()[-1] != digest:
                            errors.append("wrong body")
                elif kind < 0.85:
                    store.commit(make_item(text, os.urandom(2000), resource=text, now=now), vary_limit=32, now=now)
                elif kind < 0.87:
                    store.commit(stream(store, make_item(text, large, resource=text, now=now)), vary_limit=32, now=now)
                elif kind < 0.9:
                    store.drop(name(text), now=now - 1)
                elif kind < 0.95:
                    store.claim(name(text), name(text), os.urandom(16), now=now, until=now + 1)
                elif kind < 0.97:
                    store.sweep(now=time.time())
                else:
                    store.size()
                waits.append(time.perf_counter() - began)
        except BaseException as error:
            errors.append(repr(error))
    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    for index in range(20):
        text = f"last {sys.argv[2]} {index}"
        kept[0] += store.commit(make_item(text, resource=text, now=now), vary_limit=32, now=now)
    store.close()
    waits.sort()
    say({"errors": errors, "operations": len(waits), "kept": kept[0], "p999": waits[int(len(waits) * 0.999)]})
"""


def test_processes_and_threads_mixed(path: Path, opened: Callable[..., SQLiteStore], script: Script) -> None:
    """G22: 4 processes × 2 threads; no exception, nothing lost, and hardly a wait."""
    processes = [script(MIXED, path, number, extent(1, 20)) for number in range(4)]
    answers = [json.loads(process.communicate()[0]) for process in processes]
    assert [answer["errors"] for answer in answers] == [[]] * 4
    assert [answer["kept"] for answer in answers] == [20] * 4
    assert max(answer["p999"] for answer in answers) < SOON
    store = opened()
    while store.sweep(now=time.time() + LEASE_SECONDS + 1):
        pass
    there = check_whole(store)
    assert {name(f"last {number} {index}") for number in range(4) for index in range(20)} <= there
    store.close()
    plain = sqlite3.connect(path)
    assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    plain.close()


def test_a_second_store_does_not_cost_the_first_its_locks(path: Path, store: SQLiteStore, script: Script) -> None:
    """G24: POSIX drops all locks of a process on a file when it closes any descriptor of it.

    Without its lock on the file the first store would have its log taken away by anyone who closes the file last.
    """
    put(store, make_item("one", now=NOW), now=NOW)
    second = SQLiteStore(path)
    second.load(name("one"))
    second.close()
    stranger = script('say(len(sqlite3.connect(path).execute("SELECT * FROM records").fetchall()))', path)
    assert json.loads(stranger.communicate()[0]) == 1
    put(store, make_item("two", resource="two", now=NOW), now=NOW)
    stranger = script('say(len(sqlite3.connect(path).execute("SELECT * FROM records").fetchall()))', path)
    assert json.loads(stranger.communicate()[0]) == 2


FORK = """
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later warn of forks beside threads
    store = SQLiteStore(path, busy_timeout=30)
    def commit(text):
        assert store.commit(make_item(text, resource=text, now=now), vary_limit=32, now=now)
    commit("before")
    stop = threading.Event()
    def busy():
        index = 0
        while not stop.is_set():
            commit(f"busy {index % 50}")
            store.load(name("before"))
            index += 1
    threads = [threading.Thread(target=busy) for _ in range(2)] if sys.argv[2] == "busy" else []
    for thread in threads: thread.start()
    children = []
    for number in range(10):
        ready, hold = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            assert len(store.load(name("before"))) == 1
            commit(f"child {number}")
            os.write(ready[1], b"x")
            os.read(hold[0], 1)
            commit(f"late child {number}")
            store.close()
            os._exit(0)
        assert os.read(ready[0], 1)
        children.append((pid, hold[1]))
        commit(f"parent {number}")
    stop.set()
    for thread in threads: thread.join()
    store.close()
    commit("after")
    store.close()
    for pid, hold in children:
        os.write(hold, b"x")
    say([os.waitpid(pid, 0)[1] for pid, _ in children])
"""


@pytest.mark.parametrize("kind", ["at rest", "busy"])
def test_a_fork_reopens_by_itself(path: Path, opened: Callable[..., SQLiteStore], script: Script, kind: str) -> None:
    """G24: children write while the parent does, and after it has closed the file: nothing of it is lost."""
    process = script(FORK, path, kind)
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 0
    assert json.loads(output) == [0] * 10
    there = check_whole(opened())
    expected = ["before", "after"] + [
        f"{who} {number}" for number in range(10) for who in ("child", "late child", "parent")
    ]
    assert {name(text) for text in expected} <= there


def test_a_thread_that_reads_for_the_first_time_waits_for_a_fork(path: Path) -> None:
    """Else the child could part while that thread has a lock of SQLite's own, which is never released there (G30)."""
    store = SQLiteStore(path)
    put(store, make_item("one", now=NOW), now=NOW)
    store.load(name("one"))
    with ThreadPoolExecutor(1) as pool:
        store._connections.before_fork()
        reading = pool.submit(store.load, name("one"))
        with pytest.raises(TimeoutError):
            reading.result(0.2)
        store._connections.after_fork(child=False)
        assert len(reading.result(30)) == 1
    store.close()


class TestNothingStaysOpen:
    def descriptors(self, path: Path) -> int:
        found = 0
        for each in Path("/proc/self/fd").iterdir():
            try:
                found += os.readlink(each).startswith(str(path.parent))
            except OSError:
                continue
        return found

    def test_after_close(self, path: Path, store: SQLiteStore, until: Callable[[Callable[[], bool]], None]) -> None:
        """Every connection is closed, those of other threads too, and the maintenance's thread has ended."""
        large = put(store, stream(store, make_item("one", LARGE, now=NOW)), now=NOW)
        done, release = threading.Event(), threading.Event()

        def read() -> None:
            store.load(name("one"))
            store.chunk(large.entry, 0)
            done.set()
            release.wait()

        thread = threading.Thread(target=read)
        thread.start()
        done.wait()
        try:
            assert self.descriptors(path) > 0
            store.close()
            assert self.descriptors(path) == 0
            until(lambda: not store._maintenance._worker.works)
        finally:
            release.set()
            thread.join()

    def test_after_a_thread(self, path: Path, store: SQLiteStore, until: Callable[[Callable[[], bool]], None]) -> None:
        """The connections of a thread go in a moment, once it has ended; the maintenance's own may come meanwhile."""
        put(store, make_item("one", now=NOW), now=NOW)
        store.load(name("one"))
        before = self.descriptors(path)
        # Maintenance has two connections, of two files each, and the lock file. Of a closed connection SQLite keeps the
        # descriptor for the next one, as long as others hold locks: it keeps as many as were open at the same time.
        allowed = before + 5 + 6
        for _ in range(30):
            thread = threading.Thread(target=store.load, args=(name("one"),))
            thread.start()
            thread.join()
            until(lambda: self.descriptors(path) <= allowed)

    def test_after_the_store_is_forgotten(self, path: Path) -> None:
        """Who never closes a store leaves nothing open for long; what was noted is written."""
        store = SQLiteStore(path)
        put(store, make_item("one", now=NOW), now=NOW)
        store.load(name("one"))
        del store
        gc.collect()
        deadline = time.monotonic() + 30
        while self.descriptors(path) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert self.descriptors(path) == 0

    def test_at_exit(self, path: Path, script: Script) -> None:
        """A script that closes nothing ends without a warning, and its log is in the file."""
        process = script(
            """
            store = SQLiteStore(path)
            store.commit(make_item("one", now=now), vary_limit=32, now=now)
            threading.Thread(target=store.load, args=(name("one"),)).start()
            """,
            path,
        )
        process.communicate()
        assert process.returncode == 0
        assert [each.name for each in path.parent.iterdir()] == [path.name]

    def test_closing_under_readers(self, store: SQLiteStore) -> None:
        """G24: no thread has its connection closed while it uses it; each call opens what it needs."""
        put(store, make_item("one", now=NOW), now=NOW)
        large = put(store, stream(store, make_item("big", LARGE, resource="big", now=NOW)), now=NOW)
        stop = threading.Event()
        read: list[int] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                while not stop.is_set():
                    read.append(len(store.load(name("one"))))
                    store.chunk(large.entry, 1)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for index in range(30):
            store.close()
            put(store, make_item(f"{index}", resource="other", now=NOW), now=NOW)
        stop.set()
        for thread in threads:
            thread.join()
        assert errors == []
        assert set(read) == {1}
