"""Work: what sessions do with stores and networks, written once for blocking and awaiting clients.

A :data:`Work` is a generator that yields calls and is sent their results. :func:`do` calls them; :func:`do_async`
awaits what they return, where that is something to wait for: a store in memory answers tasks at once. What a call
raises is raised where it was yielded, cancellation included, so that ``finally`` means the same in both.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

__all__ = ["Work", "awaited", "do", "do_async"]

T = TypeVar("T")
Work = Generator[Callable[[], Any], Any, T]


def do(work: Work[T]) -> T:
    """The result of work whose calls block."""
    try:
        call = next(work)
        while True:
            try:
                result = call()
            except BaseException as error:
                call = work.throw(error)
            else:
                call = work.send(result)
    except StopIteration as done:
        value: T = done.value
        return value


async def awaited(result: Any) -> Any:
    """A result that is there, or that has to be waited for."""
    return await result if hasattr(result, "__await__") else result


async def do_async(work: Work[T]) -> T:
    """The result of work whose calls return awaitables, or plain results where there is nothing to wait for."""
    try:
        call = next(work)
        while True:
            try:
                result = call()
                if hasattr(result, "__await__"):
                    result = await result
            except BaseException as error:
                call = work.throw(error)
            else:
                call = work.send(result)
    except StopIteration as done:
        value: T = done.value
        return value
