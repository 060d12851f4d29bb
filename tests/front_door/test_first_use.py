"""At first use: constructors touch nothing, and what is in the way is named once, to the program's author."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from every_client import CLIENTS, Face, make, play
from local_origin import Origin, fresh

from sansio_cache import (
    AsyncCachedSession,
    CacheAdapter,
    CachedSession,
    CacheMiddleware,
    CacheWarning,
    FileStore,
    MemoryStore,
    RedisStore,
    SQLiteStore,
    install_cache,
    uninstall_cache,
)

STORES: dict[str, Callable[[Path], Any]] = {
    "path": str,
    "sqlite": SQLiteStore,
    "files": FileStore,
    "memory": lambda _: MemoryStore(),
    "redis": lambda _: RedisStore("redis://127.0.0.1:1"),
}


@pytest.fixture
def touched(tmp_path: Path) -> Iterator[list[str]]:
    """Audit events of the file system and of sockets that name the test's own folder, or any address."""
    seen: list[str] = []
    watching = [True]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event in ("open", "os.mkdir", "os.listdir", "os.scandir", "sqlite3.connect", "socket.connect"):
            named = str(arguments[0] if event != "socket.connect" else arguments[1])
            if event == "socket.connect" or str(tmp_path) in named:
                seen.append(f"{event} {named}")

    sys.addaudithook(hook)  # it stays for ever, and sees nothing once the test is over
    yield seen
    watching.clear()


@pytest.mark.parametrize("client", [*CLIENTS, "adapter", "middleware", "install_cache"])
@pytest.mark.parametrize("kind", STORES)
def test_a_constructor_touches_nothing(client: str, kind: str, tmp_path: Path, touched: list[str]) -> None:
    others: dict[str, Callable[..., Any]] = {
        "adapter": CacheAdapter,
        "middleware": CacheMiddleware,
        "install_cache": install_cache,
    }

    async def main() -> None:
        made = others.get(client, partial(make, client))(cache=STORES[kind](tmp_path / "folder" / "cache"))
        assert not touched
        assert not (tmp_path / "folder").exists()
        if isinstance(made, AsyncCachedSession):
            await made.close()
        uninstall_cache()

    anyio.run(main)


def text(path: Path) -> None:
    path.write_text("notes, ä\n" * 700, "utf-8")


def folder(path: Path) -> None:
    path.mkdir()
    (path / "of mine").touch()


def database(*statements: str) -> Callable[[Path], None]:
    def build(path: Path) -> None:
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return build


FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a text": (text, "is a text"),
    "bytes": (lambda path: path.write_bytes(bytes(range(256))), "is a file of another kind"),
    "a folder": (folder, "is a folder with other things in it"),
    "a pipe": (os.mkfifo, "is no regular file"),
    "a database": (database("CREATE TABLE accounts (name TEXT)"), "is a database of another program"),
    "requests-cache": (
        database(
            "CREATE TABLE responses (    key TEXT PRIMARY KEY,    value BLOB,     expires INTEGER)",
            "CREATE INDEX expires_idx ON responses(expires)",
            "CREATE TABLE redirects (    key TEXT PRIMARY KEY,    value BLOB,     expires INTEGER)",
        ),
        "is a cache of requests-cache",
    ),
    "aiohttp-client-cache": (
        database(
            "CREATE TABLE `responses` (key PRIMARY KEY, value)", "CREATE TABLE `redirects` (key PRIMARY KEY, value)"
        ),
        "is a cache of aiohttp-client-cache",
    ),
    "hishel": (
        database("CREATE TABLE entries (id BLOB PRIMARY KEY)", "CREATE TABLE streams (entry_id BLOB, chunk BLOB)"),
        "is a cache of hishel",
    ),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_not_ours_is_named_once_with_what_to_do(what: str, tmp_path: Path, origin: Origin) -> None:
    """G20: the requests succeed, the place is left as it is, and its owner is told at the line that asked."""
    build, said = FOREIGN[what]
    path = tmp_path / "place"
    build(path)
    before = path.read_bytes() if path.is_file() else None
    url = origin.on("/a", fresh(b"x"))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(2):
            with CachedSession(path) as session:
                assert [session.get(url).content for _ in range(2)] == [b"x", b"x"]
    (one,) = told
    assert issubclass(one.category, CacheWarning)
    assert one.filename == __file__
    assert f"{path} {said}" in str(one.message)
    assert "left as it is" in str(one.message)
    assert "Give another path" in str(one.message)
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_says_so(client: str, tmp_path: Path, origin: Origin) -> None:
    path = tmp_path / "place"
    text(path)
    url = origin.on("/a", fresh(b"x"))

    async def scenario(face: Face) -> None:
        assert [(await face.get(url)).body for _ in range(2)] == [b"x", b"x"]

    with pytest.warns(CacheWarning, match="is a text"):
        play(client, scenario, cache=path)


