"""Blocks in which a cache is bypassed: nested, shared, in threads and tasks, and as decorators."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sansio_cache_adapters.cache.switches import bypassed, is_off, switched_off


class Session:
    """Anything can be one."""


def test_a_block_is_for_one_session_and_ends() -> None:
    one, other = Session(), Session()
    with switched_off(one):
        assert (is_off(one), is_off(other)) == (True, False)
    assert not is_off(one)


def test_blocks_may_be_within_each_other_and_one_object_serves_several() -> None:
    session = Session()
    block = switched_off(session)
    with block:
        with block:
            assert is_off(session)
        assert is_off(session)
    assert not is_off(session)


def test_an_error_ends_a_block_too() -> None:
    session = Session()
    with pytest.raises(ZeroDivisionError), switched_off(session):
        raise ZeroDivisionError
    assert not is_off(session)


def test_another_thread_is_not_touched() -> None:
    session = Session()
    seen: list[bool] = []
    with switched_off(session):
        thread = threading.Thread(target=lambda: seen.append(is_off(session)))
        thread.start()
        thread.join()
    assert seen == [False]


def test_another_task_is_not_touched() -> None:
    session = Session()

    async def inside(entered: asyncio.Event, leave: asyncio.Event) -> bool:
        async with switched_off(session):
            entered.set()
            await leave.wait()
            return is_off(session)

    async def main() -> None:
        entered, leave = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(inside(entered, leave))
        await entered.wait()
        assert not is_off(session)
        leave.set()
        assert await task

    asyncio.run(main())


def test_a_decorated_function_is_a_block() -> None:
    session = Session()

    @switched_off(session)
    def plain(value: int) -> tuple[int, bool]:
        return value, is_off(session)

    @switched_off(session)
    async def awaited(value: int) -> tuple[int, bool]:
        await asyncio.sleep(0)
        return value, is_off(session)

    assert plain(1) == (1, True)
    assert asyncio.run(awaited(2)) == (2, True)
    assert not is_off(session)


def test_a_block_is_left_where_it_was_entered() -> None:
    block = switched_off(Session())
    with pytest.raises(RuntimeError, match="left in the thread or task that entered it"):
        block.__exit__(None, None, None)


def test_a_bypassed_response_says_so() -> None:
    assert bypassed(200) == "sansio-cache;fwd=bypass;fwd-status=200"
    assert bypassed(404, "disabled") == 'sansio-cache;fwd=bypass;fwd-status=404;detail="disabled"'
