"""What a user's adapter or transport holds: by attributes, in collections, however deep, each once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from sansio_cache_adapters.cache.within import within


class Part:
    """A thing that holds others."""

    def __init__(self, **held: Any) -> None:
        vars(self).update(held)


class Slim:
    """One without attributes."""

    __slots__ = ()


class Closed(Mapping[str, Any]):
    """A mapping that nobody may go through, as urllib3 has one."""

    def __getitem__(self, name: str) -> Any:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        raise NotImplementedError

    def __len__(self) -> int:
        return 1


LEAF = Part()
HOLDING: list[tuple[str, Callable[[], Any]]] = [
    ("an attribute", lambda: Part(inner=LEAF)),
    ("a part of a part", lambda: Part(inner=Part(inner=Part(inner=LEAF)))),
    ("a list", lambda: Part(several=[1, LEAF])),
    ("a tuple", lambda: Part(several=(LEAF,))),
    ("a set", lambda: Part(several={LEAF})),
    ("a dict", lambda: Part(by_name={"a": LEAF})),
    ("another mapping", lambda: Part(by_name=MappingProxyType(OrderedDict(a=LEAF)))),
    ("beside one that is closed", lambda: Part(closed=Closed(), inner=LEAF)),
]


@pytest.mark.parametrize("make", [make for _, make in HOLDING], ids=[name for name, _ in HOLDING])
def test_it_is_found_in(make: Callable[[], Any]) -> None:
    thing = make()
    found = within(thing, Part)
    assert found[0] is thing
    assert found[-1] is LEAF


def test_each_is_found_once_though_they_hold_each_other() -> None:
    one, other = Part(), Part()
    one.others, other.others = [other, other, one], {"back": one}  # type: ignore[attr-defined]
    assert within(one, Part) == [one, other]


@pytest.mark.parametrize("thing", [None, 7, Slim(), Part(text="a", numbers=[1, 2])])
def test_a_thing_that_holds_none_is_there_alone(thing: object) -> None:
    assert within(thing, Part) == [thing]


def test_only_these_kinds_are_looked_into() -> None:
    other = Slim()
    thing = Part(inner=other, kind=Part)
    assert within(thing, Part) == [thing]
    assert within(thing, Part, Slim) == [thing, other]
