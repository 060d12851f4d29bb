"""A blocking store for tasks: small reads at once, large ones and all writes in threads, on asyncio and trio alike.

Writes are queued for one thread. A task waits for a write only where it needs the answer, where the queue has no more
room (a chunk), or for 10 ms, so that others see it soon (a drop). Other writes are gathered for 3 ms. A claim is taken
at once where that takes microseconds, and given back when the writes that were queued before it are done. The
process itself sees queued writes at once: queued records lie over those of the store, and while a drop is queued every
read goes through the queue, behind it, since it is not known which partitions the drop invalidates.
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Final, TypeVar

from sansio_cache.errors import StoreBusy, StoreError
from sansio_cache.records import Item, Meta, Stored

from .forking import follow_forks, renew_in_child
from .overlay import Overlay, laid_over
from .protocol import (
    MARK_SECONDS,
    Claiming,
    ClaimingAtOnce,
    Flushing,
    Lease,
    Listed,
    QueueFull,
    ReadChunk,
    ReadingAtOnce,
    Seen,
    Size,
    Store,
)
from .queued import IDLE, QUEUED_BYTES, OnError, Queue, queues
from .returned_claims import ReturnedClaim, ReturnedClaims
from .waiting import answer_of
from .worker import Worker

__all__ = ["Threaded", "threaded"]

T = TypeVar("T")

logger = logging.getLogger("sansio_cache")

_QUEUED_CHUNK_BYTES: Final = 2 * 1024**2
"""Chunks of large bodies wait for room earlier than records: their writers can wait."""
_ROOM_WITHIN: Final = 1.0
_SEEN_WITHIN: Final = 0.01
_DRAIN_WITHIN: Final = 5.0


class Threaded:
    """An :class:`AsyncStore` over a blocking store. One object serves any number of tasks, loops and threads.

    Take it from :func:`threaded`, so that all sessions on one store share one queue.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.max_bytes = store.max_bytes
        # Its protocols are looked up once: to look takes as long as a call.
        self._load_nowait = store.load_nowait if isinstance(store, ReadingAtOnce) else _not_at_once
        self._claims = store if isinstance(store, Claiming) else None
        self._claims_at_once = store if isinstance(store, ClaimingAtOnce) else None
        self._returning = ReturnedClaims()
        self._watched = False
        self._readers = Worker("sansio-cache reader", size=2, idle=IDLE)
        self._queue = Queue(store)
        weakref.finalize(self, _let_end, self._queue.worker, self._readers).atexit = False
        _drain_at_exit()
        follow_forks(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.store!r}>"

    @property
    def location(self) -> str:
        """Where the store lies."""
        return self.store.location

    def listen(self, on_error: OnError) -> Callable[[], None]:
        """Tell ``on_error``, in the writing thread, of each queued write that failed or found no room.

        Call what is returned to end that.
        """
        self._queue.listeners.append(on_error)

        def end() -> None:
            with suppress(ValueError):
                self._queue.listeners.remove(on_error)

        return end

    async def _ask(self, work: Callable[[], T]) -> T:
        """The answer of the writing thread, in its turn."""
        return await _needed(self._queue.ask(work))

    async def _read(self, work: Callable[[], T]) -> T:
        """The answer of a reading thread, or in its turn where what is queued may bear on it."""
        return await (self._ask(work) if self._queue.drops else _needed(self._readers.submit(work)))

    # Reading

    async def open(self, *, signed: bool) -> Meta:
        """The meta record; ``signed=True`` marks the store as signed."""
        return await self._ask(partial(self.store.open, signed=signed))

    def load_nowait(self, partition: bytes) -> Sequence[Stored] | None:
        """All records of a partition, queued ones included, at once; None where that cannot be."""
        queue = self._queue
        if queue.drops or self._watched:
            return None
        layers = queue.overlay.of(partition)
        try:
            rows = self._load_nowait(partition)
        except StoreError:
            raise
        except Exception as error:
            self._watch(error)
            return None
        return laid_over(rows, layers) if layers and rows is not None else rows

    def _watch(self, error: Exception) -> None:
        # Stores raise nothing else. A detector of blocking calls (blockbuster) takes what lasts microseconds for one:
        # as long as the process has such a detector, threads do it.
        self._watched = True
        logger.debug("the store at %s is used in threads from now on: %r", self.location, error)

    async def load(self, partition: bytes) -> Sequence[Stored]:
        """All records of a partition, queued ones included."""
        rows = self.load_nowait(partition)
        if rows is not None:
            return rows
        overlay = self._queue.overlay
        if self._queue.drops:
            # Writes that were queued before a drop may be removed by it. In its turn the read sees all of it, and what
            # is laid over it came later: the same thread writes.
            seen, layers = await self._ask(lambda: (self.store.load(partition), overlay.of(partition)))
        else:
            layers = overlay.of(partition)
            seen = await self._read(partial(self.store.load, partition))
        return laid_over(seen, layers)

    async def hashes(self, entry: bytes) -> bytes:
        """The hashes of a body's chunks."""
        ask = self._ask if entry in self._queue.overlay.entries else self._read
        return await ask(partial(self.store.hashes, entry))

    async def chunk(self, entry: bytes, index: int) -> bytes:
        """One chunk of a body."""
        ask = self._ask if entry in self._queue.overlay.entries else self._read
        return await ask(partial(self.store.chunk, entry, index))

    def read_soon(self, entry: bytes, work: Callable[[ReadChunk], T]) -> Future[T]:
        """See :class:`~.protocol.ReadingAhead`."""
        queue, read = self._queue, self._readers.submit
        in_turn = queue.drops or entry in queue.overlay.entries
        return (queue.ask if in_turn else read)(partial(work, self.store.chunk))

    # Writing

    async def write(self, entry: bytes, index: int, data: bytes) -> None:
        """Queue the next chunk of a pending body, waiting for room for a second at most.

        :raises StoreError: if there was none, or an earlier chunk could not be written: the record is given up.
        """
        queue = self._queue
        deadline = time.monotonic() + _ROOM_WITHIN
        while not queue.take(len(data), _QUEUED_CHUNK_BYTES):
            left = deadline - time.monotonic()
            if left <= 0:
                raise StoreBusy("chunks come faster than they can be written")
            await answer_of(queue.room(), left)
        queue.put_chunk(entry, index, data)
        if entry in queue.broken:
            raise StoreError("an earlier chunk of this body could not be written")

    def abort(self, entry: bytes) -> None:
        """Give up a pending body."""
        self._queue.put(partial(self.store.abort, entry))

    async def commit(self, item: Item, *, vary_limit: int, now: float) -> bool:
        """Queue a record, which this process sees at once. False if it was dropped before, or there is no room."""
        queue = self._queue
        size = len(item.body or b"") + len(item.sealed)
        dropped = queue.dropped_at(item.resource)
        refused = dropped is not None and item.requested_at <= dropped and abs(now - dropped) < MARK_SECONDS
        full = not refused and not queue.take(size, QUEUED_BYTES)
        if refused or full:
            if item.entry:
                self.abort(item.entry)
            if full:
                queue.tell(QueueFull("more is to be written than can be queued: the record was dropped"))
            return False
        layer = queue.overlay.commit(item)
        queue.put(partial(self._commit, item, vary_limit, now), size=size, layer=layer)
        return True

    def _commit(self, item: Item, vary_limit: int, now: float) -> None:
        """A record's turn. Until then it holds this object, so that the next session on the store sees the record."""
        self.store.commit(item, vary_limit=vary_limit, now=now)

    async def change(self, seen: Sequence[Seen | Listed], new: Item | bytes | None) -> int:
        """Queue what becomes of records, which this process sees at once; of those that were listed, wait for it."""
        if any(isinstance(each, Listed) for each in seen):
            return await self._ask(partial(self.store.change, seen, new))
        overlay = self._queue.overlay
        for each in seen:
            layer = overlay.change(each, new.sealed if isinstance(new, Item) else new)
            # A rev of ours stands for one that is learnt by reading what was written.
            work = partial(_change, overlay, self.store, each, new)
            self._queue.put(work, layer=layer, alone=each.rev < 0)
        return len(seen)

    async def drop(self, resource: bytes, *, now: float) -> int:
        """Queue the removal of a resource; this process does not see it any more.

        How many records there were, or 0 if that is not known within 10 ms.
        """
        dropped = self._queue.drop(resource, now)
        answer = await answer_of(dropped, _SEEN_WITHIN)
        if answer is None:
            dropped.add_done_callback(self._tell_if_failed)
        return answer or 0

    async def drop_soon(self, resource: bytes, *, now: float) -> None:
        """The same, without waiting for how many there were."""
        self._queue.drop(resource, now).add_done_callback(self._tell_if_failed)

    def _tell_if_failed(self, future: Future[int]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            self._queue.tell(error)

    def touch(self, partition: bytes, entry: bytes, *, now: float) -> None:
        """Note that a record was used."""
        self.store.touch(partition, entry, now=now)

    # Leases

    async def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease:
        """Take or renew the claim to fetch for a partition; open to all where the store knows none.

        It waits for no write that is queued. If cancelled, the claim is given back.
        """
        store, at_once = self._claims, self._claims_at_once
        if store is None:
            return Lease.OPEN
        known = self._returning.token(partition, token)
        lease = None
        if at_once is not None and not self._watched:
            try:
                lease = at_once.claim_nowait(partition, resource, known, now=now, until=until)
            except StoreError:
                raise
            except Exception as error:
                self._watch(error)
        if lease is None:
            future = self._readers.submit(partial(store.claim, partition, resource, known, now=now, until=until))
            try:
                lease = await _needed(future)
            except BaseException:
                # It may be under way: then it is given back afterwards.
                future.add_done_callback(lambda _: self.release(partition, token))
                raise
        if lease is not Lease.GRANTED:
            self._returning.forget(token)
        return lease

    def release(self, partition: bytes, token: bytes, *, open_until: float = 0.0) -> None:
        """Give the claim back, behind all that was queued before."""
        claims = self._claims
        if claims is None:
            return
        if open_until:
            known = self._returning.forget(token)
            self._queue.put_late(partial(claims.release, partition, known, open_until=open_until))
        else:
            self._queue.put_late(partial(self._release, partition, self._returning.leave(partition, token)))

    def _release(self, partition: bytes, returned: ReturnedClaim) -> None:
        if self._claims is not None and self._returning.leaves(partition, returned):
            self._claims.release(partition, returned.token)

    # Maintenance

    async def listed(self, *, batch: int = 500) -> AsyncIterator[Listed]:
        """Every record, also those that are queued now."""
        await self._ask(lambda: None)
        rows = self.store.listed(batch=batch)
        while some := await _needed(self._readers.submit(lambda: list(islice(rows, batch)))):
            for each in some:
                yield each

    async def clear(self) -> None:
        """Remove everything but the id and the salt."""
        await self._ask(self.store.clear)

    async def unsign(self) -> None:
        """Remove the mark that the store is signed."""
        await self._ask(self.store.unsign)

    async def size(self) -> Size:
        """How much it holds, with all that is queued."""
        return await self._ask(self.store.size)

    async def sweep(self, *, now: float, limit: int = 500) -> int:
        """One small batch of what has expired, is over the bound, was replaced or left over."""
        return await self._ask(partial(self.store.sweep, now=now, limit=limit))

    async def flush(self, timeout: float) -> bool:
        """Wait until all that was queued is written, at most ``timeout`` seconds; whether it was."""
        return await answer_of(self._queue.ask(partial(_flush, self.store, timeout)), timeout) or False

    async def close(self) -> None:
        """Write what is queued (at most 5 s), close the store. Using it reopens."""
        closed = self._queue.ask(self.store.close)
        try:
            await answer_of(closed, _DRAIN_WITHIN)
        finally:
            _let_end(self._queue.worker, self._readers)

    def begin_anew(self) -> None:
        """In the child of a fork, begin with an empty queue: what is queued stays with the parent."""
        self._queue.begin_anew()
        self._returning = ReturnedClaims()


def _not_at_once(_: bytes) -> None:
    """A store that does not read at once may keep its caller waiting: it is asked in a thread."""


async def _needed(future: Future[T]) -> T:
    try:
        await answer_of(future)
    except BaseException:
        future.cancel()
        raise
    return future.result()


def _change(overlay: Overlay, store: Store, seen: Seen | Listed, new: Item | bytes | None) -> int:
    return store.change([Seen(seen.partition, seen.variant, overlay.real_rev(seen.rev, store))], new)


def _flush(store: Store, timeout: float) -> bool:
    return store.flush(timeout) if isinstance(store, Flushing) else True


def _let_end(*workers: Worker) -> None:
    for worker in workers:
        worker.stop()


def _drain_all() -> None:
    """At exit: write what is queued, for at most 5 s in all."""
    deadline = time.monotonic() + _DRAIN_WITHIN
    working = [queue for queue in queues.all() if queue.worker.works]
    for future in [queue.ask(partial(_flush, queue.store, _DRAIN_WITHIN)) for queue in working]:
        with suppress(Exception):
            future.result(timeout=max(deadline - time.monotonic(), 0.0))


_draining = False
_by_store: weakref.WeakValueDictionary[int, Threaded] = weakref.WeakValueDictionary()
"""Guarded by ``_lock``."""
_lock = threading.RLock()
renew_in_child(sys.modules[__name__], "_lock", threading.RLock)


def _drain_at_exit() -> None:
    """Register once, after the first store: the last registered function runs first, before stores are closed."""
    global _draining
    if not _draining:
        _draining = True
        atexit.register(_drain_all)


def threaded(store: Store) -> Threaded:
    """The awaitable form of a blocking store, the same object each time as long as anyone holds it."""
    with _lock:
        known = _by_store.get(id(store))
        if known is None:
            known = _by_store[id(store)] = Threaded(store)
        return known
