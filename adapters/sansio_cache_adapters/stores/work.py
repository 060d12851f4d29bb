"""Work: calls to stores, servers and networks, written once for callers that block and for those that await.

Work is a coroutine that awaits :func:`awaited` of what a store, a transfer or a clock returns. Where these block there
is nothing to wait for, and :func:`do` has the result of the work at once; a task awaits the work like any other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

__all__ = ["Work", "awaited", "do"]

T = TypeVar("T")
Work = Coroutine[Any, Any, T]


async def awaited(result: T | Awaitable[T]) -> T:
    """A result that is there, or that has to be waited for: a store in memory answers tasks at once."""
    there: Any = result
    value: T = await there if hasattr(there, "__await__") else there
    return value


def do(work: Work[T]) -> T:
    """The result of work of which every call blocks.

    :raises TypeError: one of them returned something to wait for.
    """
    try:
        work.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    work.close()
    raise TypeError("a blocking session takes a store that blocks, and was given one whose methods must be awaited")
