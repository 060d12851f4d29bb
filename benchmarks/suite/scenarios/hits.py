"""Answers from the store: small, large, and out of many."""

from __future__ import annotations

from functools import partial

from suite.contenders import CONTENDERS
from suite.model import KIB, MIB, Cell, Figure, Scenario
from suite.timing import Rate, Untrue, cycle, take_turns

OPS = Figure("ops", "requests/s")
SMALL = KIB


async def hit(cell: Cell, size: int, entries: int) -> dict[str, float]:
    """The rate at which bodies of that size are answered, out of so many stored ones."""
    client = cell.client()
    await client.start()
    urls = cell.origin.urls("b", size, entries)
    if await client.fill(urls) != size * entries:
        raise Untrue("a body was cut while filling")
    before, _ = cell.origin.totals()
    rate = Rate(client.serial, cycle(urls), size)
    await take_turns(cell.scale.seconds, rate)
    reached = cell.origin.totals()[0] - before
    if "plain" not in cell.contender.does and reached:
        raise Untrue(f"{reached} of {rate.done} requests reached the origin")
    await client.close()
    return {"ops": rate.per_second}


async def growth(cell: Cell) -> dict[str, float]:
    """The hit rate out of many entries against that out of a thousand, both measured in turns in one process."""
    few = 1_000
    rates = []
    clients = []
    for name, entries in (("few", few), ("many", cell.scale.many)):
        folder = cell.folder / name
        client = cell.client(folder=folder)
        await client.start()
        urls = cell.origin.urls("b", SMALL, few if client.multiplies else entries, name)
        known = urls[:: len(urls) // few]  # both ask for a thousand; the many lie between those that are asked for
        if not (folder / "filled").exists():
            await client.fill(urls)
            if client.multiplies and entries > few:
                await client.multiply(entries, urls[-1])
            (folder / "filled").touch()
        rates.append(Rate(client.serial, cycle(known), SMALL))
        clients.append(client)
    before, _ = cell.origin.totals()
    await take_turns(cell.scale.seconds, *rates)
    if reached := cell.origin.totals()[0] - before:
        raise Untrue(f"{reached} requests reached the origin")
    for client in clients:
        await client.close()
    small, large = (rate.per_second for rate in rates)
    return {"kept": large / small, "ops": large, "ops_few": small}


LARGE = frozenset(
    contender.name
    for contender in CONTENDERS
    if contender.role != "limit"
    or contender.name in {"limit-requests-signed", "limit-aiohttp-signed", "limit-trio-signed"}
)
"""Whom large bodies are asked of: of the limits only those that verify, since the rest is one read."""

SCENARIOS = (
    Scenario(
        "warm_hit",
        "Warm hit, 1 KiB, 12 header fields, 1,000 entries",
        (OPS,),
        frozenset({"hit"}),
        partial(hit, size=SMALL, entries=1_000),
        keeps=True,
    ),
    Scenario(
        "hit_100k",
        "Hit, 100 KiB",
        (OPS,),
        frozenset({"hit"}),
        partial(hit, size=100 * KIB, entries=100),
        keeps=True,
        only=LARGE,
    ),
    Scenario(
        "hit_10m",
        "Hit, 10 MiB",
        (OPS,),
        frozenset({"hit"}),
        partial(hit, size=10 * MIB, entries=5),
        keeps=True,
        only=LARGE,
    ),
    Scenario(
        "growth",
        "Hit out of many entries against a hit out of 1,000",
        (Figure("kept", "x the rate at 1,000"), OPS, Figure("ops_few", "requests/s at 1,000")),
        frozenset({"hit", "store"}),
        growth,
        keeps=True,
        only=frozenset(
            {
                "requests-cache",
                "requests-cache-signed",
                "aiohttp-client-cache",
                "ours-requests-signed",
                "ours-aiohttp-signed",
            }
        ),
    ),
)
