"""Deleting what has expired, while another process goes on writing."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from time import perf_counter

from suite.clients import Client
from suite.model import KIB, Cell, Figure, Scenario
from suite.processes import Gate, Workers
from suite.timing import Untrue, sleep_until

SIZE = KIB
SEED = 500
SLOW = 1_000
"""aiohttp-client-cache needs milliseconds for an entry: more entries would say the same and take minutes."""


async def purge(cell: Cell) -> dict[str, float]:
    """The seconds that a purge takes, and how long another process's cold requests take before and during it."""
    count = min(cell.scale.many, SLOW if cell.contender.name == "aiohttp-client-cache" else cell.scale.many)
    client = cell.client("obey")
    await client.start()
    await _fill(cell, client, count)
    held = await client.left()
    writer = Workers(cell, _write, 1, waiting=1)
    writer.gate.barrier.wait()  # it has opened the store
    writer.gate.barrier.wait()  # it knows how long its requests take without a purge
    started = perf_counter()
    await client.purge()
    took = perf_counter() - started
    writer.gate.stop.set()
    (waits,) = writer.result()
    purged = held + waits["written"] - await client.left()
    await client.close()
    if purged < count:
        raise Untrue(f"{purged:.0f} of {count} expired entries were purged, {held} entries were there")
    return {"seconds": took, "rows": count / took, **waits}


async def _fill(cell: Cell, client: Client, count: int) -> None:
    """Fill the store with entries that expire all at the same second, and wait for it.

    No entry may expire before the last one is there, since a store may sweep by itself. So how long the filling will
    take is measured first.
    """
    probe = cell.origin.urls("b", SIZE, SEED, "probe")
    each = await _each(client.fill(probe))
    others = SEED
    if client.multiplies:
        others += SEED
        each += await _each(client.multiply(others, probe[-1])) * count / SEED
    own = SEED if client.multiplies else count
    until = int(time.time() + 5 + 1.5 * each * own)
    old = cell.origin.urls(f"u/{until}", SIZE, own, f"old{os.getpid()}")
    await client.fill(old)
    if client.multiplies:
        await client.multiply(count + others, old[-1])
    sleep_until(until + 1.5)


async def _each(work: Awaitable[object]) -> float:
    """The seconds that this took for each of SEED entries."""
    started = perf_counter()
    await work
    return (perf_counter() - started) / SEED


async def _write(cell: Cell, gate: Gate, index: int) -> dict[str, float]:
    """How long cold requests take, in milliseconds: 999 of 1,000 take less."""
    client = cell.client("obey")
    await client.start()
    await client.serial([cell.origin.url("b", SIZE, "opens the store")])
    gate.barrier.wait()
    until = perf_counter() + 2 * cell.scale.seconds
    idle = await _latencies(cell, client, "idle", lambda: perf_counter() > until)
    gate.barrier.wait()
    busy = await _latencies(cell, client, "busy", gate.stop.is_set)
    await client.close()
    return {"p999": _p999(busy), "p999_idle": _p999(idle), "written": 1.0 + len(idle) + len(busy)}


async def _latencies(cell: Cell, client: Client, name: str, over: Callable[[], bool]) -> list[float]:
    latencies: list[float] = []
    while not latencies or not over():
        url = cell.origin.url("b", SIZE, f"{name}{os.getpid()}-{len(latencies)}")
        started = perf_counter()
        await client.serial([url])
        latencies.append(perf_counter() - started)
    return latencies


def _p999(latencies: list[float]) -> float:
    return 1000 * sorted(latencies)[int(len(latencies) * 0.999)]


SCENARIOS = (
    Scenario(
        "purge",
        "Purge of 100,000 expired entries (aiohttp-client-cache: 1,000) while another process writes",
        (
            Figure("seconds", "s", "less"),
            Figure("rows", "entries/s"),
            Figure("p999", "ms p99.9 of the writer", "less"),
            Figure("p999_idle", "ms p99.9 without a purge", "less"),
        ),
        frozenset({"purge"}),
        purge,
        most_rounds=1,
    ),
)
