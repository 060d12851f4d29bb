"""Work: what sessions do with stores and networks, written once for blocking and awaiting clients.

A :data:`Work` is a generator that yields calls and is sent their results. :func:`do` calls them; :func:`do_async`
awaits what they return. What a call raises is raised where it was yielded, cancellation included, so that ``finally``
means the same in both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

__all__ = ["Work", "do", "do_async"]

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


async def do_async(work: Work[T]) -> T:
    """The result of work whose calls return awaitables."""
    try:
        call: Callable[[], Awaitable[Any]] = next(work)
        while True:
            try:
                result = await call()
            except BaseException as error:
                call = work.throw(error)
            else:
                call = work.send(result)
    except StopIteration as done:
        value: T = done.value
        return value
