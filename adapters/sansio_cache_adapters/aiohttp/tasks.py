"""Tasks that a cached session of aiohttp owns: background validation, each key once, and bodies still to be stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from sansio_cache_adapters.cache.events import logger

__all__ = ["Tasks"]

_MOST: Final = 64


class Tasks:
    """The tasks of one session, on one event loop."""

    def __init__(self) -> None:
        self._by_key: dict[object, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()

    def spawn(self, key: object, job: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Start a job, unless its key's is under way or too many are; whether it was started."""
        known = self._by_key.get(key)
        if known is not None and known.get_loop().is_closed():
            # It will never end.
            del self._by_key[key]
            known = None
        if known is not None or len(self._by_key) >= _MOST:
            return False

        async def soon() -> None:
            # The caller gets its answer first, whatever the loop's task factory is.
            await asyncio.sleep(0)
            await job()

        task = asyncio.get_running_loop().create_task(soon(), name="sansio-cache background validation")
        self._by_key[key] = task

        def ended(_: object) -> None:
            self._by_key.pop(key, None)

        task.add_done_callback(ended)
        task.add_done_callback(_log)
        return True

    def keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start short work that is not to be lost."""
        task = asyncio.get_running_loop().create_task(work, name="sansio-cache storing")
        self._others.add(task)
        task.add_done_callback(self._others.discard)
        task.add_done_callback(_log)
        return task

    async def close(self, seconds: float) -> None:
        """Wait until all have ended, at most so long; then cancel them and wait for that."""
        loop = asyncio.get_running_loop()
        running = {task for task in (*self._by_key.values(), *self._others) if task.get_loop() is loop}
        if not running:
            return
        try:
            _, running = await asyncio.wait(running, timeout=seconds)
        finally:
            for task in running:
                task.cancel()
        if running:
            # A cancelled one closes its connection, no more.
            await asyncio.wait(running, timeout=1.0)


def _log(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        logger.warning("a background task of the cache failed: %s", error, exc_info=error)
