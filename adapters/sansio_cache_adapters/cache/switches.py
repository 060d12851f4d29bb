"""Which sessions pass their cache by, for the time of a block, in this thread or task."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

__all__ = ["is_off", "switched_off"]

_off: Final[ContextVar[frozenset[int]]] = ContextVar("sansio_cache_off", default=frozenset())


def is_off(session: object) -> bool:
    """Whether a session passes its cache by, in this thread or task."""
    return id(session) in _off.get()


@contextmanager
def switched_off(session: object) -> Generator[None]:
    """Let a session pass its cache by within a block."""
    token = _off.set(_off.get() | {id(session)})
    try:
        yield
    finally:
        _off.reset(token)
