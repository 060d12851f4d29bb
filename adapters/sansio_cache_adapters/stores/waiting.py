"""How a task waits, on asyncio and on trio alike.

With what either brings and loaded only where it runs, so that neither needs more than itself.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

__all__ = ["answer_of", "current_task", "in_thread", "pause", "wait_for"]

T = TypeVar("T")


def _trio() -> Any:
    """Trio, where it runs the task that asks; else None, and asyncio runs it."""
    trio = sys.modules.get("trio")
    if trio is None:
        return None
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return None
    return trio


def current_task() -> tuple[int, int]:
    """A key of the running task, unique in the process."""
    trio = _trio()
    if trio is not None:
        return threading.get_ident(), id(trio.lowlevel.current_task())
    import asyncio

    return threading.get_ident(), id(asyncio.current_task())


async def pause(seconds: float) -> None:
    """Sleep."""
    trio = _trio()
    if trio is not None:
        await trio.sleep(seconds)
        return
    import asyncio

    await asyncio.sleep(seconds)


async def wait_for(future: Future[Any], seconds: float | None = None) -> bool:
    """Wait until some thread has set a future, ``seconds`` at most; whether it has.

    The loop is never held up, and a task that is cancelled goes at once.
    """
    if not future.done():
        trio = _trio()
        await (_wait_on_asyncio(future, seconds) if trio is None else _wait_on_trio(trio, future, seconds))
    return future.done()


async def _wait_on_asyncio(future: Future[Any], seconds: float | None) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def end() -> None:
        if not done.done():
            done.set_result(None)

    def wake(_: Future[Any]) -> None:
        # It runs in whichever thread sets the future, this one included: it must not wait for the loop. One that has
        # ended takes no more calls, and has no tasks that wait.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(end)

    future.add_done_callback(wake)
    try:
        await asyncio.wait((done,), timeout=seconds)
    finally:
        done.cancel()


async def _wait_on_trio(trio: Any, future: Future[Any], seconds: float | None) -> None:
    token, event = trio.lowlevel.current_trio_token(), trio.Event()

    def wake(_: Future[Any]) -> None:
        with suppress(RuntimeError):  # trio.RunFinishedError, as above
            token.run_sync_soon(event.set)

    future.add_done_callback(wake)
    with trio.move_on_after(float("inf") if seconds is None else seconds):
        await event.wait()


async def answer_of(future: Future[T], seconds: float | None = None) -> T | None:
    """The result of a future that some thread sets, or None if it takes longer than ``seconds``.

    The work of a task that is cancelled goes on without it.

    :raises Exception: what the future was given instead of a result.
    """
    return future.result() if await wait_for(future, seconds) else None


async def in_thread(work: Callable[[], T]) -> T:
    """The result of ``work``, run in a thread. Given up when cancelled: it ends by itself, within its time limit."""
    trio = _trio()
    if trio is not None:
        result: T = await trio.to_thread.run_sync(work, abandon_on_cancel=True)
        return result
    import asyncio

    return await asyncio.to_thread(work)
