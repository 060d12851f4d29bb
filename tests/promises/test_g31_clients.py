"""G31: with a cache, no client takes much longer over a strange head than over any head of that length."""

from __future__ import annotations

import time

import pytest
from every_client import CLIENTS, Face, play
from field_shapes import FIELDS
from local_origin import Origin, Reply
from measured import step

from sansio_cache import MemoryStore

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
    for number in range(5):
        for times in took:
            began = time.thread_time()
            await face.get(f"{url}?{number}")
            times.append(time.thread_time() - began)
    return max(map(min, took))


@pytest.mark.parametrize("client", CLIENTS)
def test_a_strange_head_takes_no_longer_than_any(origin: Origin, client: str) -> None:
    """G31: on the miss and after."""
    plain = origin.on("/plain", Reply(b"x", fields=[("Cache-Control", "max-age=60"), ("X-A", "a" * SIZE)]))
    strange = {
        shape: origin.on(
            f"/{number}",
            Reply(b"x", fields=[("Cache-Control", "max-age=60"), *FIELDS[shape](SIZE), ("Date", "now"), ("X-A", "b")]),
        )
        for number, shape in enumerate(STRANGE)
    }

    async def scenario(face: Face) -> None:
        await fastest(face, plain)
        usual = await fastest(face, plain)
        for shape, url in strange.items():
            took = await fastest(face, url)
            assert took < 3 * usual + step(), f"{shape}: {took * 1000:.1f} ms, and {usual * 1000:.1f} ms for any head"

    keywords = {"max_line_size": 10**6, "max_field_size": 10**6} if client == "aiohttp" else {}
    play(client, scenario, cache=MemoryStore(), **keywords)
