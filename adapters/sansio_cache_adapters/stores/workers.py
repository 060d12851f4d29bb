"""Threads that work for tasks: a crew with a queue, and how a task waits for its answer on asyncio and trio alike."""

from __future__ import annotations

import _thread
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
    """Threads that take work from one queue, in order. They begin with the first work, and end with ``stop``.

    They know the crew's queue and what to do with what they take from it, so that anyone who owns the crew can be
    collected. Nothing here waits for a lock: work may be put, and the crew stopped, by a finalizer.

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
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        # Each held by a thread as long as it serves. So one thread serves after the other where there is one place.
        self._places = [_thread.allocate_lock() for _ in range(self._size)]

    @property
    def works(self) -> bool:
        """Whether there are threads, so that there may be work left."""
        return any(place.locked() for place in self._places)

    def put(self, work: Callable[[], object]) -> None:
        """Have ``work`` done, which raises nothing.

        :raises RuntimeError: no thread can be started: the interpreter is about to end.
        """
        self._queue.put(work)
        for place in self._places:
            if not place.locked() and place.acquire(blocking=False):
                self._begin(place)

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

    def _begin(self, place: _thread.LockType) -> None:
        try:
            _thread.start_new_thread(_serve, (self._name, self._queue, place, self._group, self._perform))
        except RuntimeError:
            place.release()
            if not self.works:
                raise

    def stop(self) -> None:
        """Let the threads end when all that was put is done; more work begins new ones."""
        for place in self._places:
            if place.locked():
                self._queue.put(None)


def _one_by_one(works: list[Callable[[], object]]) -> None:
    for work in works:
        work()


def _serve(
    name: str,
    queue: SimpleQueue[Callable[[], object] | None],
    place: _thread.LockType,
    group: int,
    perform: Callable[[list[Callable[[], object]]], object],
) -> None:
    threading.current_thread().name = name
    while True:
        _serve_until_stopped(queue, group, perform)
        place.release()
        # Who put work just now may have found us here still.
        if queue.empty() or not place.acquire(blocking=False):
            return


def _serve_until_stopped(
    queue: SimpleQueue[Callable[[], object] | None],
    group: int,
    perform: Callable[[list[Callable[[], object]]], object],
) -> None:
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
