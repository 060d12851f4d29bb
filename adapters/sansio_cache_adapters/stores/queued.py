"""The queue of writes of a store: in order, bounded, by one thread, several in one transaction where the store can."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

from sansio_cache.errors import StoreBusy

from .forking import Living
from .overlay import Layer, Overlay
from .protocol import Grouping, Store
from .worker import Worker

__all__ = ["IDLE", "QUEUED_BYTES", "OnError", "Queue", "queues"]

T = TypeVar("T")
OnError = Callable[[BaseException], object]
InOne = Callable[[Callable[[], list[Any]]], list[Any]]

QUEUED_BYTES: Final = 16 * 1024**2
IDLE: Final = 30.0
"""Seconds after which the threads of a store in use end; the next write or read begins others."""
_QUEUED: Final = 10_000
LINGERS: Final = 0.003
"""Seconds for which writes without a waiting task are gathered: one transaction, one change of threads, for many."""
_GROUP: Final = 32
_REMEMBERED: Final = 1024


@dataclass(slots=True, eq=False)
class _Write(Generic[T]):
    """Something to do to the store, and what is to happen when it was done or has failed.

    :ivar alone: it does not belong in a transaction with others.
    :ivar late: it is done after the transaction with the others, whatever became of that.
    """

    work: Callable[[], T]
    after: Callable[[T | None, BaseException | None], object]
    alone: bool = False
    late: bool = False

    def __call__(self) -> None:
        try:
            result = self.work()
        except BaseException as error:
            self.after(None, error)
        else:
            self.after(result, None)


class Queue:
    """The writes to one store that are queued."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.listeners: list[OnError] = []
        in_one = store.together if isinstance(store, Grouping) else None
        self.worker = Worker(
            "sansio-cache writer", group=_GROUP, perform=partial(_perform, in_one), idle=IDLE, lingers=LINGERS
        )
        self.begin_anew()
        queues.add(self)

    def begin_anew(self) -> None:
        """Forget all: queued writes stay with the parent of a fork. The worker forgets its own jobs itself."""
        self._lock = threading.RLock()
        self._bytes = self._count = 0
        self._waiting: deque[Future[None]] = deque()
        self._dropped: OrderedDict[bytes, float] = OrderedDict()
        self.overlay = Overlay()
        self.drops = 0
        self.broken: OrderedDict[bytes, None] = OrderedDict()

    # Room

    def take(self, size: int, most: int) -> bool:
        """Take room for a write of this size; False if there is none."""
        with self._lock:
            if self._count and (self._bytes + size > most or self._count >= _QUEUED):
                return False
            self._bytes += size
            self._count += 1
            return True

    def _give_back(self, size: int) -> None:
        waiting: Iterable[Future[None]] = ()
        with self._lock:
            self._bytes -= size
            self._count -= 1
            if self._waiting:
                waiting, self._waiting = self._waiting, deque()
        for each in waiting:
            each.set_result(None)

    def room(self) -> Future[None]:
        """Done when the next write is done: then look for room again."""
        future: Future[None] = Future()
        with self._lock:
            if self._count:
                self._waiting.append(future)
                return future
        future.set_result(None)
        return future

    # Writes

    def put(
        self, work: Callable[[], object], *, size: int = 0, layer: Layer | None = None, alone: bool = False
    ) -> None:
        """Queue a write for which no task waits: its error goes to the listeners.

        :param size: the room that was taken for it.
        :param layer: shows the write to readers until it is done.
        """

        def after(_: object, error: BaseException | None) -> None:
            if layer is not None:
                self.overlay.remove(layer)
            if size:
                self._give_back(size)
            if error is not None:
                self.tell(error)

        self.worker.must(_Write(work, after, alone=alone), waits=not alone)

    def put_late(self, work: Callable[[], object]) -> None:
        """Queue what frees those who wait for the writes before it: when these can be seen, or have failed."""
        self.worker.must(_Write(work, _nothing_after, late=True), waits=True)

    def ask(self, work: Callable[[], T], *, alone: bool = True) -> Future[T]:
        """Queue a write for whose result a task waits. The future can be cancelled until the write has begun."""
        future: Future[T] = Future()

        def begun() -> T | None:
            # It may be asked a second time, by itself, when others in its transaction have failed.
            if future.running():
                return work()
            return work() if not future.done() and future.set_running_or_notify_cancel() else None

        def after(result: Any, error: BaseException | None) -> None:
            # It may not have begun at all: a transaction for several that could not be had ends them all.
            if future.running() or (not future.done() and future.set_running_or_notify_cancel()):
                future.set_result(result) if error is None else future.set_exception(error)

        self.worker.must(_Write(begun, after, alone=alone))
        return future

    def put_chunk(self, entry: bytes, index: int, data: bytes) -> None:
        """Queue a chunk, room for which was taken. After one that failed, the rest of the body is not written."""

        def work() -> None:
            try:
                if entry not in self.broken:
                    self.store.write(entry, index, data)
            except BaseException:
                self.broken[entry] = None
                if len(self.broken) > _REMEMBERED:
                    self.broken.popitem(last=False)
                raise

        self.put(work, size=len(data), alone=True)

    def drop(self, resource: bytes, now: float) -> Future[int]:
        """Queue a drop; until it is done ``drops`` is not 0, and after it ``dropped_at`` knows of it."""
        with self._lock:
            self.drops += 1
            self._dropped.pop(resource, None)
            self._dropped[resource] = now
            if len(self._dropped) > _REMEMBERED:
                self._dropped.popitem(last=False)
        future = self.ask(partial(self.store.drop, resource, now=now), alone=False)
        future.add_done_callback(self._drop_done)
        return future

    def _drop_done(self, _: Future[int]) -> None:
        with self._lock:
            self.drops -= 1

    def dropped_at(self, resource: bytes) -> float | None:
        """When this process dropped a resource, as far as it remembers."""
        return self._dropped.get(resource)

    def tell(self, error: BaseException) -> None:
        """Tell all who want to know of a write that failed."""
        for listener in list(self.listeners):
            with suppress(Exception):
                listener(error)


def _nothing_after(_: object, __: object) -> None:
    """Do not wait for a result: the task that wanted it is gone."""


queues: Living[Queue] = Living()
"""The queues of this process."""


def _perform(in_one: InOne | None, works: list[Callable[[], object]]) -> None:
    """Do queued writes in order, those that belong together in one transaction.

    :param in_one: the store's ``together``, if it has one.
    """
    group: list[_Write[Any]] = []
    for work in works:
        if in_one is not None and isinstance(work, _Write) and not work.alone:
            group.append(work)  # pyright: ignore[reportUnknownArgumentType] - of any result
            continue
        if in_one is not None and group:
            _in_one_transaction(in_one, group)
            group = []
        work()
    if in_one is not None and group:
        _in_one_transaction(in_one, group)


def _in_one_transaction(in_one: InOne, writes: list[_Write[Any]]) -> None:
    if len(writes) == 1:
        writes[0]()
        return
    if group := [write for write in writes if not write.late]:
        _write_together(in_one, group)
    for write in writes:
        if write.late:
            write()


def _write_together(in_one: InOne, group: list[_Write[Any]]) -> None:
    try:
        results = in_one(lambda: [write.work() for write in group])
    except StoreBusy as error:
        # Each by itself would only wait as long again.
        for write in group:
            write.after(None, error)
    except BaseException:
        for write in group:
            write()
    else:
        for write, result in zip(group, results, strict=True):
            write.after(result, None)
