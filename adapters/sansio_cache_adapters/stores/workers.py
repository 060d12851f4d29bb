"""Threads that work for tasks: a crew with a queue, and how a task waits for its answer on asyncio and trio alike."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

__all__ = ["Crew", "answer_of"]

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


class Crew:
    """Daemon threads that take work from one queue, in order. They begin with the first work, and end with ``stop``.

    They know the crew's queue and what to do with what they take from it, so that whoever owns the crew can be
    collected.

    :param perform: does a group of works in their order; works are taken in groups of up to ``group``.
    """

    def __init__(
        self,
        name: str,
        size: int,
        *,
        group: int = 1,
        perform: Callable[[list[Callable[[], object]]], object] | None = None,
    ) -> None:
        self._name = name
        self._size = size
        self._group = group
        self._perform = perform or _one_by_one
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget threads and queue: in a forked child there are no threads, and the work is the parent's."""
        # Reentrant, since a finalizer may come in between and put work too.
        self._lock = threading.RLock()
        # Unlike Queue it may be put to from a finalizer, at any point.
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._ending: list[threading.Thread] = []

    @property
    def works(self) -> bool:
        """Whether there are threads, so that there may be work left."""
        return bool(self._threads)

    def put(self, work: Callable[[], object]) -> None:
        """Have ``work`` done, which raises nothing."""
        self._queue.put(work)
        if not self._threads:
            self._begin()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have ``work`` done; its result. Cancelling the future helps as long as nobody has begun."""
        future: Future[T] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    result = work()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)

        self.put(run)
        return future

    def _begin(self) -> None:
        with self._lock:
            while len(self._threads) < self._size:
                work = (self._queue, self._ending, self._group, self._perform)
                thread = threading.Thread(target=_serve, args=work, name=self._name, daemon=True)
                self._threads.append(thread)
                thread.start()

    def stop(self) -> None:
        """Let the threads end when all that was put is done; more work begins new ones."""
        with self._lock:
            # First this, then the signs to end: whoever puts work looks for threads after that.
            self._ending, self._threads = [*self._ending, *self._threads], []
            self._ending = [each for each in self._ending if each.is_alive()]
            for _ in range(len(self._ending)):
                self._queue.put(None)


def _one_by_one(works: list[Callable[[], object]]) -> None:
    for work in works:
        work()


def _serve(
    queue: SimpleQueue[Callable[[], object] | None],
    before: list[threading.Thread],
    group: int,
    perform: Callable[[list[Callable[[], object]]], object],
) -> None:
    # What was put before is done first, in order.
    for thread in before:
        thread.join()
    ends = False
    while not ends and (work := queue.get()) is not None:
        works = [work]
        with suppress(Empty):
            while len(works) < group and not ends:
                work = queue.get_nowait()
                if work is None:
                    ends = True
                else:
                    works.append(work)
        perform(works)
        del work, works
