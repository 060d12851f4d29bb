"""Work: one coroutine for clients that block and for clients that await."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from sansio_cache_adapters.stores.work import Work, awaited, do

Give = Callable[[Any], Any]


def blocking(work: Callable[[Give], Work[Any]]) -> Any:
    return do(work(lambda value: value))


def on_asyncio(work: Callable[[Give], Work[Any]]) -> Any:
    async def later(value: Any) -> Any:
        await asyncio.sleep(0)
        return value

    return asyncio.run(work(later))


def on_trio(work: Callable[[Give], Work[Any]]) -> Any:
    async def later(value: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return value

    return trio.run(work, later)


def at_once(work: Callable[[Give], Work[Any]]) -> Any:
    """By a task, where there is nothing to wait for."""
    return asyncio.run(work(lambda value: value))


each_colour = pytest.mark.parametrize("colour", [blocking, on_asyncio, on_trio, at_once])


async def two_questions(give: Give) -> tuple[int, int]:
    first = await awaited(give(2))
    return first, await awaited(give(first + 3))


async def no_question(_: Give) -> str:
    return "done"


async def mending(give: Give) -> str:
    try:
        await awaited(give(1 / 0))
    except ZeroDivisionError:
        return str(await awaited(give("mended")))
    return "not reached"


@each_colour
@pytest.mark.parametrize(("work", "result"), [(two_questions, (2, 5)), (no_question, "done"), (mending, "mended")])
def test_what_work_comes_to(colour: Any, work: Any, result: object) -> None:
    assert colour(work) == result


@each_colour
def test_an_error_comes_out_through_finally(colour: Any) -> None:
    ended: list[str] = []

    async def work(give: Give) -> None:
        try:
            await awaited(give(1 / 0))
        finally:
            ended.append(await awaited(give("finally")))

    with pytest.raises(ZeroDivisionError):
        colour(work)
    assert ended == ["finally"]


def test_a_cancelled_await_is_raised_where_it_waited() -> None:
    """``finally`` may then still ask for something, as in any coroutine."""
    seen: list[str] = []

    async def work() -> None:
        try:
            await awaited(asyncio.sleep(60))
        finally:
            seen.append(await awaited(asyncio.sleep(0, "released")))

    async def main() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == ["released"]


def test_a_blocking_session_does_not_wait_for_what_must_be_awaited() -> None:
    """A store of the wrong colour: said so, and the work is ended."""
    ended: list[str] = []

    class Waiting:
        def __await__(self) -> Any:
            yield "a loop would have to go on from here"

    async def work(store: Callable[[], Awaitable[None]]) -> None:
        try:
            await awaited(store())
        finally:
            ended.append("finally")

    with pytest.raises(TypeError, match="must be awaited"):
        do(work(Waiting))
    assert ended == ["finally"]
