"""Writes caches with other libraries, and says what these read from them; run in a process of its own.

    python peer_caches.py FOLDER BASE_URL

For each kind there is a file ``KIND.sqlite`` or a folder ``KIND`` in FOLDER afterwards, and ``KIND.json``: the list of
what the library itself reads. Their modules warn, patch and start threads: nothing for the process of the tests.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

KEY = "what the other library signs with"
KINDS = {
    "requests-cache": [
        *(
            "rc_sqlite_pickle",
            "rc_sqlite_signed",
            "rc_sqlite_json",
            "rc_sqlite_yaml",
            "rc_sqlite_bson",
            "rc_sqlite_wal",
        ),
        *("rc_files_json", "rc_files_pickle", "rc_files_signed", "rc_files_yaml", "rc_files_lru"),
    ],
    "aiohttp-client-cache": ["ac_sqlite", "ac_sqlite_signed", "ac_files", "ac_files_signed"],
}
FAR = datetime(2090, 1, 1, tzinfo=UTC)
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/plain", {}),
    ("GET", "/tagged", {}),
    ("GET", "/coded", {}),
    ("GET", "/negotiated", {}),
    ("GET", "/bytes", {}),
    ("GET", "/large", {}),
    ("GET", "/empty", {}),
    ("GET", "/missing", {}),
    ("GET", "/latin", {}),
    ("GET", "/q?b=2&a=1", {}),
    ("GET", "/moved/2", {}),
    ("GET", "/language", {"headers": {"Accept-Language": "de"}}),
    ("GET", "/mine", {"headers": {"X-Session-Token": "made up"}}),
    ("GET", "/stale", {"expire_after": 1}),
    ("GET", "/never", {"expire_after": -1}),
    ("GET", "/far", {"expire_after": FAR}),
    ("HEAD", "/headed", {}),
    ("POST", "/posted", {"json": {"b": 1, "a": [True, None]}}),
    ("POST", "/posted", {"data": {"x": "1", "y": "zwei"}}),
]


def _entry(
    method: str, url: object, status: int, body: bytes | None, history: list[Any], times: tuple[Any, Any]
) -> Any:
    created, expires = (each and (each if each.tzinfo else each.replace(tzinfo=UTC)).timestamp() for each in times)
    digest = sha256(body or b"").hexdigest()
    return {
        "method": method, "url": str(url), "status": status, "sha256": digest, "history": history,
        "created": created, "expires": expires,
    }  # fmt: skip


def _requests_cache(folder: Path, base: str) -> None:
    from requests_cache import CachedSession, FileCache, SQLiteCache, safe_pickle_serializer

    signed = safe_pickle_serializer(secret_key=KEY)

    def opened(kind: str) -> Any:
        options = {
            "rc_sqlite_signed": {"serializer": signed}, "rc_files_signed": {"serializer": signed},
            "rc_sqlite_wal": {"wal": True}, "rc_files_lru": {"max_cache_bytes": 50_000_000},
        }.get(kind) or {"serializer": kind.rpartition("_")[2]}  # fmt: skip
        path = folder / kind
        backend = FileCache(path, **options) if "files" in kind else SQLiteCache(f"{path}.sqlite", **options)
        codes, methods = (200, 404), ("GET", "HEAD", "POST")
        return CachedSession(backend=backend, expire_after=86400, allowable_codes=codes, allowable_methods=methods)

    for kind in KINDS["requests-cache"]:
        with opened(kind) as session:
            for method, path, options in REQUESTS:
                session.request(method, base + path, allow_redirects=True, **options)
            found = [
                _entry(str(r.request.method), r.url, r.status_code, r.content,
                       [[hop.url, hop.status_code] for hop in r.history], (r.created_at, r.expires))
                for r in session.cache.responses.values()
            ]  # fmt: skip
        (folder / f"{kind}.json").write_text(json.dumps(found))


async def _aiohttp_client_cache(folder: Path, base: str) -> None:
    from aiohttp_client_cache import CachedSession, FileBackend, SQLiteBackend

    for kind in KINDS["aiohttp-client-cache"]:
        secret = {"secret_key": KEY} if "signed" in kind else {}
        path = str(folder / kind)
        options: Any = {"expire_after": 86400, "allowed_codes": (200, 404), "allowed_methods": ("GET", "HEAD", "POST")}
        made: Any = FileBackend(path, **secret, **options) if "files" in kind else None
        async with CachedSession(cache=made or SQLiteBackend(f"{path}.sqlite", **secret, **options)) as session:
            for method, where, more in REQUESTS:
                await session.request(method, base + where, **more)
            found: list[Any] = []
            async for key in session.cache.responses.keys():
                r: Any = await session.cache.responses.read(key)
                hops = [[str(hop.url), hop.status] for hop in r.history]
                found.append(_entry(r.method, r.url, r.status, await r.read(), hops, (r.created_at, r.expires)))
        (folder / f"{kind}.json").write_text(json.dumps(found))


OBEYING = ["/fresh", "/coded", "/large", "/language", "/tagged"]
"""What is asked of libraries that do as the response says."""


def _obeying(folder: Path, base: str) -> None:
    """hishel and CacheControl, mounted on sessions of requests."""
    import requests
    from cachecontrol import CacheControl
    from cachecontrol.caches import FileCache, SeparateBodyFileCache
    from hishel import SqliteStorage
    from hishel.requests import CacheAdapter

    hishel = requests.Session()
    hishel.mount(base, CacheAdapter(storage=SqliteStorage(database_path=folder / "hishel.sqlite")))
    files = CacheControl(requests.Session(), cache=FileCache(folder / "cachecontrol"))
    separate = CacheControl(requests.Session(), cache=SeparateBodyFileCache(folder / "cachecontrol_bodies"))
    for session in (hishel, files, separate):
        for path in OBEYING:
            assert session.get(base + path, headers={"Accept-Language": "de"}).content
        session.close()


def _many(folder: Path, base: str, count: int) -> None:
    """One cache of thousands of entries: the first is fetched, the others are the same under other names."""
    from requests_cache import CachedSession

    with CachedSession(folder / "many.sqlite", expire_after=timedelta(days=1)) as session:
        session.get(f"{base}/plain")
        (first,) = session.cache.responses.values()
        with session.cache.responses.bulk_commit():
            for number in range(count - 1):
                first.url = first.request.url = f"{base}/plain?{number}"
                session.cache.responses[f"{number:016x}"] = first


def main() -> None:
    folder, base = Path(sys.argv[1]), sys.argv[2]
    _requests_cache(folder, base)
    asyncio.run(_aiohttp_client_cache(folder, base))
    _obeying(folder, base)
    _many(folder, base, 3000)


if __name__ == "__main__":
    main()
