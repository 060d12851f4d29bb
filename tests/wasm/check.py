"""What runs on CPython in WebAssembly, a version that may be nowhere else: sessions of requests, and the core.

``run.mjs`` calls :func:`main`. What needs threads, sockets or processes is left out.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

from sansio_cache import CachedSession, MemoryStore

WITHOUT = (
    "--ignore=tests/core/test_drivers.py",  # trio
    "--ignore=tests/core/test_exchange.py",
    "--ignore=tests/core/test_front_door.py",  # processes
    "--ignore=tests/core/test_moved.py",  # clients
    "--deselect=tests/core/test_expiry.py::test_a_naive_datetime_is_local_time",  # another zone
    "-k not deep",  # what is too deep for the stack ends the whole program there
)


class Origin(BaseAdapter):
    """Answers every request with something that stays fresh."""

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        fields = {"Cache-Control": "max-age=60", "Content-Length": "5"}
        raw = HTTPResponse(io.BytesIO(b"hello"), fields, 200, preload_content=False)
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None: ...


def session_hits(cache: Any) -> bool:
    """Whether a session stores and answers."""
    with CachedSession(cache, secret_key="a secret of some length") as session:
        session.mount("http://", Origin())
        found = [session.get("http://example.org/").from_cache for _ in range(3)]
        print(session, found)
    return found == [False, True, True]


def main(tests: Sequence[str]) -> int:
    """The exit status."""
    print(f"Python {sys.version.split()[0]} on {sys.platform}")
    if not all([session_hits(MemoryStore()), session_hits("/tmp/cache.sqlite")]):
        return 1
    if not tests:
        return 0
    import pytest

    os.chdir("/tree")
    # Above the core's tests lie servers, which cannot be there.
    options = ["-q", "-p", "no:cacheprovider", "-o", "timeout=0", "--tb=short", "--confcutdir=/tree/tests/core"]
    return int(pytest.main([*options, *WITHOUT, *tests]))
