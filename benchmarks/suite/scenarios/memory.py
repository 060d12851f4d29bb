"""Whether a large body passes in bounded memory, and what a session keeps in mind of many small ones."""

from __future__ import annotations

import gc
import os
from pathlib import Path

from suite.model import MIB, Cell, Figure, Scenario
from suite.timing import Untrue

STATUS = Path("/proc/self/status")
STORED, HITS = 1_000, 10_000
PEERS_SIZE = 64 * MIB
"""Peers that hold the body several times over would need more memory than most machines have for a GiB of it."""


def resident() -> int:
    """This process's resident set, in bytes."""
    return _field("VmRSS")


def high_water() -> int:
    """The largest resident set since `forget`, in bytes."""
    return _field("VmHWM")


def forget() -> None:
    """Let the high-water mark start anew (Linux: writing 5 to clear_refs does that, and nothing else)."""
    Path("/proc/self/clear_refs").write_text("5")


def _field(name: str) -> int:
    if not STATUS.exists():
        raise Untrue("needs /proc")
    for line in STATUS.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


async def huge_body(cell: Cell) -> dict[str, float]:
    """The peak of resident memory above that after one warm-up request, of a miss and of a hit, both streamed."""
    size = cell.scale.huge if cell.contender.role == "ours" else min(PEERS_SIZE, cell.scale.huge)
    client = cell.client("huge")
    await client.start()
    await client.drain(cell.origin.url("b", 1024, f"warm{os.getpid()}"))
    at_rest = resident()
    url = cell.origin.url("b", size, f"huge{os.getpid()}")
    figures = {"body": size / MIB}
    for key in ("miss", "hit"):
        forget()
        if (total := await client.drain(url)) != size:
            raise Untrue(f"{total} bytes instead of {size}")
        figures[key] = (high_water() - at_rest) / MIB
    figures["fetches"] = float(cell.origin.fetches(url))
    await client.close()
    return figures


async def kept_in_mind(cell: Cell) -> dict[str, float]:
    """The resident memory after a thousand stored and ten thousand hits, above that after one of each."""
    client = cell.client()
    await client.start()
    urls = cell.origin.urls("b", 1024, STORED, f"mind{os.getpid()}-")
    for _ in range(2):
        await client.serial(urls[:1])
    gc.collect()
    at_rest = resident()
    await client.serial(urls)
    gc.collect()
    figures = {"stored": (resident() - at_rest) / MIB}
    for _ in range(HITS // STORED):
        await client.serial(urls)
    gc.collect()
    figures["mib"] = (resident() - at_rest) / MIB
    await client.close()
    return figures


SCENARIOS = (
    Scenario(
        "memory",
        "Memory after 1,000 stored and 10,000 hits, 1 KiB, above that after one of each",
        (Figure("mib", "MiB", "less"), Figure("stored", "MiB before the hits", "less")),
        frozenset({"store"}),
        kept_in_mind,
        only=frozenset(
            {
                "requests",
                "requests-cache",
                "requests-cache-signed",
                "cachecontrol-file",
                "hishel-requests",
                "hishel-trio",
                "aiohttp",
                "aiohttp-client-cache",
                "aiohttp-client-cache-signed",
                "ours-requests-signed",
                "ours-requests-files",
                "ours-aiohttp-signed",
                "ours-trio-signed",
            }
        ),
        most_rounds=1,
    ),
    Scenario(
        "huge_body",
        "Peak memory while a large body passes (1 GiB for ours, 64 MiB for the others)",
        (
            Figure("miss", "MiB at the miss", "less"),
            Figure("hit", "MiB at the hit", "less"),
            Figure("body", "MiB of body"),
            Figure("fetches", "fetches", "less"),
        ),
        frozenset({"store"}),
        huge_body,
        only=frozenset(
            {
                "requests",
                "requests-cache",
                "requests-cache-signed",
                "cachecontrol-file",
                "cachecontrol-separate",
                "hishel-requests",
                "hishel-httpx2",
                "hishel-trio",
                "aiohttp",
                "aiohttp-client-cache",
                "aiohttp-client-cache-signed",
                "ours-requests-signed",
                "ours-aiohttp-signed",
                "ours-trio-signed",
            }
        ),
        most_rounds=1,
    ),
)
