"""The checks of ``doctor``: each is a function that yields findings. None of them changes anything."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import stat
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, NamedTuple

from sansio_cache.digests import NOT_INSTALLED
from sansio_cache.errors import StoreBusy, StoreError
from sansio_cache.freshness import CLOCK_SKEW
from sansio_cache.records import Flaw
from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.stores.sqlite.guarded import bulk_limit
from sansio_cache_adapters.stores.sqlite.opening import open_to_read
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.stores.system import SYSTEM

from .bodies import flaw_of
from .output import progress
from .place import OpenCache
from .records import walk
from .secret import SECRET
from .units import size_text

__all__ = [
    "LEVELS",
    "Finding",
    "of_damage",
    "of_file",
    "of_locks",
    "of_records",
    "of_server",
    "of_signing",
    "of_sqlite",
    "of_versions",
]

LEVELS: Final = ("ok", "note", "warning", "wrong")
"""How much a finding matters. ``wrong`` is what makes the exit status 1."""
_PACKAGES: Final = (
    *(
        "requests",
        "urllib3",
        "aiohttp",
        "httpx2",
        "h11",
        "anyio",
        "trio",
        "redis",
        "itsdangerous",
        "msgspec",
        "http-sf",
    ),
    *("brotli", "brotlicffi", "zstandard", "backports.zstd", "click", "rich", "sqlite-utils", "keyring"),
)
_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "fuse.sshfs", "9p", "ceph"})
"""File systems over which SQLite's log does not work, and locks are not to be relied upon."""
_LONG_LOG: Final = 128 * 1024**2
_LONG_CHECK: Final = 60.0
_CLIENTS: Final = ("requests", "aiohttp", "httpx2", "trio")


class Finding(NamedTuple):
    """Something that was looked at.

    :ivar level: one of :data:`LEVELS`.
    :ivar advice: what to do about it; ``""`` for nothing.
    """

    level: str
    name: str
    says: str
    advice: str = ""


