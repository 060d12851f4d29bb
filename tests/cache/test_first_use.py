"""Attributes that are made when they are first asked for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

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
