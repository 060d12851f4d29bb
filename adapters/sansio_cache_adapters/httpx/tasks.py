"""Background validation of an async transport: tasks of its own, on asyncio and on trio.

httpx2 opens and closes the transports of a client in one order, and not always in one task, so that a task group held
open between the two cannot be nested properly. Each job is a task of the event loop's own instead (on trio a system
task), with a scope by which ``close`` ends it: none outlives the transport.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import anyio

__all__ = ["Tasks"]

Job = Callable[[], Coroutine[Any, Any, None]]

_MOST: Final = 64


class _Running:
    """A job under way: ``scope`` cancels it, ``done`` is set when it has ended, ``task`` keeps it alive."""

    __slots__ = ("done", "scope", "task")

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.done = anyio.Event()
        self.task: object = None


class Tasks:
    """The jobs of one transport, each key once, a bounded number of them. Belongs to one event loop at a time."""

    def __init__(self) -> None:
        self._running: dict[object, _Running] = {}

    def spawn(self, key: object, job: Job) -> bool:
        """Start a job that raises nothing, unless its key's is under way or too many are; whether it was started."""
        if key in self._running or len(self._running) >= _MOST:
            return False
        running = self._running[key] = _Running()
        running.task = _start(partial(self._run, key, running, job))
        return True

    async def _run(self, key: object, running: _Running, job: Job) -> None:
        try:
            with running.scope:
                await job()
        finally:
            self._running.pop(key, None)
            running.done.set()

    async def close(self, seconds: float) -> None:
        """Wait until all have ended, at most so long; then cancel them and wait for that."""
        try:
            with anyio.move_on_after(seconds):
                await self._ended()
        finally:
            for each in self._running.values():
                each.scope.cancel()
            # A cancelled job closes its connection, no more.
            with anyio.move_on_after(1.0, shield=True):
                await self._ended()

    async def _ended(self) -> None:
        for each in list(self._running.values()):
            await each.done.wait()


def _start(job: Job) -> object:
    trio: Any = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        return trio.lowlevel.spawn_system_task(job, name="sansio-cache background validation")
    return asyncio.get_running_loop().create_task(job(), name="sansio-cache background validation")
