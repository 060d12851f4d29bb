"""What blocking and awaiting caches have in common: an exchange that has begun is gone on with, and once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from clock import Clock

from sansio_cache import MemoryStore
from sansio_cache.cache_status import Fwd
from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused
from sansio_cache.errors import NotCached
from sansio_cache.messages import Headers, Request
from sansio_cache.policy import Policy
from sansio_cache.sealing import Sealer
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.exchange import NativeResponse
from sansio_cache_adapters.stores.default import Nowhere
from sansio_cache_adapters.stores.work import do


class Network:
    """A transfer that answers by a script; an exception is a failure."""

    def __init__(self, *answers: NativeResponse[str] | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[Request] = []
        self.given_up: list[str] = []

    def send(self, request: Request, /) -> NativeResponse[str]:
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def discard(self, native: str, /) -> None:
        self.given_up.append(native)

    def abort(self, native: str, /) -> None:
        self.given_up.append(native)

    def drain(self, native: str, tee: Any, /) -> None:
        """Nothing."""

    def detached(self) -> Network:
        return self


def fresh(native: str) -> NativeResponse[str]:
    return NativeResponse(200, "OK", Headers([("Cache-Control", "max-age=60"), ("Content-Length", "4")]), native)


@pytest.fixture
def cache(clock: Clock) -> Iterator[BlockingCache]:
    made = BlockingCache(Policy(), MemoryStore(), Sealer(()), clock=clock)
    yield made
    made.close()


def asked() -> Request:
    return Request("GET", "http://a.test/", Headers([("Accept", "*/*")]), b"")


def stored(cache: BlockingCache) -> None:
    delivered = cache.answer(asked(), Network(fresh("first")))
    tee = delivered.tee
    assert tee is not None
    do(tee.feed(b"body"))
    do(tee.finish())


def test_what_has_begun_is_gone_on_with(cache: BlockingCache) -> None:
    request = asked()
    begun = cache.look(request)
    assert isinstance(begun, Paused)
    assert begun.action.verb == "claim"
    network = Network(fresh("native"))
    delivered = cache.answer(request, network, begun)
    assert (delivered.answer.status, delivered.native) == (200, "native")
    assert delivered.tee is not None
    delivered.tee.abandon()
    assert [each.url for each in network.sent] == [request.url]
    assert cache.engine.stats.misses == 1


def test_an_answer_that_was_found_is_given_as_it_is(cache: BlockingCache) -> None:
    stored(cache)
    found = cache.look(asked())
    assert isinstance(found, Answer)
    assert cache.engine.stats.hits == 0  # it was not taken yet
    network = Network()
    delivered = cache.answer(asked(), network, found)
    assert (*delivered, network.sent) == (found, None, None, [])
    assert cache.engine.stats.hits == 1


def test_another_may_have_fetched_since_the_look(cache: BlockingCache) -> None:
    """The claim is granted, and what has come meanwhile is the answer."""
    begun = cache.look(asked())
    stored(cache)
    network = Network()
    delivered = cache.answer(asked(), network, begun)
    assert (delivered.answer.from_cache, network.sent) == (True, [])


def test_a_failure_leaves_nobody_waiting(cache: BlockingCache) -> None:
    begun = cache.look(asked())
    with pytest.raises(OSError, match="gone"):
        cache.answer(asked(), Network(OSError("gone")), begun)
    assert cache.engine.flights.count() == 0


def test_nothing_is_looked_for_while_the_store_is_bypassed(cache: BlockingCache) -> None:
    stored(cache)
    cache.engine.breaker.down = True
    assert cache.look(asked()) is None
    delivered = cache.answer(asked(), Network(fresh("native")))
    assert (delivered.answer.status, delivered.native, delivered.tee) == (200, "native", None)


def unopened(clock: Clock, **settings: Any) -> BlockingCache:
    return BlockingCache(Policy(**settings), Nowhere("there is none"), Sealer(()), clock=clock)


def test_without_a_store_the_answer_is_the_networks(clock: Clock) -> None:
    network = Network(NativeResponse(203, "Edited", Headers([("A", "b")]), "native"))
    answer, native, tee = unopened(clock).answer(asked(), network)
    assert (answer.status, answer.reason, answer.headers.get("a")) == (203, "Edited", "b")
    assert (answer.from_cache, native, tee) == (False, "native", None)
    said = answer.cache_status
    assert (said.fwd, said.fwd_status, said.detail) == (Fwd.BYPASS, 203, "store-unavailable")


def test_offline_and_without_a_store_there_is_no_answer(clock: Clock) -> None:
    network = Network(fresh("native"))
    with pytest.raises(NotCached):
        unopened(clock, offline=True).answer(asked(), network)
    assert not network.sent
