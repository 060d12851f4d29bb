"""Calls of microseconds, on event loops that a detector watches for blocking calls."""

from __future__ import annotations

import _thread
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from queue import SimpleQueue

__all__ = ["off_loop"]

T = TypeVar("T")


def off_loop(call: Callable[[], T]) -> T:
    """The result of a call, made by a thread of its own where this one may not make it.

    A detector of blocking calls (blockbuster) raises an error of its own for any look at a file on an event loop, be it
    only for the time of its last change. That would be the user's failed request.

    :param call: takes no longer than a thread takes to begin; raises OSError, or what is raised again.
    """
    try:
        return call()
    except OSError:
        raise
    except Exception:
        from queue import SimpleQueue  # where somebody watches: elsewhere it is of no use

        answer: SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = SimpleQueue()
        _thread.start_new_thread(_answer, (call, answer))
        result, error = answer.get()
        if error is not None:
            raise error from None
        return result  # type: ignore[return-value] # one of the two is there


def _answer(call: Callable[[], T], answer: SimpleQueue[tuple[T, None] | tuple[None, BaseException]]) -> None:
    try:
        answer.put((call(), None))
    except BaseException as error:
        answer.put((None, error))
