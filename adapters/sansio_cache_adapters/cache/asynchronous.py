"""The cache of an awaiting client, on asyncio and trio alike."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from inspect import ismethod
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

from sansio_cache.actions import (
    Alone,
    BodyStart,
    Claim,
    Discard,
    Drop,
    Fetch,
    Freshen,
    Granted,
    Landed,
    Later,
    Load,
    LoadBody,
    Loaded,
    Supersede,
)
from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused, run_async
from sansio_cache.errors import StoreBusy
from sansio_cache.exchange import exchange
from sansio_cache.messages import Received, Request, Unreachable
from sansio_cache.policy import Policy
from sansio_cache.records import Meta
from sansio_cache.sealing import Sealer
from sansio_cache_adapters.stores.protocol import AsyncFlushing, AsyncStore, Listening, ReadingAtOnce

from .engine import CLOSE_SECONDS, Engine
from .events import logger
from .exchange import Hop, Response, Transfer
from .stored_body import load_body
from .tee import Tee
from .work import do_async

__all__ = ["AsyncCache", "Spawn", "wait_awaiting"]

N = TypeVar("N")
Spawn = Callable[[object, Callable[[], Coroutine[Any, Any, None]]], object]
"""Starts a background job under a key, unless that key's is under way or too many are."""


def current_task() -> tuple[int, int]:
    """What names the running task among all of the process."""
    return threading.get_ident(), anyio.get_current_task().id


async def wait_awaiting(future: Future[None], seconds: float) -> bool:
    """Wait for a future as a task, without holding up its loop; whether it was done in time."""
    if future.done():
        return True
    event = anyio.Event()
    native: Any = anyio.lowlevel.current_token().native_token
    # The callback runs in whichever thread ends the flight, this one included: it must not wait for the loop.
    soon = getattr(native, "call_soon_threadsafe", None) or native.run_sync_soon

    def wake(_: Future[None]) -> None:
        with suppress(RuntimeError):  # the loop is gone, and who waited with it
            soon(event.set)

    future.add_done_callback(wake)
    with anyio.move_on_after(seconds):
        await event.wait()
    return future.done()


def _queued_write_failed(engine: weakref.ref[Engine], error: BaseException) -> None:
    """Count a write that nobody waits for; more than a lock that is held, and the store is bypassed (G20)."""
    alive = engine()
    if alive is None:
        return
    if isinstance(error, StoreBusy):
        alive.events.tell("store-trouble", reason=str(error))
    else:
        alive.guard.trip(error)


def _not_at_once(_: bytes) -> None:
    """There is a network or a lock to wait for."""


