"""G29: a head that somebody wrote into an unsigned store, and that httpx2 cannot show, is a miss."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from local_origin import Origin, fresh
from msgspec.structs import replace

from sansio_cache import CacheTransport
from sansio_cache.records import Head, encode_head
from sansio_cache.sealing import UNSIGNED, unframe


def altered(path: Path, **changes: Any) -> None:
    import msgspec

    with closing(sqlite3.connect(path)) as database, database:
        (sealed,) = database.execute("SELECT sealed FROM records").fetchone()
        head = msgspec.msgpack.decode(unframe(sealed)[1], type=Head)
        written = UNSIGNED.seal(encode_head(replace(head, **changes)))
        database.execute("UPDATE records SET sealed = ?", (written,))


@pytest.mark.parametrize("changes", [{"reason": "\u4e2d"}, {"headers": (("X", "\u4e2d"),)}])
def test_it_is_a_miss(tmp_path: Path, origin: Origin, changes: dict[str, Any]) -> None:
    path = tmp_path / "cache.sqlite"
    url = origin.on("/a", fresh(b"answer"))
    with httpx2.Client(transport=CacheTransport(cache=path)) as client:
        assert client.get(url).content == b"answer"
    altered(path, **changes)
    with httpx2.Client(transport=CacheTransport(cache=path)) as client:
        assert client.get(url).content == b"answer"
        assert client.get(url).content == b"answer"
    assert origin.count() == 2
