"""G28: what is remembered of requests is bounded in bytes, however long the URLs are that somebody has us ask for."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from every_client import Face, play
from local_origin import Origin, fresh

from sansio_cache import MemoryStore
from sansio_cache.keys import KeyMaker
from sansio_cache.messages import Headers, Request
from sansio_cache.policy import Policy

pytestmark = pytest.mark.once

LONG = "x" * 60_000
ASKED = 300
MOST = 40_000_000
"""Bytes that 18 MB of URLs may leave behind; a memory by number kept each of them three to eight times."""


def left_behind() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.parametrize("settings", [{}, {"ignored_parameters": ["x"]}], ids=["plain", "ignored parameters"])
def test_keys(settings: dict[str, list[str]]) -> None:
    """G28: the keys of any number of URLs, of any length."""
    maker = KeyMaker(Policy(**settings), bytes(32))
    tracemalloc.start()
    try:
        for length in (100, 10_000, 1_000_000):
            for number in range(100):
                maker.keys(Request("GET", f"http://127.0.0.1/{number}?q=%41" + "a" * length))
        assert left_behind() < 12_000_000
    finally:
        tracemalloc.stop()


def test_what_vary_nominates() -> None:
    """G28: the hashes of any number of values, of any length."""
    maker = KeyMaker(Policy(), bytes(32))
    tracemalloc.start()
    try:
        for length in (10, 1_000, 100_000):
            for number in range(1_000):
                maker.vary_tag("x-a", Headers([("X-A", f"{number}" + "a" * length)]))
        assert left_behind() < 500_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("client", ["requests", "aiohttp", "trio", "httpx"])
def test_clients(origin: Origin, client: str) -> None:
    """G28: of long URLs a session remembers few."""
    origin.on("/a", fresh(b"x"))

    async def scenario(face: Face) -> None:
        await face.get(origin.url("/a"))
        tracemalloc.start()
        try:
            for number in range(ASKED):
                await face.get(origin.url(f"/a?{number}{LONG}"))
                origin.seen.clear()
            assert left_behind() < MOST
        finally:
            tracemalloc.stop()

    play(client, scenario, cache=MemoryStore(1_000_000))
