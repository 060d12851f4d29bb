"""The cache of an awaiting client, on asyncio and trio alike."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from inspect import ismethod
from typing import Any, Self, TypeVar

from sansio_cache.actions import LoadBody
from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused
from sansio_cache.messages import Request
from sansio_cache.policy import Policy
from sansio_cache.records import Meta
from sansio_cache.sealing import Sealer
from sansio_cache_adapters.stores.protocol import (
    AsyncStore,
    Instant,
    Listening,
    QueueFull,
    ReadingAtOnce,
    Store,
)
from sansio_cache_adapters.stores.waiting import current_task, pause, wait_for
from sansio_cache_adapters.stores.work import Work

from .engine import Engine
from .events import logger
from .opening import awaitable, probing, store_of
from .session_cache import SessionCache
from .setup import Setup
from .stored_body import load_body

__all__ = ["AsyncCache", "Look", "Spawn"]

N = TypeVar("N")
Spawn = Callable[[object, Callable[[], Coroutine[Any, Any, None]]], object]
"""Starts a background job under a key, unless that key's is under way or too many are."""
Look = Answer | Paused[Answer] | Awaitable[Answer | Paused[Answer]] | None
"""The result of a look into the store, which may have to be awaited."""


def _queued_write_failed(engine: weakref.ref[Engine], error: BaseException) -> None:
    """Bypass the store after a queued write failed (G20), or only count it where the queue was too long.

    One that others have locked for so long would have every write queued behind it, and with it what frees the claims.
    """
    alive = engine()
    if alive is None:
        return
    if isinstance(error, QueueFull):
        alive.events.tell("store-trouble", reason=str(error))
    else:
        alive.breaker.trip(error)


def _not_at_once(_: bytes) -> None:
    """There is a network or a lock to wait for."""


class AsyncCache(SessionCache):
    """The cache of an awaiting session: an engine whose work is awaited.

    :param probe: opens the store, or raises while it is not well; blocking.
    :param spawn: how the session starts background validation.
    """

    def __init__(
        self,
        policy: Policy,
        store: AsyncStore | Store,
        sealer: Sealer,
        *,
        probe: Callable[[], Meta],
        spawn: Spawn,
        **options: Any,
    ) -> None:
        engine = Engine(policy, store, sealer, probe=probe, me=current_task, wait=wait_for, pause=pause, **options)
        super().__init__(engine)
        # The session holds the cache: not the other way round too, so that one that is dropped is gone at once.
        self._spawn: Callable[[], Spawn | None] = weakref.WeakMethod(spawn) if ismethod(spawn) else lambda: spawn
        instant: Any = store.load if isinstance(store, Instant) and store.instant else _not_at_once
        self._load_nowait = store.load_nowait if isinstance(store, ReadingAtOnce) else instant
        if isinstance(store, Listening):
            # Weakly: the store's queue outlives its sessions.
            told = partial(_queued_write_failed, weakref.ref(self.engine))
            weakref.finalize(self, store.listen(told)).atexit = False

    @classmethod
    def of(cls, told: Setup, spawn: Spawn, undecodable: frozenset[str]) -> Self:
        """The cache that a session was told to have; see :meth:`.BlockingCache.of`."""
        store = store_of(told)
        probe = probing(store, told.sealer)
        options: dict[str, Any] = {"on_event": told.on_event, "clock": told.clock, "undecodable": undecodable}
        return cls(told.policy, awaitable(store), told.sealer, probe=probe, spawn=spawn, **options)

    async def open(self) -> None:
        """Open the store, if that was not done.

        :raises KeyRequired: the store is signed, and there is no secret.
        """
        await self.engine.opened()

    def look(self, request: Request) -> Look:
        """The answer if reading the store is all it takes; else what :meth:`answering` goes on with.

        To be awaited where a body must be read first that does not lie beside its head.

        :raises BadSignature: see ``docs/topics/security.md``.
        """
        found = self.engine.look(request, self._load_nowait)
        return self._with_body(found) if isinstance(found, Paused) and isinstance(found.action, LoadBody) else found

    async def _with_body(self, paused: Paused[Answer]) -> Answer | Paused[Answer]:
        action = paused.action
        assert isinstance(action, LoadBody)  # noqa: S101 - the caller has looked
        start = await load_body(self.engine, action.record, action.index)
        return self.engine.with_body(paused, start)

    def _submit(self, key: tuple[bytes, bytes], work: Callable[[], Work[None]]) -> None:
        spawn = self._spawn()
        if spawn is not None:
            spawn(key, work)

    async def flush(self) -> None:
        """Do the queued writes to a store that its owner closes, unless it is in trouble; takes 5 s at most."""
        if not self.engine.breaker.down:
            await self.engine.remove_superseded()
            try:
                await self.engine.flush()
            except Exception as error:
                logger.warning("writing to the cache at %s failed: %s", self.engine.store.location, error)

    async def close(self) -> None:
        """Write what is queued, close the store's connections."""
        await self._closed()
