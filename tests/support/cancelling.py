"""Cancellation at the n-th checkpoint, as anyio's scopes do it and as asyncio's tasks do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import anyio

__all__ = ["CancelAt", "by_scope", "by_task"]


class CancelAt:
    """Runs a coroutine and calls ``cancel`` when it suspends for the n-th time; ``reached`` tells whether it did."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], cancel: Callable[[], object], n: int) -> None:
        self._coroutine = coroutine
        self._cancel = cancel
        self._left = n
        self.reached = False

    def __await__(self) -> Generator[Any, Any, Any]:
        resume: Callable[[], Any] = lambda: self._coroutine.send(None)  # noqa: E731
        while True:
            try:
                trap = resume()
            except StopIteration as end:
                return end.value
            self._left -= 1
            if self._left == 0:
                self.reached = True
                self._cancel()
            try:
                value = yield trap
            except BaseException as exc:
                error = exc
                resume = lambda: self._coroutine.throw(error)  # noqa: B023, E731
            else:
                resume = lambda: self._coroutine.send(value)  # noqa: B023, E731


async def by_scope(coroutine: Coroutine[Any, Any, Any], n: int) -> bool:
    """Cancel as anyio and trio do: every checkpoint from the n-th on raises."""
    with anyio.CancelScope() as scope:
        probe = CancelAt(coroutine, scope.cancel, n)
        await probe
    return probe.reached


async def by_task(coroutine: Coroutine[Any, Any, Any], n: int) -> bool:
    """Cancel as asyncio does: once."""
    reached = False

    async def run() -> None:
        nonlocal reached
        task: Any = asyncio.current_task()
        probe = CancelAt(coroutine, task.cancel, n)
        try:
            await probe
        finally:
            reached = probe.reached

    await asyncio.wait([asyncio.create_task(run())])
    return reached
