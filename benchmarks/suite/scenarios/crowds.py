"""Many at once: tasks, threads, processes, and all of them for the same key."""

from __future__ import annotations

import os
import random
from functools import partial

from suite.model import KIB, Cell, Figure, Scenario
from suite.processes import Gate, spread
from suite.timing import Rate, Untrue, cycle, take_turns, turns

SIZE = KIB
THREADS = 8
TASKS = 100
STAMPEDE = 50
PROCESSES = 4


async def at_once(cell: Cell) -> dict[str, float]:
    """The hit rate of a hundred tasks or eight threads, and that of one, measured in turns."""
    client = cell.client()
    await client.start()
    urls = cell.origin.urls("b", SIZE, 1_000)
    await client.fill(urls)
    before, _ = cell.origin.totals()
    width = THREADS if client.colour == "blocking" else TASKS
    crowd = Rate(lambda some: client.at_once(some, width), cycle(urls), SIZE, step=width)
    alone = Rate(client.serial, cycle(urls), SIZE)
    await take_turns(cell.scale.seconds, crowd, alone)
    reached = cell.origin.totals()[0] - before
    if "plain" not in cell.contender.does and reached:
        raise Untrue(f"{reached} of {crowd.done + alone.done} requests reached the origin")
    await client.close()
    return {"ops": crowd.per_second, "serial": alone.per_second, "ratio": crowd.per_second / alone.per_second}


async def mixed(cell: Cell) -> dict[str, float]:
    """The rate of four processes on one store, nine hits to a miss, and how many requests failed."""
    client = cell.client()
    await client.start()
    await client.fill(cell.origin.urls("b", SIZE, 1_000))
    await client.close()
    shares = spread(cell, _mix, PROCESSES)
    return {key: sum(share[key] for share in shares) for key in ("ops", "errors")}


async def _mix(cell: Cell, gate: Gate, index: int) -> dict[str, float]:
    client = cell.client()
    await client.start()
    known = cell.origin.urls("b", SIZE, 1_000)
    chance = random.Random(index)
    await client.serial(known[:10])
    gate.barrier.wait()
    errors = done = 0
    started = gate.now()
    for turn in turns(cell.scale.seconds):
        batch = [*chance.sample(known, 9), cell.origin.url("b", SIZE, f"mix{os.getpid()}-{turn}")]
        try:
            await client.serial(batch)
        except Exception:
            errors += 1
        else:
            done += len(batch)
    took = gate.now() - started
    await client.close()
    return {"ops": done / took, "errors": errors}


async def stampede(cell: Cell) -> dict[str, float]:
    """How often the origin is asked when fifty ask for one cold key."""
    client = cell.client()
    await client.start()
    await client.serial([cell.origin.url("b", SIZE, "opens the store")])
    url = cell.origin.url("s", SIZE, f"cold{os.getpid()}")
    if await client.at_once([url] * STAMPEDE, STAMPEDE) != STAMPEDE * SIZE:
        raise Untrue("a body was cut")
    await client.close()
    return {"fetches": float(cell.origin.fetches(url))}


async def stampede_processes(cell: Cell) -> dict[str, float]:
    """The same, the fifty being spread over four processes."""
    client = cell.client()
    await client.start()
    await client.serial([cell.origin.url("b", SIZE, "opens the store")])
    await client.close()
    name = f"cold{os.getpid()}"
    shares = spread(cell, partial(_rush, name=name), PROCESSES)
    url = cell.origin.url("s", SIZE, name)
    return {"fetches": float(cell.origin.fetches(url)), "errors": sum(share["errors"] for share in shares)}


async def _rush(cell: Cell, gate: Gate, index: int, name: str) -> dict[str, float]:
    client = cell.client()
    await client.start()
    await client.serial([cell.origin.url("b", SIZE, "opens the store")])
    mine = STAMPEDE // PROCESSES + (index < STAMPEDE % PROCESSES)
    gate.barrier.wait()
    try:
        total = await client.at_once([cell.origin.url("s", SIZE, name)] * mine, mine)
    except Exception:
        return {"errors": 1}
    await client.close()
    return {"errors": float(total != mine * SIZE)}


FETCHES = Figure("fetches", "fetches", "less")
ERRORS = Figure("errors", "errors", "less")

SCENARIOS = (
    Scenario(
        "at_once",
        "100 tasks or 8 threads at once, hits of 1 KiB",
        (Figure("ops", "requests/s"), Figure("serial", "requests/s alone"), Figure("ratio", "x alone")),
        frozenset({"hit", "store"}),
        at_once,
        keeps=True,
    ),
    Scenario(
        "processes",
        "4 processes on one store, 90 % hits, 10 % misses",
        (Figure("ops", "requests/s"), ERRORS),
        frozenset({"share"}),
        mixed,
    ),
    Scenario("stampede", "50 at once for one cold key", (FETCHES,), frozenset({"store"}), stampede, most_rounds=1),
    Scenario(
        "stampede_processes",
        "50 at once for one cold key, from 4 processes",
        (FETCHES, ERRORS),
        frozenset({"share"}),
        stampede_processes,
        most_rounds=1,
    ),
)
