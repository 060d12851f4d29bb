"""The tee between network, reader and store: it stores the body that passes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from msgspec.structs import replace

from sansio_cache.bodies import Intake, hashes_at_once
from sansio_cache.cache_status import CacheStatus
from sansio_cache.keeping import Keeping
from sansio_cache.records import INLINE_LIMIT, Item
from sansio_cache.storing import Storing
from sansio_cache_adapters.stores.finalizers import RELEASING, is_closing
from sansio_cache_adapters.stores.forking import FORKS
from sansio_cache_adapters.stores.protocol import new_entry
from sansio_cache_adapters.stores.work import Work, awaited

from .decoding import taken_off
from .engine import Engine
from .events import logger
from .flights import Duty

__all__ = ["INCOMPLETE", "UNREAD", "Tee"]

UNREAD: Final = "body-not-read"
INCOMPLETE: Final = "incomplete"
"""The body broke off, or its coding did."""


class Tee:
    """Takes a body on its way to the reader into the store; whatever goes wrong here, the reader does not notice.

    Feed it every byte as received, then :meth:`finish` at a clean end, or :meth:`abandon`.

    It is the process's in which its exchange began. In a child that is forked meanwhile it is done: pending body and
    lease are the parent's.

    :param begun: the generation (:mod:`~sansio_cache_adapters.stores.forking`) in which the exchange began.
    :param status: what the cache says of the response once that is stored.
    :ivar expected: the length in bytes that the response's framing promises, or None.
    :ivar outcome: ``""`` once it is stored, why it is not, or None while that is open.
    :ivar came_whole: the body was here with its head, as long as its framing promises, and not coded.
    :ivar told: called with this when the outcome is there; must not raise.
    """

    __slots__ = (
        *("_begun", "_done", "_engine", "_entry", "_keeping", "_lead", "_overdue", "_status", "_taken"),
        *("_superseded", "_written", "came_whole", "expected", "outcome", "told"),
    )

    def __init__(self, engine: Engine, keeping: Keeping, lead: Duty | None, begun: int, status: CacheStatus) -> None:
        self._done = False
        self._status = status
        self.outcome: str | None = None
        self.came_whole: bool = False
        self.told: Callable[[Tee], object] | None = None
        self._begun = begun
        self._engine = engine
        self._keeping = keeping
        self._lead = lead
        self._entry = b""
        self._written = 0
        self._superseded = keeping.superseded
        self.expected: int | None = keeping.expected
        self._taken: Intake | None = None
        self._overdue = engine.clock() + engine.policy.wait_for_body

    @property
    def _intake(self) -> Intake:
        """Takes a body in pieces; made with the first."""
        intake = self._taken
        if intake is None:
            keeping, engine = self._keeping, self._engine
            intake = Intake(keeping.headers, keeping.expected, engine.max_body, engine.policy.body_digest)
            self._taken = intake
        return intake

    @property
    def done(self) -> bool:
        """Whether nothing more need be fed."""
        return self._done or self._begun != FORKS.generation

    @property
    def status(self) -> CacheStatus:
        """The Cache-Status of the response by now: a body that was not read is not stored (RFC 9211 §2.5)."""
        return (
            self._status if self.outcome == "" else replace(self._status, stored=False, detail=self.outcome or UNREAD)
        )

    @property
    def lost(self) -> bool:
        """Whether it is settled that it is not stored."""
        return bool(self.outcome)

    async def feed(self, data: bytes) -> None:
        """Take bytes of the body, as received."""
        if self.done or not data:
            return
        intake = self._intake
        chunks = intake.feed(data)
        while intake.coded and intake.check():
            # A coding may expand to a thousand times as much: an event loop gets its turn in between.
            await self._guarded(self._pause())
        for chunk in chunks:
            await self._guarded(self._write(chunk))
            if self.done:
                return
        self._look_at_bounds(intake)
        if self._engine.noted:
            await self._engine.remove_superseded()

    def hold(self, data: bytes) -> None:
        """Take bytes where nothing can be waited for: held, or given up where some had to be written."""
        if self.done or not data:
            return
        intake = self._intake
        if intake.feed(data) or intake.check():
            self.abandon()
        else:
            self._look_at_bounds(intake)

    def _look_at_bounds(self, intake: Intake) -> None:
        if intake.refused:
            self._end(Storing.TOO_LARGE.value, storable=False)
        elif self._lead is not None and self._engine.clock() > self._overdue:
            # Others have waited long enough for this body (``wait_for_body``).
            self.set_free()

    async def take(self, body: bytes) -> None:
        """Take a whole body, as received, of which nothing was fed."""
        if self.done:
            return
        keeping, engine = self._keeping, self._engine
        hashes = hashes_at_once(body, keeping.headers, keeping.expected, engine.max_body)
        if hashes is None:
            await self.feed(body)
            await self.finish()
            return
        self.came_whole = keeping.expected is not None
        await self._guarded(self._commit(body, len(body), hashes))
        if engine.noted:
            await engine.remove_superseded()

    async def finish(self) -> None:
        """The body has come to its end, as the client judges it: commit, if it is whole."""
        if self.done:
            return
        if not self._intake.whole():
            self._spare_uncertain()
            self._end(INCOMPLETE)
        else:
            await self._guarded(self._commit_fed())
        if self._engine.noted:
            await self._engine.remove_superseded()

    def set_free(self) -> None:
        """Let those go on who wait for this body; it may still be kept. For a timer: an unread body feeds nothing."""
        lead, self._lead = self._lead, None
        if lead is not None:
            lead.rest()

    def abandon(self, why: str = UNREAD) -> None:
        """The reader went away, or the body broke off: nothing becomes visible. Never raises."""
        if self._done:
            return
        if is_closing():
            self.drop(why)
        else:
            self._spare_uncertain()
            self._end(why)

    def drop(self, why: str = UNREAD) -> None:
        """The same for a finalizer, which must not wait for a lock.

        Another thread releases all that it holds in a moment.
        """
        self._done = True
        self._spare_uncertain()
        if self._entry or self._superseded or self._lead is not None:
            RELEASING(self._let_go)
        self._settle(why, at_once=False)

    def _spare_uncertain(self) -> None:
        # The response that broke off may have been the same again: a failed fetch keeps the good entry (G27).
        if self._superseded:
            self._superseded = tuple(each for each in self._superseded if each.certain)

    async def _guarded(self, work: Work[None]) -> None:
        try:
            await work
        except Exception as error:
            self._engine.breaker.trip(error)
            self.abandon("store-unavailable")
        except BaseException:
            self.abandon("cancelled")
            raise

    async def _pause(self) -> None:
        await awaited(self._engine.pause(0.0))

    async def _write(self, chunk: bytes) -> None:
        store = self._engine.store
        if not self._entry:
            self._entry = new_entry()
        await awaited(store.write(self._entry, self._written, chunk))
        self._written += 1

    async def _commit_fed(self) -> None:
        chunker = self._intake.chunker
        rest = chunker.rest()
        inline = not self._entry and chunker.length <= INLINE_LIMIT
        if not inline and rest:
            await self._write(rest)
        await self._commit(rest if inline else None, chunker.length, bytes(chunker.hashes))

    async def _commit(self, body: bytes | None, length: int, hashes: bytes) -> None:
        engine = self._engine
        item = self._item(body, length, hashes)
        if isinstance(item, Storing):
            self._end(item.value, storable=False)
            return
        entry, self._entry = self._entry, b""
        try:
            kept = await awaited(engine.store.commit(item, vary_limit=self._keeping.vary_limit, now=engine.clock()))
        except BaseException:
            self._entry = entry
            raise
        if kept and self._superseded:
            self._superseded = tuple(each for each in self._superseded if each.variant != item.variant)
        self._end("" if kept else "refused-by-store")

    def _item(self, body: bytes | None, length: int, hashes: bytes) -> Item | Storing:
        try:
            return self._keeping.finish(body, self._entry, length, hashes, taken_off)
        except Exception as error:  # filter_fn is the user's own
            logger.warning("filter_fn raised, so the response is not kept: %s: %s", type(error).__name__, error)
            return Storing.FILTERED

    def _settle(self, outcome: str, *, at_once: bool = True) -> None:
        if self.outcome is not None:
            return
        self.outcome = outcome
        keeping, events = self._keeping, self._engine.events
        tell = events.tell if at_once else events.note
        kind = "not-stored" if outcome else "stored"
        tell(kind, keeping.method, keeping.url, keeping.status, outcome, keeping.keys.partition)
        if self.told is not None:
            self.told(self)

    def _end(self, outcome: str, *, storable: bool = True) -> None:
        self._done = True
        self._let_go(storable=storable)
        self._settle(outcome)

    def _let_go(self, *, storable: bool = True) -> None:
        entry, self._entry = self._entry, b""
        if entry and self._begun == FORKS.generation:
            self._engine.quietly(partial(self._engine.store.abort, entry))
        superseded, self._superseded = self._superseded, ()
        if superseded and self._begun == FORKS.generation:
            self._engine.supersede(self._keeping.keys.partition, superseded)
        lead, self._lead = self._lead, None
        if lead is not None:
            lead.release(storable=storable)
