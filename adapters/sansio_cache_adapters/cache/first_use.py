"""Attributes that are made when they are first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, Final, Generic, TypeVar, overload

from sansio_cache_adapters.stores.forking import RestingLock

__all__ = ["at_first_use", "imported", "is_made"]

T = TypeVar("T")

_making: Final = RestingLock()
"""Has a fork wait until what is being made, or imported for it, is there.

A child has none of the other threads, and a module that one of them was importing would stay locked for ever.
"""


class at_first_use(Generic[T]):  # noqa: N801 - a decorator, as cached_property is
    """An attribute that a method makes, once, whichever thread asks first.

    ``functools.cached_property`` may make two where two threads ask: of a session's cache there must be one. Later the
    attribute is an ordinary one, and costs nothing more.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, owner: None, kind: type) -> at_first_use[T]: ...
    @overload
    def __get__(self, owner: object, kind: type) -> T: ...
    def __get__(self, owner: object | None, kind: type) -> at_first_use[T] | T:
        if owner is None:
            return self
        with _undisturbed(), _making:
            known: dict[str, T] = vars(owner)
            if self._name not in known:
                made = self._make(owner)
                # A handler that was let through may have made it meanwhile.
                return known.setdefault(self._name, made)
            return known[self._name]


@contextmanager
def _undisturbed() -> Generator[None]:
    """Let handlers of signals wait until the block ends.

    One that asks a session would find modules that its own thread has imported by half, which nothing can wait for.
    Where there are other threads the system may give a signal to one of them, and the handler runs all the same.
    """
    import signal  # which not every client brings

    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield  # handlers run in the main thread alone
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _handled())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_NAMES: Final = "ALRM CHLD CONT HUP INT IO PROF QUIT TERM TSTP URG USR1 USR2 VTALRM WINCH XCPU"


@lru_cache(maxsize=1)
def _handled() -> frozenset[int]:
    """Signals that programs have handlers for. To ask which they are takes twenty times as long as to block them."""
    import signal

    found: list[int | None] = [getattr(signal, f"SIG{name}", None) for name in _NAMES.split()]
    return frozenset(each for each in found if each is not None)


def is_made(owner: object, name: str) -> bool:
    """Whether an attribute has been asked for."""
    return name in vars(owner)


_imported: set[str] = set()
"""Shared by threads without a lock: at worst two import one module, which Python makes one import."""


async def imported(module: str) -> None:
    """Import a module in a thread, once.

    A loop is not held up for all the files that are read, and a detector of blocking calls has nothing to say. The
    thread is not one of the loop's executor: that would wait for its idle threads in a forked child, which has none.
    """
    if module in _imported:
        return
    from sansio_cache_adapters.stores.waiting import answer_of
    from sansio_cache_adapters.stores.worker import Worker

    try:
        done = Worker("sansio-cache", idle=0.0).submit(partial(_import, module))
    except RuntimeError:
        # At the end of a program no thread begins any more.
        import_module(module)
    else:
        await answer_of(done)
    _imported.add(module)


def _import(module: str) -> None:
    with _making:
        import_module(module)
