"""Blocks in which a cache is bypassed or in use, for this thread or task: by ``with`` and by ``async with``."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from inspect import iscoroutinefunction
from types import TracebackType
from typing import Any, Final, TypeVar

__all__ = ["DISABLED", "Block", "bypassed", "is_off", "switched_off"]

F = TypeVar("F", bound=Callable[..., Any])
DISABLED: Final = "disabled"
"""Why a request bypassed the cache in a block of ``disabled()``, as ``cache_status`` says it."""

_off: Final[ContextVar[frozenset[int]]] = ContextVar("sansio_cache_off", default=frozenset())
_entered: ContextVar[tuple[tuple[Block, AbstractContextManager[None]], ...]] = ContextVar(
    "sansio_cache_blocks", default=()
)


class Block:
    """A state that holds within a block, of ``with`` or of ``async with``, or while a decorated function runs.

    :param begin: makes the context manager of one block; one object may be used for several, also within each other.
    """

    def __init__(self, begin: Callable[[], AbstractContextManager[None]]) -> None:
        self._begin = begin

    def __enter__(self) -> None:
        block = self._begin()
        block.__enter__()
        # Each thread and task has its own, so that one object may serve several.
        _entered.set((*_entered.get(), (self, block)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        entered = _entered.get()
        mine = [(at, block) for at, (owner, block) in enumerate(entered) if owner is self]
        if not mine:
            raise RuntimeError("a block is left in the thread or task that entered it")
        at, block = mine[-1]
        _entered.set(entered[:at] + entered[at + 1 :])
        block.__exit__(kind, error, trace)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: F) -> F:
        """The function, each of its calls in a block of its own."""
        begin: Any = self._begin
        if iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*arguments: Any, **keywords: Any) -> Any:
                with begin():
                    return await function(*arguments, **keywords)

            return awaited  # type: ignore[return-value]

        @wraps(function)
        def called(*arguments: Any, **keywords: Any) -> Any:
            with begin():
                return function(*arguments, **keywords)

        return called  # type: ignore[return-value]


def is_off(session: object) -> bool:
    """Whether a session bypasses its cache, in this thread or task."""
    return id(session) in _off.get()


def switched_off(session: object) -> Block:
    """A block in which a session bypasses its cache."""
    return Block(partial(_switched_off, session))


@contextmanager
def _switched_off(session: object) -> Generator[None]:
    token = _off.set(_off.get() | {id(session)})
    try:
        yield
    finally:
        _off.reset(token)


def bypassed(status: int, why: str = "") -> str:
    """The ``cache_status`` of a response that bypassed the cache.

    :param status: its status code.
    """
    # Sessions come without the core; what bypasses it had a request first.
    from sansio_cache.cache_status import CacheStatus, Fwd

    return str(CacheStatus(fwd=Fwd.BYPASS, fwd_status=status, detail=why))
