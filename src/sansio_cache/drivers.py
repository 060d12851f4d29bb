"""The two loops that drive steps: they know the verbs and nothing of HTTP.

A world performs actions. ``run`` takes a blocking one; ``run_async`` serves asyncio and trio alike, since it only
awaits what its world gives it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from .actions import Alone, Claim, Drop, Fetch, Freshen, Granted, Landed, Later, Load, Loaded, Steps
from .messages import Received, Unreachable

__all__ = ["AsyncWorld", "World", "run", "run_async", "run_if_stored"]

T = TypeVar("T")


class World(Protocol):
    """Performs actions, blocking."""

    def load(self, action: Load, /) -> Loaded: ...
    def claim(self, action: Claim, /) -> Granted | Landed | Alone: ...
    def fetch(self, action: Fetch, /) -> Received | Unreachable: ...
    def freshen(self, action: Freshen, /) -> bool: ...
    def drop(self, action: Drop, /) -> None: ...
    def later(self, action: Later, /) -> None: ...


class AsyncWorld(Protocol):
    """Performs actions, awaitably."""

    def load(self, action: Load, /) -> Awaitable[Loaded]: ...
    def claim(self, action: Claim, /) -> Awaitable[Granted | Landed | Alone]: ...
    def fetch(self, action: Fetch, /) -> Awaitable[Received | Unreachable]: ...
    def freshen(self, action: Freshen, /) -> Awaitable[bool]: ...
    def drop(self, action: Drop, /) -> Awaitable[None]: ...
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


def run_if_stored(steps: Steps[T], load: Callable[[Load], Loaded | None]) -> T | None:
    """The result of steps if to read the store is all that they ask for; else None, and nothing has happened.

    :param load: gives what the store holds, or None where it cannot say at once.
    """
    try:
        action = next(steps)
        loaded = load(action) if isinstance(action, Load) else None
        if loaded is not None:
            steps.send(loaded)
    except StopIteration as done:
        result: T = done.value
        return result
    steps.close()
    return None
