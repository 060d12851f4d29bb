"""A million entries: what a hit, a miss, opening and a purge of a tenth cost then. Minutes long, so run where named."""

from __future__ import annotations

import os
import time
from time import perf_counter

from suite.model import KIB, Cell, Figure, Scenario
from suite.timing import Rate, Untrue, cycle, never_twice, sleep_until, take_turns

SIZE = KIB
FEW = 1_000
EACH = 0.001
"""Seconds that filling takes at most for one entry: no entry may expire before the last is there."""


async def million(cell: Cell) -> dict[str, float]:
    """The rates of hits and misses beside those of a store of a thousand, the first hit of a session, and a purge."""
    count = cell.scale.most
    small, large = (cell.client("huge", cell.folder / name) for name in ("few", "many"))
    urls = cell.origin.urls("b", SIZE, FEW, f"known{os.getpid()}-")
    for client in (small, large):
        await client.start()
        await client.fill(urls)
    started = perf_counter()
    expired = f"u/{int(time.time() + 5 + EACH * count / 10)}"
    until = int(expired[2:])
    old = cell.origin.url(expired, SIZE, f"old{os.getpid()}")
    await large.fill([old])
    await large.multiply(FEW + count // 10, old)
    await large.multiply(count, urls[-1])
    filled = perf_counter() - started
    await large.close()

    large = cell.client("huge", cell.folder / "many")
    started = perf_counter()
    await large.start()
    await large.serial(urls[:1])
    figures = {"filled": filled, "opened": 1000 * (perf_counter() - started)}

    await large.serial(urls)  # what the other session has seen before, this one has, too
    hits = [Rate(client.serial, cycle(urls), SIZE) for client in (small, large)]
    before, _ = cell.origin.totals()
    await take_turns(cell.scale.seconds, *hits)
    if reached := cell.origin.totals()[0] - before:
        raise Untrue(f"{reached} requests reached the origin")
    fresh = [
        Rate(
            client.serial, never_twice(lambda name: cell.origin.url("b", SIZE, name), f"new{index}-{os.getpid()}"), SIZE
        )
        for index, client in enumerate((small, large))
    ]
    await take_turns(cell.scale.seconds, *fresh)
    for key, rates in (("hit", hits), ("miss", fresh)):
        figures |= {key: rates[1].per_second / rates[0].per_second, f"{key}_ops": rates[1].per_second}

    sleep_until(until + 1.5)
    held = await large.left()
    started = perf_counter()
    await large.purge()
    figures |= {"purged": perf_counter() - started, "entries": float(held)}
    if (gone := held - await large.left()) < count // 10:
        raise Untrue(f"{gone} of {count // 10} expired entries were purged")
    for client in (small, large):
        await client.close()
    return figures


SCENARIOS = (
    Scenario(
        "million",
        "A million entries on SQLite",
        (
            Figure("hit", "x the hits at 1,000"),
            Figure("hit_ops", "hits/s"),
            Figure("miss", "x the misses at 1,000"),
            Figure("miss_ops", "misses/s"),
            Figure("opened", "ms until the first hit", "less"),
            Figure("purged", "s to purge a tenth", "less"),
            Figure("filled", "s to fill", "less"),
            Figure("entries", "entries"),
        ),
        frozenset({"store", "purge"}),
        million,
        only=frozenset({"ours-requests-signed"}),
        most_rounds=1,
        optional=True,
    ),
)
