"""How a task waits for what a thread does, on asyncio and trio alike."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

__all__ = ["answer_of"]

T = TypeVar("T")


async def answer_of(future: Future[T], seconds: float | None = None) -> T | None:
    """The result of a future that some thread sets, or None if it takes longer than ``seconds``.

    The loop is never held up, and a task that is cancelled goes at once; the work goes on without it.

    :raises Exception: what the future was given instead of a result.
    """
    if not future.done():
        event = anyio.Event()
        token = anyio.lowlevel.current_token()
        native: Any = getattr(token, "native_token", token)
        soon = getattr(native, "call_soon_threadsafe", None) or native.run_sync_soon

        def wake(_: Future[T]) -> None:
            # A loop that has ended takes no more calls, and nobody waits there.
            with suppress(RuntimeError):
                soon(event.set)

        future.add_done_callback(wake)
        if seconds is None:
            await event.wait()
        else:
            with anyio.move_on_after(seconds):
                await event.wait()
            if not future.done():
                return None
    return future.result()
