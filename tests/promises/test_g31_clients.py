"""G31: with a cache, no client takes much longer over a strange head than without."""

from __future__ import annotations

import time

import pytest
from every_client import CLIENTS, Face, play
from field_shapes import FIELDS
from local_origin import Origin, Reply
from measured import step, without_collector

from sansio_cache import MemoryStore

pytestmark = pytest.mark.serial

SIZE = 40_000
STRANGE = [
    "no-cache with a name each",
    "a directive of many words",
    "an argument of escapes",
    "Vary",
    "nearly a thousand names of Vary",
    "a targeted inner list",
    "a targeted display string",
    "Age",
    "Connection",
    "an ETag",
    "Location",
    "Cache-Status",
]
"""Fields of one line; each within what clients let through (64 KiB a line, 100 KiB a head, 100 lines)."""


async def fastest(face: Face, url: str) -> float:
    """Seconds of the thread that one answer takes at best, the first or the next one, whichever takes longer."""
    took: list[list[float]] = [[], []]
    with without_collector():
        for number in range(5):
            for times in took:
                began = time.thread_time()
                await face.get(f"{url}?{number}")
                times.append(time.thread_time() - began)
    return max(map(min, took))


@pytest.mark.parametrize("client", CLIENTS)
def test_a_strange_head_takes_little_longer_than_without_a_cache(origin: Origin, client: str) -> None:
    """G31: on the miss and after."""
    strange = {
        shape: origin.on(
            f"/{number}",
            Reply(b"x", fields=[("Cache-Control", "max-age=60"), *FIELDS[shape](SIZE), ("Date", "now"), ("X-A", "b")]),
        )
        for number, shape in enumerate(STRANGE)
    }
    keywords = {"max_line_size": 10**6, "max_field_size": 10**6} if client == "aiohttp" else {}
    took: list[dict[str, float]] = []

    async def scenario(face: Face) -> None:
        await face.get(strange["Age"])
        took.append({shape: await fastest(face, url) for shape, url in strange.items()})

    play(client, scenario, plain=True, **keywords)
    play(client, scenario, cache=MemoryStore(), **keywords)
    without, with_cache = took
    for shape in STRANGE:
        more = with_cache[shape] - without[shape]
        assert more < step(), (
            f"{shape}: {more * 1000:.1f} ms more than the {without[shape] * 1000:.1f} ms of the client"
        )
