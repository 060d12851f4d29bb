"""The cache of a blocking client: opening, looking, answering, closing, and being sent to another process."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from core_rows import SECRET, ask, fields
from scripted import Told

from sansio_cache import MemoryStore, SQLiteStore
from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused
from sansio_cache.errors import KeyRequired, StoreError
from sansio_cache.keeping import Superseded
from sansio_cache.messages import Request
from sansio_cache.policy import Policy
from sansio_cache.sealing import UNSIGNED, Sealer
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.exchange import NativeResponse
from sansio_cache_adapters.stores.work import do

pytestmark = pytest.mark.usefixtures("no_probes")


class Network:
    """A transfer that always answers the same."""

    def __init__(self, *lines: str) -> None:
        self.headers = fields(*lines)
        self.sent: list[Request] = []
        self.drained: list[object] = []

    def send(self, request: Request, /) -> NativeResponse[str]:
        self.sent.append(request)
        return NativeResponse(200, "OK", self.headers, "native")

    def discard(self, native: str, /) -> None: ...
    def abort(self, native: str, /) -> None: ...
    def drain(self, native: str, tee: Any, /) -> None:
        self.drained.append(native)
        tee.abandon()

    def detached(self) -> Network:
        return self


class AtOnce:
    """Background work that is done at once, or only noted."""

    def __init__(self, *, does: bool = True) -> None:
        self.does = does
        self.keys: list[object] = []
        self.waited: list[float] = []

    def submit(self, key: object, job: Callable[[], None]) -> bool:
        self.keys.append(key)
        if self.does:
            job()
        return True

    def close(self, seconds: float) -> bool:
        self.waited.append(seconds)
        return True


def caching(store: Any = None, sealer: Sealer = UNSIGNED, policy: Policy | None = None, **options: Any) -> Any:
    cache: Any = BlockingCache(Policy() if policy is None else policy, store or MemoryStore(), sealer, **options)
    cache.background = AtOnce()
    return cache


def fill(cache: Any, *lines: str) -> None:
    delivered = cache.answer(ask(), Network(*lines))
    do(delivered.tee.feed(b"body"))
    do(delivered.tee.finish())


def test_the_first_look_opens_the_store() -> None:
    cache = caching()
    found = cache.look(ask())
    assert isinstance(found, Paused)
    assert cache.engine.rules is not None


def test_without_a_store_nothing_is_found_and_the_network_answers() -> None:
    class Broken(MemoryStore):
        def open(self, *, signed: bool) -> Any:
            raise StoreError("locked")

    cache = caching(Broken())
    assert cache.look(ask()) is None
    delivered = cache.answer(ask(), Network("Cache-Control: max-age=60"))
    assert (delivered.native, delivered.tee, delivered.answer.cache_status.detail) == (
        "native",
        None,
        "store-unavailable",
    )


def test_a_signed_store_needs_its_secret() -> None:
    store = MemoryStore()
    store.open(signed=True)
    with pytest.raises(KeyRequired):
        caching(store).look(ask())


def test_what_was_stored_is_found() -> None:
    cache = caching()
    fill(cache, "Cache-Control: max-age=60")
    found = cache.look(ask())
    assert isinstance(found, Answer)
    network = Network()
    assert cache.answer(ask(), network, found).answer is found
    assert network.sent == []


@pytest.mark.parametrize("length", [65_536, 65_537, 2_000_000])
def test_a_body_in_chunks_is_found_by_a_look(length: int) -> None:
    cache = caching()
    delivered = cache.answer(ask(), Network("Cache-Control: max-age=60"))
    do(delivered.tee.feed(bytes(length)))
    do(delivered.tee.finish())
    assert isinstance(cache.look(ask()), Answer)


def test_a_stale_response_is_validated_in_the_background(clock: Clock) -> None:
    cache = caching(clock=clock)
    fill(cache, "Cache-Control: max-age=60, stale-while-revalidate=60")
    clock.advance(61)
    network = Network("Cache-Control: max-age=60")
    delivered = cache.answer(ask(), network)
    assert (delivered.answer.from_cache, delivered.native) == (True, None)
    assert cache.background.keys == [(cache.engine.store_id, cache.engine.rules.maker.keys(ask()).partition)]
    assert (len(network.sent), network.drained) == (1, ["native"])


def test_a_validation_that_fails_is_counted_and_logged(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    class Unreachable(Network):
        def send(self, request: Request, /) -> NativeResponse[str]:
            raise OSError("no route")

    cache = caching(clock=clock)
    fill(cache, "Cache-Control: max-age=60, stale-while-revalidate=60")
    clock.advance(61)
    assert cache.answer(ask(), Unreachable()).answer.from_cache
    assert cache.engine.stats.background_errors == 1
    assert caplog.messages == ["background validation of a stale response failed: no route"]


class Closing(MemoryStore):
    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self.error = error
        self.closed = 0

    def close(self) -> None:
        self.closed += 1
        if self.error is not None:
            raise self.error


def test_closing_removes_first_what_was_superseded() -> None:
    store = MemoryStore()
    cache = caching(store)
    fill(cache, "Cache-Control: max-age=60")
    [listed] = store.listed()
    cache.engine.supersede(listed.partition, [Superseded(listed.variant, listed.rev, certain=True)])
    cache.close()
    assert store.size().entries == 0


@pytest.mark.parametrize("error", [None, OSError("full")])
def test_closing_waits_a_while_and_never_raises(error: Exception | None, caplog: pytest.LogCaptureFixture) -> None:
    store = Closing(error)
    cache = caching(store)
    cache.engine.breaker.down = True
    cache.close()
    assert (store.closed, cache.background.waited, cache.engine.breaker.down) == (1, [5.0], False)
    assert caplog.messages == ([] if error is None else [f"closing the cache at {store.location} failed: full"])


def test_another_process_gets_the_same_cache(tmp_path: Path) -> None:
    policy = Policy(max_body=9)
    cache = BlockingCache(policy, SQLiteStore(tmp_path / "c.sqlite"), Sealer([SECRET]))
    again = pickle.loads(pickle.dumps(cache))
    assert isinstance(again, BlockingCache)
    engine = again.engine
    assert (engine.policy, engine.sealer, engine.store.location) == (
        policy,
        Sealer([SECRET]),
        cache.engine.store.location,
    )
    for each in (cache, again):
        each.close()


def test_it_is_what_its_session_was_told() -> None:
    told, codings = Told(), frozenset({"br"})
    cache = BlockingCache.of(told.setup, codings)
    assert isinstance(cache.look(ask()), Paused)
    told.arrived(cache.engine, codings)
