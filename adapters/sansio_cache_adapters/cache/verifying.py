"""Chunks of stored bodies are verified in threads, while others are read: hashing lets go of the interpreter's lock."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from sansio_cache.bodies import HashList
from sansio_cache_adapters.stores.work import awaited
from sansio_cache_adapters.stores.worker import Worker

from .engine import Engine

__all__ = ["checked", "failed", "settled", "soon"]

T = TypeVar("T")

_THREADS: Final = Worker("sansio-cache verifier", size=2)
"""Of the whole process. Two hash faster than one reads, and as many bytes as four cores can copy."""
_PATIENCE: Final = 1.0


def checked(hashes: HashList, index: int, chunk: object) -> bytes | None:
    """A chunk, or None where it is not the one that was signed."""
    # A store that others can write to may hold values of any type.
    return chunk if isinstance(chunk, bytes) and hashes.holds(index, chunk) else None


def soon(check: Callable[[], T]) -> Future[T]:
    """The result of a check in a thread, or of one done at once where no thread can be started."""
    try:
        return _THREADS.submit(check)
    except RuntimeError:
        future: Future[T] = Future()
        future.set_result(check())
        return future


def failed(error: BaseException) -> Future[bytes | None]:
    """A chunk that could not be read; its reader hears of it in its turn."""
    future: Future[bytes | None] = Future()
    future.set_exception(error)
    return future


async def settled(engine: Engine, future: Future[T]) -> T:
    """The result of a future, waited for as the engine waits.

    :raises Exception: what the future was given instead.
    """
    while not future.done() and not sys.is_finalizing():
        await awaited(engine.wait(future, _PATIENCE))
    # When the interpreter ends no thread goes on, so waiting for one is pointless.
    return future.result(timeout=0)
