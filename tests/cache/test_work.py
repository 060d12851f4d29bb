"""Work: the same generator, driven by calls that block and by calls that are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import pytest

from sansio_cache_adapters.cache.work import do, do_async

Steps = Generator[Callable[[], Any], Any, Any]


def blocking(steps: Callable[[Callable[[Any], Any]], Steps]) -> Any:
    return do(steps(lambda value: value))


def awaiting(steps: Callable[[Callable[[Any], Any]], Steps]) -> Any:
    async def later(value: Any) -> Any:
        await asyncio.sleep(0)
        return value

    return asyncio.run(do_async(steps(later)))


def at_once(steps: Callable[[Callable[[Any], Any]], Steps]) -> Any:
    """By a task, where there is nothing to wait for."""
    return asyncio.run(do_async(steps(lambda value: value)))


each_driver = pytest.mark.parametrize("drive", [blocking, awaiting, at_once])


@each_driver
def test_results_come_back_where_they_were_asked_for(drive: Any) -> None:
    def steps(give: Callable[[Any], Any]) -> Steps:
        first = yield lambda: give(2)
        second = yield lambda: give(first + 3)
        return first, second

    assert drive(steps) == (2, 5)


@each_driver
def test_no_call_at_all_is_work_too(drive: Any) -> None:
    def steps(give: Callable[[Any], Any]) -> Steps:
        return "done"
        yield lambda: give(None)

    assert drive(steps) == "done"


@each_driver
def test_an_error_is_raised_where_the_call_was_asked_for(drive: Any) -> None:
    def steps(give: Callable[[Any], Any]) -> Steps:
        try:
            yield lambda: give(1 / 0)
        except ZeroDivisionError:
            return (yield lambda: give("mended"))

    assert drive(steps) == "mended"


@each_driver
def test_an_error_that_is_not_caught_comes_out(drive: Any) -> None:
    ended: list[str] = []

    def steps(give: Callable[[Any], Any]) -> Steps:
        try:
            yield lambda: give(1 / 0)
        finally:
            ended.append("finally")

    with pytest.raises(ZeroDivisionError):
        drive(steps)
    assert ended == ["finally"]


def test_a_cancelled_await_is_raised_where_it_waited() -> None:
    """``finally`` may then still ask for something, as in any coroutine."""
    seen: list[str] = []

    def steps() -> Steps:
        try:
            yield lambda: asyncio.sleep(60)
        finally:
            seen.append((yield lambda: asyncio.sleep(0, "released")))

    async def main() -> None:
        task = asyncio.create_task(do_async(steps()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == ["released"]