class AsyncCache:
    """What an awaiting session asks: an engine whose work is awaited.

    :param probe: opens the store, or raises while it is not well; blocking.
    :param spawn: how the session starts background validation.
    """

    def __init__(
        self,
        policy: Policy,
        store: AsyncStore,
        sealer: Sealer,
        *,
        probe: Callable[[], Meta],
        spawn: Spawn,
        **options: Any,
    ) -> None:
        self.engine = Engine(
            policy, store, sealer, probe=probe, me=current_task, wait=wait_awaiting, pause=anyio.sleep, **options
        )
        # The session holds the cache: not the other way round too, so that one that is dropped is gone at once.
        self._spawn: Callable[[], Spawn | None] = weakref.WeakMethod(spawn) if ismethod(spawn) else lambda: spawn
        self._load_nowait = store.load_nowait if isinstance(store, ReadingAtOnce) else _not_at_once
        if isinstance(store, Listening):
            # Weakly: the store's queue outlives its sessions.
            told = partial(_queued_write_failed, weakref.ref(self.engine))
            weakref.finalize(self, store.listen(told)).atexit = False

    async def open(self) -> None:
        """Open the store, if that was not done.

        :raises KeyRequired: the store is signed, and there is no secret.
        """
        await do_async(self.engine.opened())

    def stored_answer(
        self, request: Request, usable: Callable[[Answer], bool] | None = None
    ) -> Answer | Awaitable[Answer | None] | None:
        """The answer if reading the store is all it takes and it is usable; else None, and nothing has happened.

        To be awaited where a body must be read first that does not lie beside its head.
        """
        found = self.engine.stored_answer(request, self._load_nowait, usable)
        return self._with_body(request, found, usable) if isinstance(found, Paused) else found

    async def _with_body(
        self, request: Request, paused: Paused[Answer], usable: Callable[[Answer], bool] | None
    ) -> Answer | None:
        action = paused.action
        assert isinstance(action, LoadBody)  # noqa: S101 - it pauses for nothing else
        try:
            start = await do_async(load_body(self.engine, action.record, action.index))
        except BaseException:
            paused.close()
            raise
        return self.engine.resumed(request, paused, start, usable)

    async def answer(
        self, request: Request, transfer: Transfer[N], *, background: bool = False
    ) -> tuple[Answer, N | None, Tee | None]:
        """The answer, the client's own response where the body comes from there, and the tee to feed it to.

        :raises Exception: see :func:`sansio_cache.exchange.exchange`.
        """
        engine = self.engine
        rules = await do_async(engine.opened())
        if rules is None:
            return await self._without_store(request, transfer)
        hop = Hop(engine, transfer, partial(self._later, transfer))
        try:
            answer = await run_async(exchange(request, rules, engine.clock(), background=background), _World(hop))
            engine.answered(request, answer)
            return await do_async(hop.deliver(answer))
        except BaseException as error:
            native = hop.give_up()
            if native is not None:
                transfer.abort(native)
            engine.tell_error(error)
            raise

    async def _without_store(self, request: Request, transfer: Transfer[N]) -> tuple[Answer, N, None]:
        engine = self.engine
        engine.without_store(request)
        asked = engine.clock()
        response: Response[N] = await transfer.send(request)
        received = Received(response.status, response.reason, response.headers, asked, engine.clock())
        answer = engine.without_store(request, received)
        engine.answered(request, answer)
        return answer, response.native, None

    def _later(self, transfer: Transfer[Any], request: Request, key: tuple[bytes, bytes]) -> None:
        spawn = self._spawn()
        if spawn is not None:
            spawn(key, partial(self._validate, request, transfer.detached()))

    async def _validate(self, request: Request, transfer: Transfer[Any]) -> None:
        try:
            _, native, tee = await self.answer(request, transfer, background=True)
            if native is not None:
                await transfer.drain(native, tee)
        except Exception as error:
            # The good entry is still there (G27); the next asker tries again.
            logger.warning("background validation of a stale response failed: %s", error)
            self.engine.events.tell("background-error", request.method, request.url, 0, type(error).__name__)

    async def flush(self) -> None:
        """Write what is queued for a store that is somebody else's to close, if it is well; takes 5 s at most."""
        if not self.engine.guard.down:
            await do_async(self.engine.remove_superseded())
            try:
                if isinstance(self.engine.store, AsyncFlushing):
                    await self.engine.store.flush(CLOSE_SECONDS)
            except Exception as error:
                logger.warning("writing to the cache at %s failed: %s", self.engine.store.location, error)

    async def close(self) -> None:
        """Write what is queued, close the store's connections."""
        await do_async(self.engine.remove_superseded())
        self.engine.guard.close()
        try:
            await self.engine.store.close()
        except Exception as error:
            logger.warning("closing the cache at %s failed: %s", self.engine.store.location, error)
        self.engine.guard.reopen()


class _World:
    """A hop's actions, performed by awaiting."""

    __slots__ = ("_hop",)

    def __init__(self, hop: Hop[Any]) -> None:
        self._hop = hop

    def load(self, action: Load, /) -> Awaitable[Loaded]:
        return do_async(self._hop.load(action))

    def load_body(self, action: LoadBody, /) -> Awaitable[BodyStart | None]:
        return do_async(self._hop.load_body(action))

    def discard(self, action: Discard, /) -> Awaitable[None]:
        return do_async(self._hop.discard(action))

    def claim(self, action: Claim, /) -> Awaitable[Granted | Landed | Alone]:
        return do_async(self._hop.claim(action))

    def fetch(self, action: Fetch, /) -> Awaitable[Received | Unreachable]:
        return do_async(self._hop.fetch(action))

    def freshen(self, action: Freshen, /) -> Awaitable[bool]:
        return do_async(self._hop.freshen(action))

    def drop(self, action: Drop, /) -> Awaitable[None]:
        return do_async(self._hop.drop(action))

    def supersede(self, action: Supersede, /) -> Awaitable[None]:
        return do_async(self._hop.supersede(action))

    def later(self, action: Later, /) -> Awaitable[None]:
        return do_async(self._hop.later(action))
