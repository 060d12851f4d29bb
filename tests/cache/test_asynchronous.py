"""The cache of an awaiting client: what it may read at once, what it waits for, and how it hears of late trouble."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from inspect import isawaitable
from typing import Any
from unittest.mock import call
from weakref import ref

import pytest
from clock import Clock
from core_rows import BODY, META, ask, got, item_of, stored_of
from scripted import Asked, ClaimingStore, ScriptedTransfer, Told, played

from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused
from sansio_cache.errors import StoreError
from sansio_cache.keeping import Superseded
from sansio_cache.policy import Policy
from sansio_cache.records import Stored
from sansio_cache.sealing import UNSIGNED
from sansio_cache_adapters.cache.asynchronous import AsyncCache
from sansio_cache_adapters.stores.protocol import QueueFull, Seen

pytestmark = pytest.mark.usefixtures("no_probes")

CLOCK = Clock()
FRESH = stored_of(item_of(got("Cache-Control: max-age=60", at=CLOCK.now)))
CHUNKED = FRESH._replace(body=None)


class AtOnce(ClaimingStore):
    """One that can read without waiting, if it can."""

    found: Sequence[Stored] | None = ()

    def load_nowait(self, partition: bytes) -> Sequence[Stored] | None:
        return self.found


class Instant(ClaimingStore):
    """One whose every verb takes microseconds."""

    instant = True

    def load(self, partition: bytes) -> Sequence[Stored]:
        return [FRESH]


class Telling(ClaimingStore):
    """One that tells later of what went wrong."""

    tell: Callable[[BaseException], object]
    listening = False

    def listen(self, on_error: Callable[[BaseException], object]) -> Callable[[], None]:
        self.tell, self.listening = on_error, True

        def end() -> None:
            self.listening = False

        return end


class Spawning:
    """A session that starts background work."""

    def __init__(self) -> None:
        self.spawned: list[tuple[object, Any]] = []

    def spawn(self, key: object, job: Any) -> None:
        self.spawned.append((key, job))


def caching(store: ClaimingStore | None = None, spawn: Any = None, policy: Policy | None = None) -> Any:
    given: Any = ClaimingStore() if store is None else store
    made: Any = AsyncCache(
        Policy() if policy is None else policy,
        given,
        UNSIGNED,
        probe=lambda: META,
        spawn=spawn or Spawning().spawn,
        clock=CLOCK,
    )
    made.engine.take_meta(META)
    return made


def reading(found: Sequence[Stored] | None) -> AtOnce:
    store = AtOnce()
    store.found = found
    return store


@pytest.mark.parametrize(
    ("store", "verb"),
    [
        (ClaimingStore(), "load"),
        (reading(None), "load"),
        (reading([]), "claim"),
        (reading([FRESH]), ""),
        (Instant(), ""),
    ],
    ids=["a network", "a lock", "nothing there", "fresh", "instant"],
)
def test_what_a_look_finds_without_waiting(store: ClaimingStore, verb: str) -> None:
    found = caching(store).look(ask())
    assert (found.action.verb if isinstance(found, Paused) else "") == verb


@pytest.mark.parametrize(("body", "kind"), [(BODY, Answer), (b"another", Paused), (StoreError("gone"), Paused)])
def test_a_body_that_lies_elsewhere_is_awaited(body: object, kind: type[object]) -> None:
    look = caching(reading([CHUNKED])).look(ask())
    assert isawaitable(look)
    assert isinstance(played(look, (call.chunk(CHUNKED.entry, 0), body)), kind)  # type: ignore[arg-type]


def test_opening_is_awaited_once() -> None:
    cache = caching()
    cache.engine.rules = None
    played(cache.open(), (call.open(signed=False), META))
    played(cache.open())


def test_an_answer_goes_on_with_what_was_found() -> None:
    cache = caching(reading([FRESH]))
    found = cache.look(ask())
    assert played(cache.answering(ask(), ScriptedTransfer(), found)).answer is found


def test_background_work_is_started_by_the_session_as_long_as_it_lives() -> None:
    session = Spawning()
    cache = caching(spawn=session.spawn)

    async def work() -> None: ...

    cache._submit(("key", "of it"), work)
    assert session.spawned == [(("key", "of it"), work)]
    gone = ref(session)
    del session
    gc.collect()
    assert gone() is None, "the cache does not hold the session"
    cache._submit(("key", "of it"), work)
    spawned: list[object] = []
    caching(spawn=lambda *what: spawned.append(what))._submit((b"k", b"k"), work)
    assert spawned == [((b"k", b"k"), work)], "a plain function is held"


@pytest.mark.parametrize(("error", "down"), [(StoreError("full"), True), (QueueFull("too much"), False)])
def test_a_write_that_failed_later_bypasses_the_store(error: BaseException, down: bool) -> None:
    store = Telling()
    cache = caching(store)
    store.tell(error)
    assert (cache.engine.breaker.down, cache.engine.stats.store_troubles) == (down, 1)


def test_nobody_listens_for_a_session_that_is_gone() -> None:
    store = Telling()
    cache = caching(store)
    assert store.listening
    del cache
    gc.collect()
    assert not store.listening
    store.tell(StoreError("full"))


class Later(ClaimingStore):
    """One that writes later."""

    def flush(self, timeout: float) -> Asked:
        return Asked(call.flush(timeout))


@pytest.mark.parametrize("error", [None, OSError("disk")])
def test_what_is_queued_is_written(error: Exception | None, caplog: pytest.LogCaptureFixture) -> None:
    cache = caching(Later())
    played(cache.flush(), (call.flush(5.0), error))
    assert caplog.messages == ([] if error is None else ["writing to the cache at here failed: disk"])
    cache.engine.breaker.down = True
    played(cache.flush())


def test_closing_removes_first_what_was_superseded() -> None:
    cache = caching()
    cache.engine.supersede(b"p", [Superseded(b"v", 3, certain=True)])
    played(cache.close(), (call.change([Seen(b"p", b"v", 3)], None), 1), (call.close(), None))


@pytest.mark.parametrize("error", [None, OSError("disk")])
def test_closing_never_raises(error: Exception | None, caplog: pytest.LogCaptureFixture) -> None:
    cache = caching()
    cache.engine.breaker.down = True
    played(cache.close(), (call.close(), error))
    assert not cache.engine.breaker.down
    assert caplog.messages == ([] if error is None else ["closing the cache at here failed: disk"])


def test_a_task_leads_and_its_fellows_wait() -> None:
    """Each task is somebody of its own: no leader waits for itself."""
    cache = caching()

    async def me() -> object:
        return cache.engine.me()

    async def two() -> list[object]:
        return await asyncio.gather(me(), me())

    one, other = asyncio.run(two())
    assert one != other


def test_it_is_what_its_session_was_told() -> None:
    told, session, codings = Told(), Spawning(), frozenset({"br"})
    cache = AsyncCache.of(told.setup, session.spawn, codings)
    asyncio.run(cache.open())
    told.arrived(cache.engine, codings)
