"""How a rate is measured: many short batches, and their median, which a busy neighbour disturbs less than a mean."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from statistics import median
from time import perf_counter

BATCH = 0.02
"""Seconds that one batch should take: long against the clock's reading, short against a scheduler's slice."""

Batches = Callable[[int], Sequence[str]]
Work = Callable[[Sequence[str]], Awaitable[int]]
"""Gets these, and returns the bytes of all bodies."""


class Untrue(Exception):
    """What was measured is not what the scenario means to measure."""


def cycle(urls: Sequence[str]) -> Batches:
    """Batches of these URLs in an order that repeats only after all of them."""
    order = list(urls)
    random.Random(len(order)).shuffle(order)
    at = 0

    def batch(size: int) -> Sequence[str]:
        nonlocal at
        found = [order[(at + step) % len(order)] for step in range(size)]
        at = (at + size) % len(order)
        return found

    return batch


def never_twice(make: Callable[[str], str], prefix: str) -> Batches:
    """Batches of URLs that were not requested yet."""
    names = iter(range(1 << 40))
    return lambda size: [make(f"{prefix}-{next(names)}") for _ in range(size)]


async def timed(work: Work, urls: Sequence[str], size: int) -> float:
    """The seconds that it takes to get these, every body being of that size."""
    started = perf_counter()
    total = await work(urls)
    took = perf_counter() - started
    if total != len(urls) * size:
        raise Untrue(f"{total} bytes instead of {len(urls) * size}")
    return took


class Rate:
    """The rate of one kind of work, taken batch by batch, so that several kinds can take turns."""

    def __init__(self, work: Work, batches: Batches, size: int, step: int = 1) -> None:
        self.done = 0
        self._work = work
        self._batches = batches
        self._size = size
        self._count = step
        self._rates: list[float] = []

    async def warm(self) -> None:
        """Find how many requests make a batch; the first one of a process imports what answers it."""
        await self._once()
        while await self._once() < BATCH:
            self._count *= 2

    async def turn(self) -> None:
        """Measure one batch."""
        self._rates.append(self._count / await self._once())

    async def alone(self) -> float:
        """The seconds that one request takes."""
        urls = self._batches(1)
        self.done += 1
        return await timed(self._work, urls, self._size)

    @property
    def per_second(self) -> float:
        """The median of all batches."""
        return median(self._rates)

    async def _once(self) -> float:
        urls = self._batches(self._count)
        took = await timed(self._work, urls, self._size)
        self.done += len(urls)
        return took


async def take_turns(seconds: float, *rates: Rate) -> None:
    """Measure all of these for that long each, a batch of one after a batch of another."""
    for rate in rates:
        await rate.warm()
    for _ in turns(seconds * len(rates)):
        for rate in rates:
            await rate.turn()


async def percentile(rate: Rate, seconds: float) -> float:
    """The milliseconds within which 99 of 100 requests of this kind end, one by one, for half as long as the rate."""
    times = sorted([await rate.alone() for _ in turns(seconds / 2, least=100)])
    return 1000 * times[int(len(times) * 0.99)]


def sleep_until(moment: float) -> None:
    """Wait for that second of the clock, in a loop in which nothing else runs meanwhile."""
    time.sleep(max(0.0, moment - time.time()))


def turns(seconds: float, least: int = 3) -> Iterator[int]:
    """Numbers until the time is over, but a few in any case."""
    until = perf_counter() + seconds
    turn = 0
    while turn < least or perf_counter() < until:
        yield turn
        turn += 1