@pytest.mark.parametrize(
    ("kind", "build", "said"),
    [
        (FileStore, text, "is a file, where FileStore needs a folder"),
        (FileStore, folder, "is a folder with other things in it"),
        (
            FileStore,
            lambda path: (path.mkdir(), (path / "redirects.sqlite").touch()),
            "requests-cache or aiohttp-client",
        ),
        (SQLiteStore, lambda path: FileStore(path).open(signed=False), r"a folder of FileStore, which opens it"),
        (SQLiteStore, lambda path: path.mkdir(), "is a folder:"),
    ],
)
def test_each_store_says_what_it_found(kind: Any, build: Any, said: str, tmp_path: Path, origin: Origin) -> None:
    path = tmp_path / "place"
    build(path)
    with pytest.warns(CacheWarning, match=said), CachedSession(kind(path)) as session:
        assert session.get(origin.on("/a", fresh(b"x"))).content == b"x"


@pytest.mark.parametrize("client", CLIENTS)
def test_no_answer_is_lost_where_warnings_are_errors(
    client: str, tmp_path: Path, origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    """The log line tells then."""
    path = tmp_path / "place"
    text(path)
    url = origin.on("/a", fresh(b"x"))

    async def scenario(face: Face) -> None:
        assert (await face.get(url)).body == b"x"

    with warnings.catch_warnings(), caplog.at_level(logging.WARNING, "sansio_cache"):
        warnings.simplefilter("error")
        play(client, scenario, cache=path)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"the cache at {path} is bypassed: {path} is a text")


NO_HOME = """
import os, pwd, sys, warnings
def nobody(_):
    raise KeyError("uid not found")
pwd.getpwuid = nobody
for name in ("HOME", "XDG_CACHE_HOME"):
    os.environ.pop(name, None)
if len(sys.argv) > 2:
    os.environ["HOME"] = sys.argv[2]
given = os.environ.get("GIVEN")
from sansio_cache import CachedSession, install_cache, uninstall_cache
import requests
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    for _ in range(2):
        with CachedSession(given) as session:
            print(session.get(sys.argv[1]).text, session.get(sys.argv[1]).cache_status)
    install_cache(given)
    print(requests.get(sys.argv[1]).text)
    uninstall_cache()
for each in told:
    print(each.category.__name__, each.message)
"""


@pytest.mark.parametrize(
    ("home", "given"), [(None, None), (None, "~/cache.sqlite"), ("/proc/nobody", None), ("/dev/null", None)]
)
def test_without_a_home_a_session_works_and_says_once_what_to_give(
    home: str | None, given: str | None, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers run as a number: no HOME and no line in /etc/passwd, or a HOME in which nothing can be made."""
    url = origin.on("/a", fresh(b"hello"))
    if given is not None:
        monkeypatch.setenv("GIVEN", given)
    arguments = [sys.executable, "-c", NO_HOME, url, *([home] if home else [])]
    said = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=50).stdout.splitlines()
    assert [line.split()[0] for line in said[:3]] == ["hello"] * 3
    assert all("store-unavailable" in line for line in said[:2])
    (warning,) = said[3:]
    assert warning.startswith("CacheWarning ")
    assert 'cache="/a/folder/cache.sqlite"' in warning
