"""Several processes of one contender on one store."""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

from suite.clients import drive
from suite.contenders import BY_NAME, colour
from suite.model import Cell, Scale
from suite.origin_control import OriginControl

PATIENCE = 120.0
"""Seconds after which a process that says nothing is given up."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What the processes of a cell share besides the store."""

    barrier: Barrier
    stop: Event

    @staticmethod
    def now() -> float:
        """The monotonic time, the same in all processes of a machine."""
        return time.monotonic()


Work = Callable[[Cell, Gate, int], Awaitable[dict[str, float]]]


class Workers:
    """Processes at work; `result` waits for all of them."""

    def __init__(self, cell: Cell, work: Work, count: int, *, waiting: int = 0) -> None:
        # Spawned, not forked: a forked child would share what the parent's client has open.
        context = multiprocessing.get_context("spawn")
        self.gate = Gate(context.Barrier(count + waiting, timeout=PATIENCE), context.Event())
        self._replies = context.Queue()
        spec = (cell.contender.name, cell.origin.base, str(cell.folder), cell.scale)
        self._processes = [
            context.Process(target=_enter, args=(work, spec, self.gate, index, self._replies), daemon=True)
            for index in range(count)
        ]
        for process in self._processes:
            process.start()

    def result(self) -> list[dict[str, float]]:
        """What each of them found, in the order in which they ended."""
        replies = [self._replies.get(timeout=PATIENCE) for _ in self._processes]
        for process in self._processes:
            process.join(PATIENCE)
        for reply in replies:
            if isinstance(reply, str):
                raise RuntimeError(reply)
        return replies


def spread(cell: Cell, work: Work, count: int) -> list[dict[str, float]]:
    """What that many processes found that did this work at the same time."""
    return Workers(cell, work, count).result()


def _enter(work: Work, spec: tuple[str, str, str, Scale], gate: Gate, index: int, replies: Any) -> None:
    name, origin, folder, scale = spec
    cell = Cell(BY_NAME[name], OriginControl(origin), Path(folder), scale)

    async def main() -> dict[str, float]:
        return await work(cell, gate, index)

    try:
        replies.put(drive(colour(cell.contender), main))
    except BaseException as error:
        replies.put("".join(traceback.format_exception_only(error)))
        gate.barrier.abort()  # else the others would wait for us
        raise
