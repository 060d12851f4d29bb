"""One request on its way through the cache: performs the actions of its ``exchange``, and releases its waiters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from msgspec.structs import replace

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
    Steps,
    Supersede,
)
from sansio_cache.decisions import Answer, FromNetwork
from sansio_cache.drivers import Paused
from sansio_cache.messages import HTTP_1_1, Headers, Options, Received, Request, Unreachable
from sansio_cache_adapters.stores.finalizers import RELEASING, is_closing
from sansio_cache_adapters.stores.forking import FORKS
from sansio_cache_adapters.stores.lease_tokens import new_token
from sansio_cache_adapters.stores.protocol import LEASE_SECONDS, DroppingSoon, Lease, Seen
from sansio_cache_adapters.stores.work import Work, awaited

from .engine import Engine
from .flights import Flight, NotStorable, OwnFlight
from .stored_body import discard, load_body
from .tee import Tee

__all__ = ["Delivered", "Exchange", "Lead", "NativeResponse", "Transfer"]

FIRST_POLL, LAST_POLL = 0.001, 0.025
"""Seconds after which the leader of a process looks whether the leader of another has done; each time twice as many."""
NOT_STORABLE_SECONDS: Final = 10.0
"""For so long other processes hear that the answer is not storable, and do not queue."""

N = TypeVar("N")


class NativeResponse(NamedTuple, Generic[N]):
    """A client's own response with what the rules need of it.

    :ivar refusal: why nothing of it may be kept, whatever the rules say; ``""`` where it may.
    :ivar version: that of HTTP, in tenths.
    """

    status: int
    reason: str
    headers: Headers
    native: N
    refusal: str = ""
    version: int = HTTP_1_1


class Transfer(Protocol[N]):
    """How a client's request goes to the network. Each method blocks or returns an awaitable, as the client does."""

    def send(self, request: Request, /) -> NativeResponse[N] | Awaitable[NativeResponse[N]]:
        """The response, its body unread; raises the client's own errors."""
        ...

    def discard(self, native: N, /) -> Awaitable[None] | None:
        """Give up a response that is not the answer, and give its connection back where it is at its end."""
        ...

    def abort(self, native: N, /) -> None:
        """Drop a response and its connection at once; never blocks, never raises."""
        ...

    def drain(self, native: N, tee: Tee | None, /) -> Awaitable[None] | None:
        """Read a response to its end into a tee: a background validation's."""
        ...

    def detached(self) -> Transfer[N]:
        """The same for a later time, when the user may have changed what belongs to them."""
        ...


class Lead:
    """The duty of a leader: the flight in this process, and the lease in the store if it was granted."""

    __slots__ = ("begun", "engine", "flight", "leased", "partition", "resource", "token")

    def __init__(self, engine: Engine, flight: Flight, partition: bytes, resource: bytes) -> None:
        self.engine = engine
        self.flight = flight
        self.partition = partition
        self.resource = resource
        self.token = new_token()
        self.leased = False
        self.begun = FORKS.generation

    def rest(self) -> None:
        """Release them because the body is not waited for any longer: to wait for the next one would be no better."""
        self.flight.rests = True
        self.release(storable=True, open_seconds=self.engine.policy.wait_for_body)

    def release(self, *, storable: bool, open_seconds: float = 0.0) -> None:
        """Release everyone who waits. Never blocks for long, never raises. Idempotent.

        :param open_seconds: for so long other processes hear that they need not wait; longer where nothing is storable.
        """
        if self.begun != FORKS.generation:
            # A copy of what another process leads.
            return
        engine = self.engine
        if self.leased and engine.claims is not None:
            self.leased = False
            open_seconds = open_seconds if storable else NOT_STORABLE_SECONDS
            open_until = engine.clock() + open_seconds if open_seconds else 0.0
            engine.give_back(partial(engine.claims.release, self.partition, self.token, open_until=open_until))
        engine.flights.end(self.flight, storable=storable)


class Delivered(NamedTuple, Generic[N]):
    """An answer on its way to the client.

    :ivar native: its own response, where the body comes from there.
    :ivar tee: what to feed the body to, where it is to be stored.
    """

    answer: Answer
    native: N | None
    tee: Tee | None


