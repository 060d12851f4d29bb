"""Attributes that are made when they are first asked for."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from sansio_cache_adapters.cache.first_use import at_first_use, is_made


class Owner:
    def __init__(self) -> None:
        self.made: list[int] = []
        self.go_on = threading.Event()

    @at_first_use
    def it(self) -> object:
        """What it is."""
        self.made.append(1)
        self.go_on.wait(0.05)
        return object()

    @at_first_use
    def over_it(self) -> object:
        return self.it


def test_an_attribute_is_made_once_and_is_then_an_ordinary_one() -> None:
    owner = Owner()
    assert not is_made(owner, "it")
    assert owner.it is owner.it
    assert owner.made == [1]
    assert is_made(owner, "it")
    assert vars(owner)["it"] is owner.it


def test_one_may_be_made_from_another() -> None:
    owner = Owner()
    assert owner.over_it is owner.it


def test_threads_that_ask_together_get_the_same() -> None:
    owner = Owner()
    start = threading.Barrier(4)

    def ask(_: int) -> object:
        start.wait()
        return owner.it

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(ask, range(4)))) == 1
    assert owner.made == [1]


def test_of_the_class_it_is_what_makes_it() -> None:
    made = vars(Owner)["it"]
    assert Owner.it is made
    assert made.__doc__ == "What it is."


@pytest.mark.serial
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_waits_for_what_is_being_made() -> None:
    """G30: a module that a thread is importing would stay locked for ever in a child."""
    begun, go_on = threading.Event(), threading.Event()

    class Slow:
        @at_first_use
        def it(self) -> int:
            begun.set()
            go_on.wait(30)
            return 1

    owner = Slow()
    thread = threading.Thread(target=lambda: owner.it)
    thread.start()
    begun.wait(30)
    waker = threading.Timer(0.05, go_on.set)
    waker.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there are threads, that is the point
        child = os.fork()
    if not child:
        os._exit(0 if is_made(owner, "it") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    thread.join()
    waker.join()
    assert owner.it == 1  # the parent goes on


@pytest.mark.serial
@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this system cannot block signals")
def test_a_handler_of_signals_waits_for_what_is_being_made() -> None:
    """G32: it would find modules that its own thread has imported by half."""
    seen: list[bool] = []

    class Interrupted:
        @at_first_use
        def it(self) -> int:
            signal.pthread_kill(threading.get_ident(), signal.SIGALRM)
            return 1

        @at_first_use
        def failing(self) -> int:
            signal.pthread_kill(threading.get_ident(), signal.SIGALRM)
            raise ValueError

    owner = Interrupted()
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(is_made(owner, "it")))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        assert owner.it == 1
        with pytest.raises(ValueError):
            _ = owner.failing
    finally:
        signal.signal(signal.SIGALRM, before)
    assert seen == [True, True]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask


def test_what_a_handler_made_meanwhile_stays() -> None:
    """One that was let through: of a session's cache there is one."""

    class Twice:
        made = 0

        @at_first_use
        def it(self) -> object:
            self.made += 1
            if self.made == 1:
                within.append(self.it)
            return object()

    within: list[object] = []
    owner = Twice()
    assert owner.it is within[0]
    assert owner.it is within[0]
