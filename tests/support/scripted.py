"""Work fed by hand: each call that it awaits is compared with the next row of a script, and given that row's reply.

No store, no server, no thread and no waiting: what a row says is what the store, the network or the clock has done.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, TypeVar
from unittest.mock import call

from clock import Clock
from core_rows import META, SECRET

from sansio_cache.policy import Policy
from sansio_cache.sealing import UNSIGNED, Sealer
from sansio_cache_adapters.cache.engine import Engine
from sansio_cache_adapters.cache.flights import Flights
from sansio_cache_adapters.cache.setup import set_up
from sansio_cache_adapters.stores.memory import MemoryStore
from sansio_cache_adapters.stores.work import Work

T = TypeVar("T")
Row = tuple[Any, object]
"""A call (:data:`unittest.mock.call`), and the reply: a value, an exception to be raised, or a function to be asked."""


class Asked:
    """A call that waits for its reply."""

    def __init__(self, what: object) -> None:
        self.what = what

    def __await__(self) -> Generator[object, Any, Any]:
        return (yield self.what)


def _asking(verb: str) -> Any:
    def asked(self: object, *arguments: Any, **keywords: Any) -> Asked:
        return Asked(getattr(call, verb)(*arguments, **keywords))

    return asked


def _noting(verb: str) -> Any:
    def noted(self: Any, *arguments: Any, **keywords: Any) -> None:
        self.noted.append(getattr(call, verb)(*arguments, **keywords))
        if self.trouble is not None:
            raise self.trouble

    return noted


class ScriptedStore:
    """A store whose answers are written down.

    :ivar noted: the calls that it does not keep waiting.
    :ivar trouble: what those raise.
    """

    max_bytes = 64_000_000
    location = "here"

    def __init__(self) -> None:
        self.noted: list[Any] = []
        self.trouble: Exception | None = None

    open, load, hashes, chunk, write, commit, change, drop = map(
        _asking, ("open", "load", "hashes", "chunk", "write", "commit", "change", "drop")
    )
    clear, unsign, size, sweep, close = map(_asking, ("clear", "unsign", "size", "sweep", "close"))
    abort, touch = map(_noting, ("abort", "touch"))
    listed = _noting("listed")


class ClaimingStore(ScriptedStore):
    """One that leads others to wait."""

    claim, release = _asking("claim"), _noting("release")


class ScriptedTransfer:
    """A network whose answers are written down.

    :ivar noted: the calls that it does not keep waiting.
    """

    trouble: Exception | None = None

    def __init__(self) -> None:
        self.noted: list[Any] = []

    send, discard, drain = map(_asking, ("send", "discard", "drain"))
    abort = _noting("abort")

    def detached(self) -> ScriptedTransfer:
        """The same."""
        return self


def scripted_engine(
    store: ScriptedStore | None = None, policy: Policy | None = None, sealer: Sealer = UNSIGNED, *, opened: bool = True
) -> Any:
    """An engine whose store, waits and pauses are written down, with flights and a clock of its own."""

    def wait(future: Future[None], seconds: float) -> Any:
        return Asked(call.wait(future, seconds))

    def pause(seconds: float) -> Any:
        return Asked(call.pause(seconds))

    given: Any = ClaimingStore() if store is None else store
    engine = Engine(
        Policy() if policy is None else policy,
        given,
        sealer,
        probe=lambda: META,
        me=lambda: "me",
        wait=wait,
        pause=pause,
        clock=Clock(),
    )
    engine.flights = Flights()
    if opened:
        engine.take_meta(META)
    return engine


def played(work: Work[T], *script: Row) -> T:
    """The result of work that asks for exactly this, in this order."""
    left, reply = list(script), None
    while True:
        try:
            asked = work.throw(reply) if isinstance(reply, BaseException) else work.send(reply)
        except StopIteration as done:
            value: T = done.value
            break
        assert left, f"not in the script: {asked}"
        wanted, said = left.pop(0)
        assert asked == wanted
        reply = said() if callable(said) else said
    assert not left, f"never asked for: {left}"
    return value


def after(clock: Clock, seconds: float, reply: object) -> Callable[[], object]:
    """A reply that takes its time."""

    def later() -> object:
        clock.advance(seconds)
        return reply

    return later


class Told:
    """All that a session can be told of its cache, to see whether it arrives."""

    def __init__(self) -> None:
        self.store, self.clock, self.policy = MemoryStore(), Clock(), Policy(max_body=9)
        self.heard: list[object] = []
        self.setup = set_up(self.store, SECRET, self.policy, self.heard.append, self.clock)

    def arrived(self, engine: Engine, undecodable: frozenset[str]) -> None:
        """Compare an engine, which is open, with all of it."""
        assert engine.rules is not None
        assert (engine.store, engine.policy, engine.clock) == (self.store, self.policy, self.clock)
        assert (engine.sealer, engine.rules.undecodable) == (Sealer([SECRET]), undecodable)
        engine.events.tell("stored")
        assert len(self.heard) == 1
