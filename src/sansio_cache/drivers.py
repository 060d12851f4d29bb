"""The two loops that drive steps: they know the verbs and nothing of HTTP.

A world performs actions. ``run`` takes a blocking one; ``run_async`` serves asyncio and trio alike, since it only
awaits what its world gives it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

from .actions import (
    Action,
    Alone,
    BodyStart,
    Claim,
    Discard,
    Drop,
    Fetch,
    Freshen,
    Granted,
    Landed,
    Later,
    Load,
    LoadBody,
    Loaded,
    Steps,
    Supersede,
)
from .messages import Received, Unreachable

__all__ = ["AsyncWorld", "Paused", "World", "run", "run_async", "run_if_stored"]

T = TypeVar("T")


class World(Protocol):
    """Performs actions, blocking."""

    def load(self, action: Load, /) -> Loaded: ...
    def load_body(self, action: LoadBody, /) -> BodyStart | None: ...
    def discard(self, action: Discard, /) -> None: ...
    def claim(self, action: Claim, /) -> Granted | Landed | Alone: ...
    def fetch(self, action: Fetch, /) -> Received | Unreachable: ...
    def freshen(self, action: Freshen, /) -> bool: ...
    def drop(self, action: Drop, /) -> None: ...
    def supersede(self, action: Supersede, /) -> None: ...
    def later(self, action: Later, /) -> None: ...


class AsyncWorld(Protocol):
    """Performs actions, awaitably."""

    def load(self, action: Load, /) -> Awaitable[Loaded]: ...
    def load_body(self, action: LoadBody, /) -> Awaitable[BodyStart | None]: ...
    def discard(self, action: Discard, /) -> Awaitable[None]: ...
    def claim(self, action: Claim, /) -> Awaitable[Granted | Landed | Alone]: ...
    def fetch(self, action: Fetch, /) -> Awaitable[Received | Unreachable]: ...
    def freshen(self, action: Freshen, /) -> Awaitable[bool]: ...
    def drop(self, action: Drop, /) -> Awaitable[None]: ...
    def supersede(self, action: Supersede, /) -> Awaitable[None]: ...
    def later(self, action: Later, /) -> Awaitable[None]: ...


def run(steps: Steps[T], world: World) -> T:
    """The result of steps, each action performed by a blocking world."""
    try:
        action = next(steps)
        while True:
            action = steps.send(getattr(world, action.verb)(action))
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        steps.close()


async def run_async(steps: Steps[T], world: AsyncWorld) -> T:
    """The result of steps, each action awaited from a world."""
    try:
        action = next(steps)
        while True:
            action = steps.send(await getattr(world, action.verb)(action))
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        steps.close()


class Paused(Generic[T]):
    """Steps that have stopped at an action.

    :ivar action: the action that they ask for.
    """

    __slots__ = ("action", "steps")

    def __init__(self, steps: Steps[T], action: Action[Any]) -> None:
        self.steps: Steps[T] = steps
        self.action: Action[Any] = action

    def close(self) -> None:
        """Go no further."""
        self.steps.close()


def run_if_stored(steps: Steps[T] | Paused[T], perform: Callable[[Action[Any]], object]) -> T | Paused[T]:
    """The result of steps if to read the store is all that they ask for; else the steps, paused where it is not.

    :param perform: what the store holds, or None where it cannot say at once, or is not to be asked.
    """
    going = steps.steps if isinstance(steps, Paused) else steps
    try:
        action = steps.action if isinstance(steps, Paused) else next(going)
        while (reply := perform(action)) is not None:
            action = going.send(reply)
    except StopIteration as done:
        result: T = done.value
        return result
    except BaseException:
        going.close()
        raise
    return Paused(going, action)
