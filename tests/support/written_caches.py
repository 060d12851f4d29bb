"""Caches that other libraries wrote themselves, and the origin that they asked."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from email.utils import formatdate
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import peer_caches
from local_origin import Origin, Reply

__all__ = ["Written", "missing", "write"]

_PEERS = (
    "cachecontrol",
    "filelock",
    "hishel",
    "requests_cache",
    "aiohttp_client_cache",
    "aiosqlite",
    "aiofiles",
    "yaml",
    "bson",
)


class Written(NamedTuple):
    """What the other libraries wrote.

    :ivar base: the URL of the origin that answered them, which is there no longer.
    """

    folder: Path
    base: str

    def at(self, kind: str) -> Path:
        found = self.folder / kind
        return found if found.exists() else self.folder / f"{kind}.sqlite"

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """What the library itself reads there."""
        found: list[dict[str, Any]] = json.loads((self.folder / f"{kind}.json").read_text())
        return found


def _answers(origin: Origin) -> None:
    text, as_json = {"Content-Type": "text/plain; charset=utf-8"}, {"Content-Type": "application/json"}
    content = b'{"name": "teapot", "sizes": [1, 2.5, null]}'
    squeezed = gzip.compress(content)
    origin.on("/plain", Reply(content, fields=as_json))
    for_an_hour = {"Cache-Control": "max-age=3600", "Date": formatdate(usegmt=True)}
    origin.on("/fresh", Reply(b"fresh for an hour", fields={**text, **for_an_hour}))
    origin.on("/tagged", Reply("Grüße".encode(), fields={"ETag": '"one"', **text}))
    origin.on("/coded", Reply(squeezed, fields={"Content-Encoding": "gzip", **as_json, **for_an_hour}))
    origin.on("/negotiated", Reply(squeezed, fields={"Content-Encoding": "gzip", "Vary": "Accept-Encoding", **as_json}))
    origin.on("/bytes", Reply(bytes(range(256)), fields={"Content-Type": "application/octet-stream"}))
    origin.on("/large", Reply(b"a line of no importance\n" * 100_000, fields={**text, **for_an_hour}))
    origin.on("/empty", Reply(fields=text))
    origin.on("/missing", Reply(b"nowhere", 404, text))
    origin.on("/latin", Reply("Grüße".encode("latin-1"), fields={"Content-Type": "text/plain; charset=iso-8859-1"}))
    origin.on("/moved/2", Reply(b"", 302, {"Location": "/moved/1"}))
    origin.on("/moved/1", Reply(b"", 301, {"Location": "/arrived"}))
    origin.on("/language", Reply(b"Guten Tag", fields={"Vary": "Accept-Language", **text, **for_an_hour}))
    for path in ("/q", "/arrived", "/mine", "/stale", "/never", "/far", "/headed"):
        origin.on(path, Reply(f"this is {path}".encode(), fields=text))
    origin.on("/posted", lambda seen: Reply(b"got " + seen.body, fields=text))


def missing() -> list[str]:
    """What is not installed of what writes them."""
    return [name for name in _PEERS if find_spec(name) is None]


def write(folder: Path) -> Written:
    """Each kind of cache of the other libraries, in a folder."""
    origin = Origin()
    try:
        _answers(origin)
        subprocess.run([sys.executable, peer_caches.__file__, folder, origin.url("")], check=True, timeout=120)
        return Written(folder, origin.url(""))
    finally:
        origin.close()
