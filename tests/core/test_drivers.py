"""The loops that drive steps, blocking and awaiting, on asyncio and trio alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Protocol

import pytest
import trio
from core_rows import NOW, ask, got, item_of, record_of, rules_of, stored_of

from sansio_cache.actions import (
    Action,
    Claim,
    Discard,
    Drop,
    Fetch,
    Freshen,
    Later,
    Load,
    LoadBody,
    Loaded,
    Steps,
)
from sansio_cache.actions import ask as asking
from sansio_cache.drivers import Paused, run, run_async, run_if_stored

REQUEST = ask()
KEYS = rules_of().maker.keys(REQUEST)
ITEM = item_of(got())
ACTIONS: list[Action[Any]] = [
    Load(KEYS),
    LoadBody(record_of(), 0),
    Discard(record_of()),
    Claim(KEYS, 1.0),
    Fetch(REQUEST),
    Freshen(ITEM, 5),
    Drop(KEYS.resource),
    Later(REQUEST, KEYS),
]


class World:
    """Answers each verb by its name, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Action[Any]] = []

    def _note(self, action: Action[Any]) -> Any:
        self.asked.append(action)
        return f"answer to {action.verb}"

    def __getattr__(self, verb: str) -> Any:
        assert verb in ("load", "load_body", "discard", "claim", "fetch", "freshen", "drop", "later")
        return self._note

    load: Any
    claim: Any
    fetch: Any
    freshen: Any
    drop: Any
    later: Any


class AsyncWorld:
    """The same, awaitably; in between, others run."""

    def __init__(self, pause: Callable[[], Awaitable[object]]) -> None:
        self.inner = World()
        self._pause = pause

    def __getattr__(self, verb: str) -> Callable[[Action[Any]], Awaitable[Any]]:
        async def perform(action: Action[Any]) -> Any:
            await self._pause()
            return getattr(self.inner, verb)(action)

        return perform

    load: Any
    claim: Any
    fetch: Any
    freshen: Any
    drop: Any
    later: Any


def every_verb() -> Steps[list[Any]]:
    answers = []
    for action in ACTIONS:
        answers.append((yield action))  # noqa: PERF401 - a comprehension cannot yield
    return answers


EXPECTED = [f"answer to {action.verb}" for action in ACTIONS]


def test_a_blocking_world_performs_each_verb() -> None:
    world = World()
    assert run(every_verb(), world) == EXPECTED
    assert world.asked == ACTIONS


class Runner(Protocol):
    def __call__(self, main: Callable[[], Coroutine[Any, Any, Any]], /) -> Any: ...


def on_asyncio(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(main())


LOOPS = pytest.mark.parametrize(
    ("runner", "pause"),
    [(on_asyncio, lambda: asyncio.sleep(0)), (trio.run, trio.lowlevel.checkpoint)],
    ids=["asyncio", "trio"],
)


@LOOPS
def test_an_awaitable_world_performs_each_verb(runner: Runner, pause: Callable[[], Awaitable[object]]) -> None:
    world = AsyncWorld(pause)

    async def main() -> Any:
        return await run_async(every_verb(), world)

    assert runner(main) == EXPECTED
    assert world.inner.asked == ACTIONS


def no_verb() -> Steps[str]:
    return "at once"
    yield  # a generator that asks for nothing


@LOOPS
def test_steps_may_ask_for_nothing(runner: Runner, pause: Callable[[], Awaitable[object]]) -> None:
    async def main() -> Any:
        return await run_async(no_verb(), AsyncWorld(pause))

    assert run(no_verb(), World()) == "at once"
    assert runner(main) == "at once"


class Noticing:
    """Steps that notice how they end."""

    def __init__(self) -> None:
        self.ended = ""

    def steps(self) -> Generator[Action[Any], Any, None]:
        try:
            yield Load(KEYS)
        except GeneratorExit:
            self.ended = "closed"
            raise


class BrokenWorld(World):
    def _note(self, action: Action[Any]) -> Any:
        raise OSError("disk")


def test_steps_are_closed_when_the_world_breaks() -> None:
    """G23: what they hold is let go at once, not when the collector comes by."""
    noticing = Noticing()
    with pytest.raises(OSError, match="disk"):
        run(noticing.steps(), BrokenWorld())
    assert noticing.ended == "closed"


def test_steps_are_closed_when_an_asyncio_task_is_cancelled() -> None:
    noticing = Noticing()

    async def main() -> None:
        reached = asyncio.Event()

        async def forever() -> None:
            reached.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(run_async(noticing.steps(), AsyncWorld(forever)))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert noticing.ended == "closed"


def test_steps_are_closed_when_a_trio_scope_is_cancelled() -> None:
    noticing = Noticing()

    async def main() -> None:
        with trio.CancelScope() as scope:

            async def forever() -> None:
                scope.cancel()
                await trio.sleep_forever()

            await run_async(noticing.steps(), AsyncWorld(forever))
        assert scope.cancelled_caught

    trio.run(main)
    assert noticing.ended == "closed"


def test_an_error_of_the_steps_comes_out() -> None:
    def failing() -> Steps[None]:
        yield Load(KEYS)
        raise ValueError("from within")

    async def main() -> None:
        await run_async(failing(), AsyncWorld(lambda: asyncio.sleep(0)))

    with pytest.raises(ValueError, match="from within"):
        run(failing(), World())
    with pytest.raises(ValueError, match="from within"):
        asyncio.run(main())


# Where reading is all it takes

LOADED = Loaded([stored_of(ITEM)], NOW)


def one_read() -> Steps[Loaded]:
    return (yield from asking(Load(KEYS)))


def read_and_fetch() -> Steps[Any]:
    yield Load(KEYS)
    return (yield Fetch(REQUEST))


def loads(action: Action[Any]) -> Loaded | None:
    return LOADED if isinstance(action, Load) else None


def test_reading_the_store_may_be_all() -> None:
    assert run_if_stored(one_read(), loads) is LOADED
    assert run_if_stored(no_verb(), loads) == "at once"


@pytest.mark.parametrize(
    ("steps", "perform", "verb"),
    [
        (one_read, lambda _: None, "load"),
        (read_and_fetch, loads, "fetch"),
        (lambda: iter_of(Fetch(REQUEST)), loads, "fetch"),
    ],
    ids=["the store cannot say at once", "more is asked for", "something else is asked for first"],
)
def test_or_the_steps_pause(
    steps: Callable[[], Steps[Any]], perform: Callable[[Action[Any]], object], verb: str
) -> None:
    made = steps()
    paused = run_if_stored(made, perform)
    assert isinstance(paused, Paused)
    assert paused.action.verb == verb
    paused.close()
    with pytest.raises(StopIteration):
        next(made)


def test_paused_steps_go_on_where_they_stopped() -> None:
    paused: Any = run_if_stored(read_and_fetch(), loads)
    assert run_if_stored(paused, lambda action: action.verb) == "fetch"


def test_an_error_in_performing_ends_the_steps() -> None:
    made = one_read()
    with pytest.raises(ZeroDivisionError):
        run_if_stored(made, lambda _: 1 // 0)
    with pytest.raises(StopIteration):
        next(made)


def iter_of(action: Action[Any]) -> Steps[None]:
    yield action