def of_versions() -> Iterator[Finding]:
    """Python, this library, and what it works with."""
    python = f"Python {platform.python_version()} ({platform.python_implementation()}) on {platform.system()}"
    found = {name: known for name in _PACKAGES if (known := _version(name))}
    yield Finding("ok", "versions", f"sansio-cache {_version('sansio-cache') or 'from source'}, {python}")
    yield Finding("ok", "packages", ", ".join(f"{name} {known}" for name, known in found.items()))
    if not found.keys() & set(_CLIENTS):
        yield Finding(
            "note", "clients", "no HTTP client is installed", "pip install 'sansio-cache[requests]', or another"
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def of_sqlite(
    number: tuple[int, ...] = sqlite3.sqlite_version_info, threads: int = sqlite3.threadsafety
) -> Iterator[Finding]:
    """The library of SQLite, and its faults that concern a cache."""
    said = f"SQLite {'.'.join(map(str, number))}"
    if threads != 3:
        yield Finding("wrong", "SQLite", f"{said} was built without thread safety", "take a Python with another SQLite")
        return
    if _loses_commits(number):
        yield Finding(
            "warning",
            "SQLite",
            f"{said} can damage a file when two connections checkpoint while a third commits (all before 3.51.3, save "
            "3.50.7 and later 3.50s, 3.44.6 and later 3.44s)",
            "take a newer SQLite; until then let no other program write to the file",
        )
    else:
        yield Finding("ok", "SQLite", f"{said}, no fault known that concerns a cache")


def _loses_commits(number: tuple[int, ...]) -> bool:
    """Whether a version of SQLite has the fault of the log's reset (https://sqlite.org/wal.html)."""
    mended: dict[tuple[int, ...], tuple[int, ...]] = {(3, 44): (3, 44, 6), (3, 50): (3, 50, 7)}
    return number < mended.get(number[:2], (3, 51, 3))


def of_file(store: Any) -> Iterator[Finding]:
    """Where the store lies: what kind of place, whose, who may read it, how much room there is."""
    if not isinstance(store, SQLiteStore | FileStore):
        return
    path = Path(store.location)
    try:
        status = path.stat()
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            yield Finding("wrong", "place", f"{path} cannot be looked at: {error.strerror}")
        return
    yield from _of_mode(path, status)
    kind = _file_system(path)
    if kind in _NETWORK:
        yield Finding(
            "warning", "file system", f"it lies on {kind}, where locks between machines cannot be relied upon",
            "move it to a local disk, or take RedisStore for several machines",
        )  # fmt: skip
    free = shutil.disk_usage(path.parent).free
    level = "warning" if free < 64 * 1024**2 else "ok"
    yield Finding(level, "disk", f"{size_text(free)} are free there", "make room" if level == "warning" else "")
    yield from _of_neighbours(path)


def _of_mode(path: Path, status: os.stat_result) -> Iterator[Finding]:
    if os.name != "posix":
        return
    mode, mine = stat.S_IMODE(status.st_mode), SYSTEM.owns(status)
    said = f"mode {mode:04o}, {'yours' if mine else f'of user {status.st_uid}'}"
    if mode & 0o077:
        yield Finding("warning", "permissions", f"{said}: others could come near it", "opening it has made it private")
    elif not mine:
        yield Finding("wrong", "permissions", said, "a cache of another user's is not used: give another path")
    else:
        yield Finding("ok", "permissions", said)
    folder = path.parent.stat().st_mode
    if folder & 0o002 and not folder & stat.S_ISVTX:
        yield Finding(
            "warning", "folder", f"anyone may put other files in the place of those in {path.parent}", "chmod o-w"
        )


def _file_system(path: Path) -> str:
    """The kind of the file system that a path lies on, where Linux tells."""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    real = str(path.resolve())
    found = ("", "")
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        below = real == point or real.startswith(point.rstrip("/") + "/")
        if below and len(point) >= len(found[0]):
            found = (point, kind)
    return found[1]


def _of_neighbours(path: Path) -> Iterator[Finding]:
    aside = sorted(path.parent.glob(f"{path.name}.corrupt-*")) if path.is_file() else []
    aside += sorted(path.glob("meta.broken-*")) if path.is_dir() else []
    if aside:
        names = ", ".join(each.name for each in aside[:3]) + (", …" if len(aside) > 3 else "")
        yield Finding(
            "note", "set aside", f"it was damaged before, and begun anew: {names}", "remove these when you have looked"
        )
    log = path.with_name(f"{path.name}-wal")
    size = log.stat().st_size if path.is_file() and log.exists() else 0
    if size > _LONG_LOG:
        says = f"{log.name} has {size_text(size)}: somebody holds on to an old state of the cache"
        yield Finding("warning", "log", says, "end programs that read it without end")


def of_damage(store: Any) -> Iterator[Finding]:
    """Whether the file is whole, as SQLite sees it."""
    if not isinstance(store, SQLiteStore):
        return
    try:
        reading, _ = open_to_read(store.path, bulk_limit(store.max_bytes), store.busy_timeout)
        with closing(reading) as connection:
            connection.allow(time.monotonic() + _LONG_CHECK)
            connection.verify()
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
    except (sqlite3.Error, StoreError) as error:
        yield Finding("warning", "file", f"it could not be checked: {error}")
        return
    if found == ["ok"]:
        yield Finding("ok", "file", "SQLite finds it whole")
    else:
        says = f"SQLite finds it damaged: {'; '.join(found)}"
        yield Finding("wrong", "file", says, "sessions set it aside when they meet that; clear begins anew")


def of_locks(store: Any) -> Iterator[Finding]:
    """Whether it can be written to at this moment."""
    if isinstance(store, FileStore):
        yield from _checked(store)
    elif isinstance(store, SQLiteStore):
        writing = SQLiteStore(store.path, busy_timeout=store.busy_timeout)
        try:
            yield from _checked(writing)
        finally:
            writing.close()
    else:
        began = time.perf_counter()
        store.exists()
        yield Finding("ok", "server", f"it answers in {(time.perf_counter() - began) * 1000:.1f} ms")


def of_server(store: Any) -> Iterator[Finding]:
    """The bounds of a Redis server, which are the only bounds of the cache in it."""
    if isinstance(store, SQLiteStore | FileStore):
        return
    from sansio_cache_adapters.stores.redis.store import RedisStore  # loaded only where it is used

    if not isinstance(store, RedisStore):
        return
    try:
        bound = store.bound()
    except StoreError as error:
        yield Finding("note", "maxmemory", f"the server does not say what bounds it: {error}")
        return
    said = f"maxmemory {size_text(bound.bytes)}, maxmemory-policy {bound.policy or 'not said'}"
    advice = "set maxmemory-policy allkeys-lru (volatile-lru, if it also holds what must stay)"
    if not bound.bytes:
        said = "maxmemory is not set: the cache grows until what it holds expires"
        yield Finding("warning", "maxmemory", said, f"set maxmemory, and {advice.removeprefix('set ')}")
    elif bound.policy == "noeviction":
        says = f"{said}: once it is full, nothing more is stored until something expires"
        yield Finding("warning", "maxmemory", says, advice)
    else:
        yield Finding("ok", "maxmemory", said)


def _checked(store: SQLiteStore | FileStore) -> Iterator[Finding]:
    try:
        store.check()
    except StoreBusy as error:
        yield Finding("note", "locks", f"somebody is writing right now ({error})", "that is well if it does not last")
    except StoreError as error:
        yield Finding("warning", "writing", f"it cannot be written to: {error}", "sessions read it, and store nothing")
    else:
        yield Finding("ok", "locks", "no process holds its lock: it can be written to")


def of_signing(opened: OpenCache) -> Iterator[Finding]:
    """Whether it is signed, and whether the secret is there."""
    signed, given = opened.meta.signed, opened.sealer.signed
    if opened.strange():
        says = "it was signed with another secret than the one that was given"
        yield Finding("wrong", "signature", says, "give the right one; after a change both, one a line (--secret-file)")
    elif signed and given:
        yield Finding("ok", "signature", "it is signed, and the secret was given")
    elif signed:
        yield Finding(
            "note", "signature", "it is signed, and nothing can be verified without the secret", f"set {SECRET}"
        )
    elif given:
        says = "it is not signed, and a secret was given: sessions that have one find nothing in it"
        yield Finding("wrong", "signature", says, "sansio-cache resign --sign-unsigned begins to sign it")
    else:
        says = "it is not signed: anyone who can write to it can change what programs are answered"
        yield Finding("note", "signature", says, "sansio-cache keygen, then resign --sign-unsigned")
    if any(len(key) < 16 for key in opened.sealer.keys):
        yield Finding("warning", "secret", "it is shorter than 16 bytes", "sansio-cache keygen, then rotate")


def of_records(opened: OpenCache, *, bodies: bool) -> Iterator[Finding]:
    """Findings about stored responses: how many there are, and how many are damaged."""
    size = opened.store.size()
    yield Finding("ok", "stored", f"{size.entries} responses, {size_text(size.bytes)}")
    flaws: Counter[str] = Counter()
    ahead = expired = unknown = 0
    with progress("looking", size.entries) as tick:
        for found in walk(opened, tick):
            row = found.row
            flaw = None if opened.unverified else flaw_of(opened, found) if bodies else None
            if row.state == "unsigned" and not opened.meta.signed:
                continue  # said before
            if flaw is Flaw.DIGEST:
                unknown += 1
            elif not row.usable or flaw is not None:
                flaws[flaw.value if flaw is not None else row.state] += 1
            ahead += row.stored_at > opened.now + CLOCK_SKEW
            expired += row.state == "stale"
    if flaws and not opened.strange():
        said = ", ".join(f"{count} {name}" for name, count in sorted(flaws.items()))
        yield Finding(
            "wrong", "damage", f"{said}: misses to every session", "verify names them, purge --invalid removes them"
        )
    elif flaws or opened.unverified:
        yield Finding("note", "damage", "not looked for, without the secret")
    else:
        yield Finding("ok", "damage", f"none found{'' if bodies else ' in heads; --bodies reads bodies, too'}")
    if unknown:
        yield Finding("warning", "digest", f"{unknown} have bodies that cannot be verified here", NOT_INSTALLED)
    if ahead:
        yield Finding("warning", "clock", f"{ahead} were stored in this clock's future", "see that clocks are right")
    if expired:
        yield Finding("note", "stale", f"{expired} stale: validated or replaced when asked for")
