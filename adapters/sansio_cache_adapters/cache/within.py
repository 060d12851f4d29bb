"""The parts of what a user gives: adapters and transports wrap others, or choose among several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, cast

__all__ = ["within"]


def within(thing: object, *kinds: type[Any]) -> list[Any]:
    """A thing, and those of these kinds that it holds, however deep: as attributes, or in collections; each once."""
    found = [thing]
    known = {id(thing)}
    for each in found:
        for held in _held(list(getattr(each, "__dict__", {}).values()), kinds):
            if id(held) not in known:
                known.add(id(held))
                found.append(held)
    return found


def _held(things: Iterable[object], kinds: tuple[type[Any], ...]) -> Iterator[object]:
    for thing in things:
        if isinstance(thing, kinds):
            yield thing
        elif isinstance(thing, Mapping | list | tuple | set | frozenset):
            several: list[Any] = []
            with suppress(Exception):  # a mapping of somebody's own may not be gone through
                several = list(cast(Any, thing).values() if isinstance(thing, Mapping) else cast(Any, thing))
            yield from (each for each in several if isinstance(each, kinds))
