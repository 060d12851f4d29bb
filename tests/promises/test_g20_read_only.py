"""G20: a cache that can be read and not written to is read: on a read-only medium, in a folder of somebody else's."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_origin import Origin, fresh

pytestmark = pytest.mark.once

READER = """
import asyncio, json, logging, os, sys, tempfile, warnings

class Lines(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.WARNING:
            lines.append(record.getMessage())

path, key, hit, large, other, who, client, settings = sys.argv[1:]
lines = []
logging.getLogger("sansio_cache").addHandler(Lines())
from sansio_cache import AsyncCachedSession, CachedSession, SQLiteStore

async def await_other(place):
    async with AsyncCachedSession(cache=place) as session, session.get(other) as answer:
        await answer.read()

with tempfile.TemporaryDirectory() as folder:  # what is imported late
    if client == "requests":
        with CachedSession(folder + "/1.sqlite") as session:
            session.get(other)
    else:
        asyncio.run(await_other(folder + "/2.sqlite"))
if int(who):
    os.setgid(int(who)); os.setuid(int(who))
options = {"secret_key": key} | json.loads(settings)
store = SQLiteStore(path, busy_timeout=20)  # the machine may be busy with other things
wanted = [hit, large, hit] if options.get("offline") else [hit, other, other, large, hit]

def blocking():
    with CachedSession(store, **options) as session:
        return [[(answer := session.get(url)).from_cache, len(answer.content)] for url in wanted]

async def awaiting():
    found = []
    async with AsyncCachedSession(cache=store, **options) as session:
        for url in wanted:
            async with session.get(url) as answer:
                found.append([answer.from_cache, len(await answer.read())])
    return found

with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    logging.basicConfig()
    found = blocking() if client == "requests" else asyncio.run(awaiting())
    print(json.dumps([found, [str(each.message) for each in told if "be read" in str(each.message)], lines]))
"""


FILLER = """
import sys
from sansio_cache import CachedSession
path, key, *urls = sys.argv[1:]
with CachedSession(path, secret_key=key) as session:
    for url in urls:
        session.get(url)
"""


def filled(path: Path, key: str, *urls: str) -> None:
    """By a process that has ended: no process has the file open."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", FILLER, str(path), key, *urls], env=environment, check=True, timeout=50)


def let_through(path: Path) -> None:
    """Every user may come to where the file lies."""
    for each in path.parents:
        if str(each) != "/" and each.owner() == path.parent.owner():
            each.chmod(each.stat().st_mode | 0o055)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder of the test's own: another run of pytest would close the one that all runs share."""
    folder = Path(tempfile.mkdtemp(prefix="sc-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def urls(origin: Origin) -> tuple[str, str, str]:
    return (
        origin.on("/hit", fresh(b"stored", 10_000)),
        origin.on("/large", fresh(bytes(3_000_000), 10_000)),
        origin.on("/other", fresh(b"others", 10_000)),
    )


def read(
    path: Path,
    key: str,
    urls: tuple[str, str, str],
    *,
    who: int = 0,
    client: str = "requests",
    before: str = "",
    **settings: Any,
) -> tuple[list[list[Any]], list[str], list[str]]:
    words = [sys.executable, "-c", READER, str(path), key, *urls, str(who), client, json.dumps(settings)]
    if before:
        command = [
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            f"{before} && exec {shlex.join(words)}",
        ]
    else:
        command = words
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    found, told, lines = json.loads(done.stdout)
    return found, told, lines


UNSHARED = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
HITS = [[True, 6], [False, 6], [False, 6], [True, 3_000_000], [True, 6]]
OFFLINE = [[True, 6], [True, 3_000_000], [True, 6]]


@pytest.mark.parametrize("client", ["requests", "aiohttp"])
@pytest.mark.parametrize("folder", [0o555, 0o777], ids=["folder of root", "folder of all"])
def test_a_file_of_root_that_others_may_read(
    tmp_path: Path, key: str, urls: tuple[str, str, str], client: str, folder: int
) -> None:
    """G20, G26: in an image or a package: read, left as it is, and said once."""
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    path = tmp_path / "folder" / "cache.sqlite"
    filled(path, key, *urls[:2])
    path.chmod(0o444)
    path.parent.chmod(folder)
    let_through(path)
    before = path.read_bytes()
    found, told, lines = read(path, key, urls, who=65_534, client=client)
    assert found == HITS
    assert [len(told), len(lines)] == [1, 1], (told, lines)
    assert "can only be read" in told[0]
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o444
    for settings in ({"offline": True}, {"read_only": True}):
        found, told, lines = read(path, key, urls, who=65_534, client=client, **settings)
        assert found == (OFFLINE if "offline" in settings else HITS)
        assert [told, lines] == [[], []]


@pytest.fixture
def mounted(tmp_path: Path) -> str:
    """Makes the folder ``medium`` a file system that can only be read, in one process."""
    folder = shlex.quote(str(tmp_path / "medium"))
    command = f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}"
    (tmp_path / "medium").mkdir(mode=0o700)
    if shutil.which("unshare") is None or subprocess.run([*UNSHARED, command], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    return command


@pytest.mark.parametrize("client", ["requests", "aiohttp"])
def test_a_medium_that_can_only_be_read(
    tmp_path: Path, key: str, urls: tuple[str, str, str], mounted: str, client: str
) -> None:
    """G20: there SQLite can make none of the files that it needs beside a log."""
    path = tmp_path / "medium" / "cache.sqlite"
    filled(path, key, *urls[:2])
    found, told, lines = read(path, key, urls, client=client, before=mounted)
    assert found == HITS
    assert [len(told), len(lines)] == [1, 1], (told, lines)
    assert read(path, key, urls, client=client, before=mounted, offline=True) == (OFFLINE, [], [])
    assert {each.name for each in path.parent.iterdir()} == {"cache.sqlite", "cache.sqlite-lock"}


def test_a_log_that_cannot_be_read_there(tmp_path: Path, key: str, urls: tuple[str, str, str], mounted: str) -> None:
    """G20: the file alone would be a part of what was stored, or broken: no cache, in a sentence that says why."""
    path = tmp_path / "medium" / "cache.sqlite"
    filled(path, key, *urls[:2])
    open_ = sqlite3.connect(path)
    open_.execute("UPDATE records SET used_at = used_at + 1")
    open_.commit()
    (tmp_path / "medium" / "cache.sqlite-shm").unlink()
    found, _, lines = read(path, key, urls, before=mounted)
    open_.close()
    assert [each[0] for each in found] == [False] * 5
    assert "was not closed" in lines[0]