class Exchange(Generic[N]):
    """Performs what one exchange of the core asks for.

    :param later: starts a background validation of a request under a key.
    """

    def __init__(
        self, engine: Engine, transfer: Transfer[N], later: Callable[[Request, tuple[bytes, bytes]], object]
    ) -> None:
        self._engine = engine
        self._transfer = transfer
        self._later = later
        self._native: N | None = None
        self._lead: Lead | None = None
        self._patience = engine.policy.wait_for_body
        self._refusal = ""
        self._begun = FORKS.generation

    async def answered(self, request: Request, begun: Answer | Paused[Answer] | Steps[Answer]) -> Delivered[N]:
        """The answer to a request, and what its body comes from.

        :param begun: its exchange, at its start or paused; or the answer, where a look into the store has shown it.
        :raises Exception: see :func:`sansio_cache.exchange.exchange`.
        """
        try:
            answer: Answer
            if isinstance(begun, Answer):
                answer = begun
            else:
                steps = begun.steps if isinstance(begun, Paused) else begun
                try:
                    action = begun.action if isinstance(begun, Paused) else next(steps)
                    while True:
                        # Each method here is named for the verb that it performs.
                        work: Work[object] = getattr(self, action.verb)(action)
                        action = steps.send(await work)
                except StopIteration as done:
                    answer = done.value
            self._engine.answered(request, answer)
            return await self._deliver(answer)
        except BaseException as error:
            # It failed or was cancelled: the waiters are set free.
            self._give_up()
            self._engine.tell_error(error)
            raise

    def _why_not_kept(self) -> str:
        """Why nothing that the network brought may be kept; ``""`` where it may."""
        return self._refusal if self._begun == FORKS.generation else "begun-before-fork"

    async def load(self, action: Load) -> Loaded:
        """Read a partition."""
        engine = self._engine
        if engine.noted:
            await engine.remove_superseded()
        call = partial(engine.store.load, action.keys.partition)
        return Loaded(await engine.breaker.attempting((), call), engine.clock())

    async def load_body(self, action: LoadBody) -> BodyStart | None:
        """Read how a body begins."""
        return await load_body(self._engine, action.record, action.index)

    async def discard(self, action: Discard) -> None:
        """Remove a record whose body is not there."""
        await discard(self._engine, action.record)

    async def claim(self, action: Claim) -> Granted | Landed | Alone:
        """Lead a flight, or wait for the one under way."""
        engine = self._engine
        if self._begun != FORKS.generation:
            return Alone(engine.clock())
        if self._lead is None:
            joined = engine.flights.join(engine.store_id, action.keys, engine.me())
            if isinstance(joined, OwnFlight | NotStorable):
                return Alone(engine.clock())
            leads, flight = joined
            if not leads:
                return await self._wait(flight, action.patience)
            self._lead = flight.lead = Lead(engine, flight, action.keys.partition, action.keys.resource)
        return await self._lease(self._lead, action)

    async def _wait(self, flight: Flight, patience: float) -> Landed | Alone:
        """Wait for a flight's head, then a little for its body (``wait_for_body``)."""
        engine = self._engine
        ended = await awaited(engine.wait(flight.head, patience))
        if ended:
            began = engine.clock()
            ended = await awaited(engine.wait(flight.done, self._patience))
            # The next leader may have a reader that rests as well: all together they are waited for no longer.
            self._patience = max(self._patience - (engine.clock() - began), 0.0)
            if not ended and flight.lead is not None:
                # Its reader rests, or the origin does: the waiters no longer wait for this body.
                flight.lead.rest()
            ended = ended and not flight.rests
        return Landed(engine.clock()) if ended else Alone(engine.clock())

    async def _lease(self, lead: Lead, action: Claim) -> Granted | Landed | Alone:
        """The store's lease; while another process has it, that one's answer is waited for."""
        engine = self._engine
        if lead.leased:
            return Granted(engine.clock())
        claims = engine.claims
        if claims is None:
            # Our own flight goes on: the others of this process share this fetch.
            return await self._granted(lead, action) if engine.instant else Alone(engine.clock())
        if engine.owed:
            engine.settle()
        deadline = engine.clock() + action.patience
        pause, waited = FIRST_POLL, False
        while True:
            now = engine.clock()
            call = partial(claims.claim, lead.partition, lead.resource, lead.token, now=now, until=now + LEASE_SECONDS)
            # A leader that fails or is cancelled here may hold it all the same, and gives it back: a frozen server does
            # what it was asked when it goes on.
            lead.leased = not engine.breaker.down
            lease = await engine.breaker.attempting(None, call)
            if lease is None:
                return Alone(now)
            if lease is Lease.GRANTED:
                if waited:
                    return Landed(engine.clock())
                return await self._granted(lead, action)
            lead.leased = False
            if lease is Lease.OPEN or now >= deadline:
                # Our own flight goes on: the others of this process still share this fetch.
                return Alone(now)
            waited = True
            await awaited(engine.pause(pause))
            pause = min(2 * pause, LAST_POLL)

    async def _granted(self, lead: Lead, action: Claim) -> Granted | Landed:
        engine = self._engine
        # Another may have led, and ended, between our look into the store and our claim.
        there = await engine.breaker.attempting((), partial(engine.store.load, lead.partition))
        # A record that is gone meanwhile answers no request, and is no news.
        is_news = bool(there) and not {each.rev for each in there}.issubset(action.seen)
        return Landed(engine.clock()) if is_news else Granted(engine.clock())

    async def fetch(self, action: Fetch) -> Received | Unreachable:
        """Send a request; a failure of the network is a reply."""
        if self._native is not None:
            await self._discard()
        clock = self._engine.clock
        asked = clock()
        try:
            response = await awaited(self._transfer.send(action.request))
        except Exception as error:  # whatever the client raises is the client's, and goes back to its user
            return Unreachable(error, clock())
        self._native = response.native
        self._refusal = response.refusal
        return Received(response.status, response.reason, response.headers, asked, clock(), response.version)

    async def freshen(self, action: Freshen) -> bool:
        """Replace a record's head, if it is still the same."""
        engine = self._engine
        if self._why_not_kept():
            return False
        item = action.item
        call = partial(engine.store.change, [Seen(item.partition, item.variant, action.rev)], item)
        return (await engine.breaker.attempting(0, call)) == 1

    async def drop(self, action: Drop) -> None:
        """Invalidate a resource, in the store and for those who would join a flight that began before."""
        engine = self._engine
        engine.flights.forget(engine.store_id, action.resource)
        store = engine.store
        # The answer to an unsafe request need not wait for what it invalidates.
        drop = store.drop_soon if isinstance(store, DroppingSoon) else store.drop
        call: Callable[[], object] = partial(drop, action.resource, now=engine.clock())
        await engine.breaker.attempting(None, call)

    async def supersede(self, action: Supersede) -> None:
        """Remove records that an answer has superseded."""
        if self._why_not_kept():
            # It may be the answer of another user.
            return
        self._engine.supersede(action.keys.partition, action.superseded)
        await self._engine.remove_superseded()

    async def later(self, action: Later) -> None:
        """Validate in the background."""
        options = Options(refresh=True, expiry=action.request.options.expiry, tags=action.request.options.tags)
        self._later(replace(action.request, options=options), (self._engine.store_id, action.keys.partition))

    async def _discard(self) -> None:
        native, self._native = self._native, None
        if native is not None:
            await awaited(self._transfer.discard(native))

    def _give_up(self) -> None:
        lead, self._lead = self._lead, None
        if lead is not None:
            release = partial(lead.release, storable=True)
            if is_closing():
                RELEASING(release)
            else:
                release()
        native, self._native = self._native, None
        if native is not None:
            self._transfer.abort(native)

    async def _deliver(self, answer: Answer) -> Delivered[N]:
        """The answer, the client's own response where the body comes from there, and the tee to feed.

        The duty of a leader passes to the tee, or ends here.
        """
        if not isinstance(answer.body, FromNetwork):
            self._release(storable=True)
            await self._discard()
            return Delivered(answer, None, None)
        native, keeping = self._native, answer.keeping
        if keeping is None:
            self._release(storable=False)
            return Delivered(answer, native, None)
        engine = self._engine
        refusal = self._why_not_kept() or engine.breaker.refusal
        if keeping.expected is not None and keeping.expected > engine.max_body:
            refusal = "too-large"
        if refusal:
            if not self._why_not_kept():
                engine.supersede(keeping.keys.partition, keeping.superseded)
                await engine.remove_superseded()
            self._release(storable=False)
            engine.events.tell("not-stored", keeping.method, keeping.url, keeping.status, refusal, answer.key)
            status = replace(answer.cache_status, stored=False, detail=refusal)
            answer = replace(answer, keeping=None, expires=None, cache_status=status)
            return Delivered(answer, native, None)
        lead, self._lead = self._lead, None
        if lead is not None:
            lead.flight.land()
        return Delivered(answer, native, Tee(engine, keeping, lead, self._begun, answer.cache_status))

    def _release(self, *, storable: bool) -> None:
        lead, self._lead = self._lead, None
        if lead is not None:
            lead.release(storable=storable)
