"""Answers that the origin has a part in: those that are stored, and those that it only confirms."""

from __future__ import annotations

import os

from suite.model import KIB, Cell, Figure, Scenario
from suite.timing import Rate, Untrue, cycle, never_twice, percentile, take_turns

OPS = Figure("ops", "requests/s")
P99 = Figure("p99", "ms p99", "less")
SIZE = KIB
SAMPLE = 50


async def miss(cell: Cell) -> dict[str, float]:
    """The rate at which answers are fetched and stored, and the share of them that the store had afterwards.

    A cache may put off its commit, and may give up a record if it cannot keep pace: the second figure says so.
    """
    client = cell.client()
    await client.start()
    asked: list[str] = []
    make = never_twice(lambda name: cell.origin.url("b", SIZE, name), f"miss{os.getpid()}")

    def batch(count: int) -> list[str]:
        urls = list(make(count))
        asked.extend(urls)
        return urls

    await client.serial([cell.origin.url("b", SIZE, "first")])
    before, _ = cell.origin.totals()
    rate = Rate(client.serial, batch, SIZE)
    await take_turns(cell.scale.seconds, rate)
    p99 = await percentile(rate, cell.scale.seconds)
    if (reached := cell.origin.totals()[0] - before) != rate.done:
        raise Untrue(f"{reached} requests reached the origin, {rate.done} were made")
    await client.close()
    figures = {"ops": rate.per_second, "p99": p99}
    if "share" in cell.contender.does:
        figures["kept"] = await _kept(cell, asked[:: max(1, len(asked) // SAMPLE)])
    return figures


async def _kept(cell: Cell, urls: list[str]) -> float:
    client = cell.client()
    await client.start()
    before, _ = cell.origin.totals()
    await client.serial(urls)
    missing = cell.origin.totals()[0] - before
    await client.close()
    return 100 * (1 - missing / len(urls))


async def validate(cell: Cell) -> dict[str, float]:
    """The rate at which stored answers are confirmed by a 304; of a client without a cache, its plain rate."""
    client = cell.client("validate")
    await client.start()
    urls = cell.origin.urls("v", SIZE, 200)
    await client.serial(urls)
    _, before = cell.origin.totals()
    rate = Rate(client.serial, cycle(urls), SIZE)
    await take_turns(cell.scale.seconds, rate)
    p99 = await percentile(rate, cell.scale.seconds)
    confirmed = cell.origin.totals()[1] - before
    await client.close()
    if "plain" not in cell.contender.does and confirmed != rate.done:
        raise Untrue(f"{confirmed} of {rate.done} requests were answered with 304")
    return {"ops": rate.per_second, "p99": p99}


SCENARIOS = (
    Scenario("miss", "Miss and store, 1 KiB", (OPS, P99, Figure("kept", "% stored")), frozenset({"fetch"}), miss),
    Scenario("validate", "Validate, 1 KiB (304)", (OPS, P99), frozenset({"fetch"}), validate),
)
