"""One request and its answer, step by step: scripted replies, blocking and awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import trio
from core_rows import DATE, NOW, ask, got, item_of, rows, rules_of
from core_world import OriginGone, SmallWorld, reply
from hypothesis import given
from hypothesis import strategies as st
from strategies import policies, replies, requests

from sansio_cache.actions import Alone, Claim, Fetch, Freshen, Granted, Landed, Later, Load, Loaded
from sansio_cache.cache_status import CacheStatus, Fwd
from sansio_cache.decisions import Answer, FromNetwork, FromStore, Given
from sansio_cache.drivers import run, run_async
from sansio_cache.errors import NotCached
from sansio_cache.exchange import exchange
from sansio_cache.messages import Headers, Options, Received, Request
from sansio_cache.policy import Policy
from sansio_cache.records import MAX_FIELDS
from sansio_cache.rules import Rules

FRESH = "Cache-Control: max-age=60"
TAG = 'ETag: "a"'
ONLY = ask(options=Options(only_if_cached=True))
ANEW = ask(options=Options(force_refresh=True))


def world(*script: Any, stored: list[str] | None = None, rules: Rules | None = None, **settings: Any) -> SmallWorld:
    """A world with what is stored for a plain GET."""
    rules = rules or rules_of(Policy(**settings))
    made = SmallWorld(rules, script)
    if stored is not None:
        made.put(item_of(got(DATE, *stored), ask(), rules))
    return made


# The order of steps


@rows(
    "made request_ advance log status",
    ("a miss", "4", world(reply(DATE, FRESH)), ask(), 0, "load claim fetch", 200),
    ("a hit", "4", world(stored=[FRESH]), ask(), 0, "load", 200),
    (
        "a validation confirmed",
        "4.3",
        world(reply(TAG, status=304), stored=[FRESH, TAG]),
        ask(),
        100,
        "load claim fetch freshen",
        200,
    ),
    ("a validation refused", "4.3", world(reply(FRESH), stored=[FRESH, TAG]), ask(), 100, "load claim fetch", 200),
    (
        "stale while it is validated",
        "5861-3",
        world(stored=[FRESH, "Cache-Control: stale-while-revalidate=99"]),
        ask(),
        100,
        "load later",
        200,
    ),
    (
        "stale for a reader, who could not keep what validating brings",
        "settings",
        world(stored=[FRESH, "Cache-Control: stale-while-revalidate=99"], read_only=True),
        ask(),
        100,
        "load",
        200,
    ),
    ("an unsafe method", "4", world(reply()), ask(method="POST"), 0, "fetch drop", 200),
    ("an unsafe method that fails", "4.4", world(reply(status=500)), ask(method="POST"), 0, "fetch", 500),
    ("only-if-cached", "5.2.1.7", world(), ONLY, 0, "load", 504),
    ("only-if-cached and unsafe", "5.2.1.7", world(), ask(method="POST", options=ONLY.options), 0, "", 504),
    ("anew", "settings", world(reply(FRESH), stored=[FRESH]), ANEW, 0, "fetch load", 200),
    ("a reader claims nothing", "settings", world(reply(FRESH), read_only=True), ask(), 0, "load fetch", 200),
    (
        "a reader writes nothing",
        "settings",
        world(reply(TAG, status=304), stored=[FRESH, TAG], read_only=True),
        ask(),
        100,
        "load fetch",
        200,
    ),
    (
        "a HEAD that differs",
        "4.3.5",
        world(reply('ETag: "b"'), stored=[FRESH, TAG]),
        ask(method="HEAD"),
        100,
        "load claim fetch drop",
        200,
    ),
    (
        "a 304 about nothing of ours",
        "4.3.4",
        world(reply('ETag: "b"', status=304), reply(FRESH), stored=[FRESH, TAG]),
        ask(),
        100,
        "load claim fetch supersede fetch",
        200,
    ),
    (
        "a 304 that may be about the user's tag",
        "4.3.2",
        world(reply(status=304), reply(FRESH), stored=[FRESH, TAG]),
        ask('If-None-Match: "b"'),
        100,
        "load claim fetch fetch",
        200,
    ),
    (
        "a page that is gone",
        "4.3.3",
        world(reply(status=410), stored=[FRESH, TAG]),
        ask(),
        100,
        "load claim fetch supersede",
        410,
    ),
    ("gone, heard of anew", "4.3.3", world(reply(status=410), stored=[FRESH]), ANEW, 0, "fetch load supersede", 410),
    (
        "gone, heard of in passing",
        "4.3.3",
        world(reply(status=410), stored=[FRESH]),
        ask("Cache-Control: no-store"),
        0,
        "fetch load supersede",
        410,
    ),
    (
        "nothing new heard of in passing",
        "4.3.3",
        world(reply(FRESH), stored=[FRESH]),
        ask("Cache-Control: no-store"),
        0,
        "fetch load",
        200,
    ),
    (
        "a page that is gone, to a reader",
        "settings",
        world(reply(status=410), stored=[FRESH], read_only=True),
        ANEW,
        0,
        "fetch",
        410,
    ),
)
def test_the_steps_are_in_the_order_of_the_rfc(
    made: SmallWorld, request_: Request, advance: float, log: str, status: int
) -> None:
    made.now += advance
    answer = made.answer(request_)
    assert " ".join(made.log) == log
    assert answer.status == status


def test_a_miss_says_which() -> None:
    made = world(reply(DATE, FRESH, "Vary: Accept"), reply(DATE, FRESH, "Vary: Accept"))
    first = made.answer(ask("Accept: a"))
    second = made.answer(ask("Accept: b"))
    assert [first.cache_status.fwd, second.cache_status.fwd] == [Fwd.URI_MISS, Fwd.VARY_MISS]
    assert made.body(made.answer(ask("Accept: a"))) == b"from the origin"
    assert len(made.items()) == 2


def test_to_ask_anew_is_a_request_of_the_user() -> None:
    made = world(reply(FRESH), stored=[FRESH, TAG])
    assert made.answer(ANEW).cache_status == CacheStatus(
        fwd=Fwd.REQUEST, fwd_status=200, stored=True, detail="force-refresh"
    )
    assert made.sent == [ANEW]


def test_asked_again_the_origin_hears_no_validator_of_ours() -> None:
    made = world(reply('ETag: "b"', status=304), reply(FRESH), stored=[FRESH, TAG])
    made.now += 100
    answer = made.answer(ask())
    assert [request.headers.get("if-none-match") for request in made.sent] == ['"a"', None]
    assert made.body(answer) == b"from the origin"


def test_the_origin_may_confirm_twice_what_we_do_not_have() -> None:
    """G15: its second reply is passed on, since only the origin can be the cause of it."""
    made = world(reply('ETag: "b"', status=304), reply('ETag: "b"', status=304), stored=[FRESH, TAG])
    made.now += 100
    assert made.answer(ask()).status == 304


def test_time_is_that_of_each_reply() -> None:
    """A response that took its time is as old as that; the answer to a load brings the time of the load."""
    made = world(reply(FRESH, delay=70.0))
    assert made.answer(ask()).cache_status.fwd is Fwd.URI_MISS
    again = made.answer(ask(options=ONLY.options))
    assert again.status == 504, "70 s of delay are more than 60 s of freshness"


def test_a_background_validation_asks_for_one() -> None:
    """Else it would find the same stale response good enough, and never ask."""
    made = world(reply(TAG, status=304), stored=[FRESH, TAG], stale_while_revalidate=99)
    made.now += 100
    assert made.answer(ask(options=Options(tags=("t",)))).cache_status.detail == "stale-while-revalidate"
    [later] = made.later_asked
    assert later.request.options == Options(refresh=True, tags=("t",))
    assert later.keys == made.rules.maker.keys(ask())
    assert made.answer(later.request, background=True).revalidated
    assert made.answer(ask()).cache_status.detail == ""


# Waiting for others


def test_who_waited_loads_again() -> None:
    made = world(stored=None)
    made.claims = [Landed]
    landing = item_of(got(DATE, FRESH, at=NOW + 1), ask(), made.rules)
    original = made.claim

    def claim(action: Claim) -> Granted | Landed | Alone:
        made.now += 2
        made.put(landing)
        return original(action)

    made.claim = claim  # type: ignore[method-assign]
    answer = made.answer(ask())
    assert made.log == ["load", "claim", "load"]
    assert answer.cache_status.collapsed


def test_who_waited_in_vain_fetches() -> None:
    """At most two rounds, then alone; what others fetched is not ours."""
    made = world(reply(FRESH))
    made.claims = [Landed, Landed, Landed]
    assert made.answer(ask()).status == 200
    assert made.log == ["load", "claim", "load", "claim", "load", "fetch"]


@pytest.mark.parametrize("claim", [Granted, Alone])
def test_who_need_not_wait_fetches(claim: type[Granted | Alone]) -> None:
    made = world(reply(FRESH))
    made.claims = [claim]
    made.answer(ask())
    assert made.log == ["load", "claim", "fetch"]


def test_the_patience_is_the_users() -> None:
    steps = exchange(ask(), rules_of(Policy(wait_for_leader=2.5)), NOW)
    assert isinstance(next(steps), Load)
    claim = steps.send(Loaded([], NOW))
    assert isinstance(claim, Claim)
    assert claim.patience == 2.5


# Failing


def test_the_networks_error_is_the_users() -> None:
    with pytest.raises(OriginGone):
        world(OriginGone()).answer(ask())
    with pytest.raises(OriginGone):
        world(OriginGone()).answer(ask(method="POST"))


def test_a_stale_response_stands_in() -> None:
    made = world(OriginGone(), stored=[FRESH, TAG], stale_if_error=True)
    made.now += 100
    answer = made.answer(ask())
    assert isinstance(answer.body, FromStore)
    assert len(made.items()) == 1, "a failed validation keeps the good entry"


def test_offline_asks_nobody() -> None:
    made = world(stored=[FRESH], offline=True)
    made.now += 1e6
    assert made.answer(ask(options=ANEW.options)).status == 200
    for request in (ask(url="https://other.org/"), ask(method="POST"), ask("Cache-Control: no-store")):
        with pytest.raises(NotCached) as caught:
            made.answer(request)
        assert caught.value.url == request.url
    assert set(made.log) == {"load"}


# Both drivers, the same steps


class AsyncWorld:
    """A small world, awaited; in between, others run."""

    def __init__(self, inner: SmallWorld, pause: Callable[[], Awaitable[object]]) -> None:
        self._inner = inner
        self._pause = pause

    async def _perform(self, action: Any) -> Any:
        await self._pause()
        return getattr(self._inner, action.verb)(action)

    async def load(self, action: Load, /) -> Any:
        return await self._perform(action)

    async def claim(self, action: Claim, /) -> Any:
        return await self._perform(action)

    async def fetch(self, action: Fetch, /) -> Any:
        return await self._perform(action)

    async def freshen(self, action: Freshen, /) -> Any:
        return await self._perform(action)

    async def drop(self, action: Any, /) -> Any:
        return await self._perform(action)

    async def later(self, action: Later, /) -> Any:
        return await self._perform(action)


def on_asyncio(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(main())


STORIES: dict[str, tuple[list[Any], list[str] | None, Request, float]] = {
    "miss": ([reply(DATE, FRESH)], None, ask(), 0),
    "hit": ([], [FRESH], ask(), 0),
    "validation": ([reply(TAG, status=304)], [FRESH, TAG], ask(), 100),
    "unsafe": ([reply()], [FRESH], ask(method="POST"), 0),
    "background": ([], [FRESH, "Cache-Control: stale-while-revalidate=99"], ask(), 100),
    "error": ([OriginGone()], None, ask(), 0),
}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize(
    ("runner", "pause"),
    [(on_asyncio, lambda: asyncio.sleep(0)), (trio.run, trio.lowlevel.checkpoint)],
    ids=["asyncio", "trio"],
)
def test_awaited_it_is_the_same(
    story: str, runner: Callable[[Callable[[], Any]], Any], pause: Callable[[], Awaitable[object]]
) -> None:
    script, stored, request, advance = STORIES[story]
    results: list[tuple[Any, list[str]]] = []
    for awaited in (False, True):
        made = world(*script, stored=stored)
        made.now += advance
        steps = exchange(request, made.rules, made.now)

        async def main(made: SmallWorld = made, steps: Any = steps) -> Any:
            return await run_async(steps, AsyncWorld(made, pause))

        try:
            answer: Any = runner(main) if awaited else run(steps, made)
            outcome: Any = (answer.status, type(answer.body), answer.cache_status, answer.expires)
        except OriginGone as error:
            outcome = type(error)
        results.append((outcome, made.log))
    assert results[0] == results[1]


# Properties


@pytest.mark.once
@given(requests, st.lists(replies, min_size=4, max_size=4), policies, st.floats(0, 1e6))
def test_any_exchange_ends_in_an_answer_or_an_error_of_ours(
    request: Request, heads: list[Received], policy: Policy, pause: float
) -> None:
    """G18: whatever origins say and users ask, nothing but NotCached comes out of the core."""
    script = [reply(*(f"{name}: {value}" for name, value in each.headers), status=each.status) for each in heads]
    made = SmallWorld(rules_of(policy), script)
    for _ in range(2):
        try:
            answer = made.answer(request)
        except NotCached:
            assert policy.offline
            continue
        assert isinstance(answer, Answer)
        assert isinstance(answer.body, FromNetwork | FromStore | Given)
        assert str(answer.cache_status).startswith("sansio-cache")
        made.now += pause


@given(
    st.lists(st.tuples(st.just("X"), st.text(st.characters(max_codepoint=255), max_size=9)), max_size=30),
    st.integers(1, 400),
)
def test_many_and_odd_fields_never_break_a_request(fields_: list[tuple[str, str]], times: int) -> None:
    """G18: ten thousand fields, NUL, latin-1."""
    headers = Headers(fields_ * times)
    steps = exchange(ask(), rules_of(), NOW)
    next(steps)
    steps.send(Loaded([], NOW))
    steps.send(Granted(NOW))
    try:
        steps.send(Received(200, "OK", Headers([*headers, ("Cache-Control", "max-age=60")]), NOW, NOW))
    except StopIteration as done:
        answer: Answer = done.value
        # More are not kept, however short they are.
        assert (answer.keeping is not None) is (len(headers) < MAX_FIELDS)
        assert answer.keeping is None or answer.keeping.finish(b"", b"", 0, b"") is not None
