"""Making a session costs little: what answers requests comes with the first of them, and nothing is decided late."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from local_origin import Origin, fresh

from sansio_cache import CachedSession, SQLiteStore
from sansio_cache_adapters.cache.first_use import is_made

KEY = "0123456789abcdef" * 4
THEIRS = {
    "requests": "requests",
    "aiohttp": "asyncio, aiohttp",
    "trio": "anyio, h11, trio",
    # A transport is made from one of theirs, which takes more than its module.
    "httpx2": "httpx2; httpx2.HTTPTransport()",
    "httpx2, awaiting": "asyncio, httpx2; httpx2.AsyncHTTPTransport()",
}
"""What the client itself needs."""
PLAIN = {"_contextvars", "contextvars", "_datetime", "datetime", "fcntl", "hmac", "_hashlib"}
PLAIN |= {"inspect", "ast", "_ast", "dis", "opcode", "_opcode"}  # which nearly every client brings
"""What a session may need beside it: small modules, and none that is not Python's own."""
MAKE = {
    "requests": "made(lambda: sansio_cache.CachedSession)",
    "aiohttp": "asyncio.run(awaiting(lambda: sansio_cache.AsyncCachedSession))",
    "trio": "trio.run(awaiting, lambda: sansio_cache.TrioCachedSession)",
    "httpx2": "made(lambda: sansio_cache.CacheTransport)",
    "httpx2, awaiting": "asyncio.run(awaiting(lambda: sansio_cache.AsyncCacheTransport))",
}
MAKING = """
import json, sys
import {theirs}
before = set(sys.modules)
calls = []
def count(frame, event, _):
    if event == "call" and "importlib" not in frame.f_code.co_filename:
        calls.append(frame.f_code.co_filename)
def made(kind):
    sys.setprofile(count)
    session = kind()(cache=sys.argv[1], secret_key=sys.argv[2])
    repr(session)
    sys.setprofile(None)
    print(json.dumps([sorted(set(sys.modules) - before), len(calls)]))
    return session
async def awaiting(kind):
    session = made(kind)
    await (session.close() if hasattr(session, "close") else session.aclose())
sys.setprofile(count)
import sansio_cache
{make}
"""


@pytest.mark.parametrize("client", MAKE)
def test_a_session_is_made_without_what_answers_requests(client: str, tmp_path: Path) -> None:
    """What it costs is held by what is counted, on a machine of any speed: modules to be found and read, and calls."""
    script = MAKING.format(theirs=THEIRS[client], make=MAKE[client])
    command = [sys.executable, "-c", script, tmp_path / "new.sqlite", KEY]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    modules, calls = json.loads(ran.stdout)
    ours = [name for name in modules if name.startswith("sansio_cache")]
    assert {*modules} - {*ours} <= PLAIN
    assert len(ours) <= 36
    assert calls <= 2000  # 1,500 on aiohttp; with one dataclass more they would be some 400 more
    assert not (tmp_path / "new.sqlite").exists()


def test_threads_that_ask_first_make_one_cache(tmp_path: Path) -> None:
    with CachedSession(tmp_path / "a.sqlite") as session, ThreadPoolExecutor(8) as threads:
        start = threading.Barrier(8)

        def ask(_: int) -> Any:
            start.wait()
            return session._cache

        assert len(set(map(id, threads.map(ask, range(8))))) == 1


def test_a_relative_path_is_that_of_the_folder_where_the_session_was_made(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with CachedSession("a.sqlite") as session:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        session.get(origin.on("/a", fresh(b"1")))
        assert os.listdir() == []
        assert (tmp_path / "a.sqlite").exists()
        assert str(tmp_path / "a.sqlite") in repr(session)


def test_a_session_that_asked_nothing_is_closed_without_a_cache(tmp_path: Path) -> None:
    with CachedSession(tmp_path / "a.sqlite", secret_key=KEY) as session:
        assert "signed" in repr(session)
    assert not is_made(session, "_cache")
    assert not (tmp_path / "a.sqlite").exists()


def test_a_session_that_asked_nothing_closes_the_store_that_it_was_given(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "a.sqlite")
    store.open(signed=False)
    CachedSession(store).close()
    assert store.known_entries() is None  # it is not open


def test_a_session_that_asked_nothing_travels(origin: Origin, tmp_path: Path) -> None:
    url = origin.on("/a", fresh(b"1"))
    with CachedSession(tmp_path / "a.sqlite", secret_key=KEY, expire_after=60) as session:
        copy = pickle.loads(pickle.dumps(session))
    with copy:
        copy.get(url)
        assert copy.get(url).from_cache
        assert copy.policy.expire_after == 60


NOTING = """
import asyncio, json, sys, threading
from sansio_cache import AsyncCachedSession, TrioCachedSession
at = []
late = ("sansio_cache.exchange", "itsdangerous", "msgspec", "sqlite3", "http.cookiejar")
def hook(event, arguments):
    if event == "import" and arguments[0] in late:
        at.append((arguments[0], threading.current_thread() is threading.main_thread()))
async def ask_aiohttp():
    session = AsyncCachedSession(cache=sys.argv[1], secret_key=sys.argv[2])
    async with session, session.get(sys.argv[3]) as response:
        assert response.status == 200
async def ask_without_a_block():
    session = AsyncCachedSession(cache=sys.argv[1], secret_key=sys.argv[2])
    async with session.get(sys.argv[3]) as response:
        assert response.status == 200
    await session.close()
async def ask_trio():
    async with TrioCachedSession(cache=sys.argv[1], secret_key=sys.argv[2]) as session:
        assert (await session.get(sys.argv[3])).status == 200
sys.addaudithook(hook)
"""
ASKS = {
    "aiohttp": "asyncio.run(ask_aiohttp())",
    "aiohttp without a block": "asyncio.run(ask_without_a_block())",
    "trio": "import trio; trio.run(ask_trio)",
    "trio's on asyncio": "asyncio.run(ask_trio())",
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_a_loop_is_not_held_up_by_the_imports_of_the_first_request(ask: str, origin: Origin, tmp_path: Path) -> None:
    script = f"{NOTING}{ask}\nprint(json.dumps(at))"
    command = [sys.executable, "-c", script, tmp_path / "new.sqlite", KEY, origin.on("/a", fresh(b"1"))]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    imported_at = json.loads(ran.stdout)
    assert {"sansio_cache.exchange", "itsdangerous", "msgspec", "sqlite3"} <= {name for name, _ in imported_at}
    assert not [name for name, on_the_loop in imported_at if on_the_loop]


AFTER_MAIN = """
import asyncio, json, sys, threading
from sansio_cache import AsyncCachedSession
async def ask():
    async with AsyncCachedSession(cache=sys.argv[1]) as session, session.get(sys.argv[2]) as response:
        print(response.status)
def later():
    threading.main_thread().join()
    asyncio.run(ask())
threading.Thread(target=later).start()
"""


def test_a_first_request_may_come_when_the_main_thread_has_ended(origin: Origin, tmp_path: Path) -> None:
    """No executor begins a thread by then."""
    command = [sys.executable, "-c", AFTER_MAIN, tmp_path / "new.sqlite", origin.on("/a", fresh(b"1"))]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout == "200\n"
