"""The engine of every session: its policy, store, rules, circuit breaker, flights and events.

The verbs are work (``work.py``), written once; ``blocking.py`` and ``asynchronous.py`` say how to wait.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Final

from sansio_cache.actions import Action, BodyStart, Load, LoadBody, Loaded
from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused, run_if_stored
from sansio_cache.errors import BadSignature, BrokenRecord, KeyRequired, SettingError
from sansio_cache.exchange import exchange
from sansio_cache.keeping import Superseded
from sansio_cache.messages import Request
from sansio_cache.policy import Policy
from sansio_cache.records import Head, Meta
from sansio_cache.rules import Rules
from sansio_cache.sealing import Sealer
from sansio_cache_adapters.stores.forking import renew_in_child
from sansio_cache_adapters.stores.protocol import (
    AsyncClaiming,
    AsyncFlushing,
    AsyncStore,
    Claiming,
    Instant,
    Seen,
    Store,
)
from sansio_cache_adapters.stores.work import awaited

from .circuit_breaker import CircuitBreaker
from .events import Event, Events, Stats
from .flights import FLIGHTS

__all__ = ["CLOSE_SECONDS", "Engine"]

CLOSE_SECONDS: Final = 5.0
"""Background validation is waited for so long on close, then abandoned."""

_MOST_OWED: Final = 1024

Waiter = Callable[[Future[Any], float], bool] | Callable[[Future[Any], float], Awaitable[bool]]
Pauser = Callable[[float], None] | Callable[[float], Awaitable[None]]


class Engine:
    """The common part of all sessions.

    :param store: blocking or awaitable, as the session is.
    :param probe: opens the store, or raises while it is not well; blocking.
    :param me: names the thread or task that asks, so that a leader never waits for itself.
    :param wait: waits for a future, some seconds at most; whether it was done.
    :param pause: waits some seconds.
    :param on_event: is told every decision.
    :param clock: POSIX seconds.
    :param blocks: whether all that it does is done by calling, in a thread of the caller's own.
    :param undecodable: see :class:`sansio_cache.rules.Rules`.
    :ivar instant: see :class:`~sansio_cache_adapters.stores.protocol.Instant`.
    :ivar noted: records that are not to be used again, by their partitions; see :meth:`supersede`.
    :ivar owed: what gives back the leases that could not be; see :meth:`settle`.
    """

    def __init__(
        self,
        policy: Policy,
        store: Store | AsyncStore,
        sealer: Sealer,
        *,
        probe: Callable[[], Meta],
        me: Callable[[], object],
        wait: Waiter,
        pause: Pauser,
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] = time.time,
        undecodable: frozenset[str] = frozenset(),
        blocks: bool = False,
    ) -> None:
        self.policy = policy
        self.store = store
        self.instant: bool = isinstance(store, Instant) and store.instant
        claims = store if isinstance(store, Claiming) else None
        self.claims: Claiming | AsyncClaiming | None = None if self.instant else claims
        self.sealer = sealer
        self.me = me
        self.wait = wait
        self.pause = pause
        self.blocks = blocks
        self.clock = clock
        self.events: Events = Events(on_event, clock)
        # Not held by what it holds: a session that is dropped unclosed is gone at once, not when the collector comes.
        self.breaker: CircuitBreaker = CircuitBreaker(
            str(store.location), partial(_taken, weakref.ref(self), probe), self.events
        )
        self.flights = FLIGHTS
        self.max_body: int = policy.max_body if policy.max_body is not None else store.max_bytes // 8
        self._undecodable = undecodable
        self._lock = threading.RLock()
        renew_in_child(self, "_lock", threading.RLock)
        self.noted: deque[tuple[bytes, Superseded]] = deque(maxlen=_MOST_OWED)
        self.owed: deque[Callable[[], object]] = deque(maxlen=_MOST_OWED)
        self.rules: Rules | None = None
        self.store_id: bytes = b""

    @property
    def stats(self) -> Stats:
        """The counters since the session began."""
        return self.events.stats()

    async def opened(self) -> Rules | None:
        """The rules; None while the store cannot be opened.

        :raises KeyRequired: the store is signed, and this session has no secret.
        """
        if self.rules is not None:
            return self.rules
        meta = await self.breaker.attempting(None, partial(self.store.open, signed=self.sealer.signed))
        return None if meta is None else self.take_meta(meta)

    def take_meta(self, meta: Meta) -> Rules:
        """The rules under a store's meta record.

        :raises KeyRequired: the store is signed, and this session has no secret.
        """
        if meta.signed and not self.sealer.signed:
            raise KeyRequired(
                f"the cache at {self.store.location} is signed: open it with its secret_key. "
                "If the key is lost, remove the cache or make a new one in another place"
            )
        with self._lock:
            if self.rules is None or self.store_id != meta.store_id:
                self.store_id = meta.store_id
                self.rules = Rules(self.policy, meta, self.sealer, self._undecodable)
            return self.rules

    def look(
        self,
        request: Request,
        load: Callable[[bytes], Any],
        load_body: Callable[[LoadBody], BodyStart | None] | None = None,
    ) -> Answer | Paused[Answer] | None:
        """The answer to a request if reading the store is all it takes; else its exchange, paused where it is not.

        None where the store is not to be asked now. One who takes the answer says so to :meth:`answered`.

        :param load: the records of a partition, or None where the store cannot say at once.
        :param load_body: how a body begins; None where reading that has to be waited for.
        :raises BadSignature: as :func:`sansio_cache.exchange.exchange` does.
        """
        rules, breaker = self.rules, self.breaker
        if rules is None or breaker.down or self.noted:
            return None

        def perform(action: Action[Any]) -> object:
            if isinstance(action, Load):
                try:
                    records = load(action.keys.partition)
                except SettingError:
                    raise
                except Exception as error:  # a store of the user's own may raise anything
                    breaker.trip(error)
                    return None
                return None if records is None else Loaded(records, self.clock())
            return load_body(action) if isinstance(action, LoadBody) and load_body is not None else None

        try:
            return run_if_stored(exchange(request, rules, self.clock()), perform)
        except Exception as error:
            self.tell_error(error)
            raise

    def with_body(self, paused: Paused[Answer], start: BodyStart | None) -> Answer | Paused[Answer]:
        """The answer that has paused for its body, which begins so; still paused where it needs more than that."""
        try:
            return run_if_stored(paused, lambda action: start if action is paused.action else None)
        except Exception as error:
            self.tell_error(error)
            raise

    def supersede(self, partition: bytes, records: Iterable[Superseded]) -> None:
        """Note records that are not to be used again; they go before the next look into the store. Never blocks."""
        self.noted.extend((partition, record) for record in records)

    async def remove_superseded(self) -> None:
        """Remove what was noted, while the store is well."""
        while self.noted and not self.breaker.down:
            try:
                noted = self.noted.popleft()
            except IndexError:  # another thread was faster
                return
            partition, (variant, rev, _) = noted
            await self.breaker.attempting(0, partial(self.store.change, [Seen(partition, variant, rev)], None))
            if self.breaker.down:
                self.noted.appendleft(noted)

    async def flush(self) -> None:
        """Write what the store has queued; takes 5 s at most."""
        if isinstance(self.store, AsyncFlushing):
            flush: Callable[[float], bool | Awaitable[bool]] = self.store.flush
            await awaited(flush(CLOSE_SECONDS))

    def answered(self, request: Request, answer: Answer) -> None:
        """Count an answer, and note that its record was used."""
        self.events.answered(request.method, request.url, answer)
        if answer.record is not None and not self.breaker.down:
            try:
                self.store.touch(answer.record.head.partition, answer.record.stored.entry, now=self.clock())
            except Exception as error:  # a store of the user's own may raise anything
                self.breaker.trip(error)

    def give_back(self, release: Callable[[], object]) -> None:
        """Give a lease back; while the store is not well, later, when it is: else everybody would wait for its end."""
        if self.breaker.down:
            self.owed.append(release)
            # The trouble may not concern the lease, for which other processes wait.
            with suppress(Exception):
                release()
            return
        try:
            release()
        except Exception as error:  # a store of the user's own may raise anything
            self.breaker.trip(error)

    def settle(self) -> None:
        """Give back the leases that could not be."""
        while self.owed and not self.breaker.down:
            with suppress(IndexError):  # another thread was faster
                self.quietly(self.owed.popleft())

    def quietly(self, call: Callable[[], object]) -> None:
        """Call what never blocks, and should never raise; a store of the user's own may."""
        try:
            call()
        except Exception as error:
            self.breaker.trip(error)

    def tell_error(self, error: BaseException) -> None:
        """Count an error that ends a request on the cache's account."""
        if isinstance(error, BadSignature):
            self.events.tell("bad-signature", url=error.url or "", reason=error.reason, key=bytes.fromhex(error.key))

    def unreadable_body(self, head: Head, reason: str) -> Exception:
        """The error of a body that is not the one its record describes; counted."""
        if self.sealer.signed:
            error = BadSignature(head.url, head.partition.hex(), "body")
            self.tell_error(error)
            return error
        self.events.tell("flaw", head.method, head.url, head.status, reason, head.partition)
        return BrokenRecord(reason)


def _taken(engine: weakref.ref[Engine], probe: Callable[[], Meta]) -> None:
    meta = probe()
    living = engine()
    if living is not None:
        living.take_meta(meta)
