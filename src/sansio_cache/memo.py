"""A memory of earlier results, bounded in bytes and not in entries: strangers choose how long a URL is."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Final, Generic, NamedTuple, Protocol, TypeVar, cast

__all__ = ["Memo", "MemoInfo", "Recalling", "remembered"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)

_LARGEST_SHARE: Final = 16
"""A result that takes more than this part of the memory is not remembered: it would push out all others."""
_OVERHEAD: Final = 300
"""Bytes of an entry beside its text: the objects around it and the dict's own."""


class MemoInfo(NamedTuple):
    """How full a memory is; ``maxsize`` and ``currsize`` are bytes."""

    maxsize: int
    currsize: int
    entries: int


class Memo(Generic[K, V]):
    """Values by key, of which the unused are forgotten first.

    There are two generations, each of half the bytes: when the young one is full it takes the place of the old one, and
    what is used again moves back. So a hit is one look into a dict, and threads may share it without a lock, with a GIL
    or none: each step on a dict is one, and at worst they work something out twice, forget a generation early, or count
    some bytes too few until the next one.

    :param most: bytes that may be remembered, as :meth:`put` is told them.
    """

    __slots__ = ("_most", "_old", "_used", "_young")

    def __init__(self, most: int) -> None:
        self._most = most
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._young: dict[K, tuple[V, int]] = {}
        self._old: dict[K, tuple[V, int]] = {}
        self._used = 0

    def get(self, key: K) -> V | None:
        """The value of a key, or None where it is not remembered."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is None:
                return None
            self.put(key, *found)
        return found[0]

    def put(self, key: K, value: V, cost: int) -> None:
        """Remember a value; ``cost`` is the bytes that it and its key take, roughly."""
        if cost > self._most // _LARGEST_SHARE:
            return
        self._used += cost
        if self._used > self._most // 2:
            self._old, self._young, self._used = self._young, {}, cost
        self._young[key] = value, cost

    def info(self) -> MemoInfo:
        """How full it is."""
        costs = [cost for generation in (self._young, self._old) for _, cost in list(generation.values())]
        return MemoInfo(self._most, sum(costs), len(costs))


class Recalling(Protocol[V_co]):
    """A function of a text that remembers what it gave; shaped as ``functools.lru_cache`` shapes one."""

    @property
    def __wrapped__(self) -> Callable[[str], V_co]: ...
    def __call__(self, text: str, /) -> V_co: ...
    def cache_info(self) -> MemoInfo: ...
    def cache_clear(self) -> None: ...


def remembered(most: int) -> Callable[[Callable[[str], V]], Recalling[V]]:
    """Has a pure function of a text remember ``most`` bytes of texts and values no longer than they are."""

    def decorated(function: Callable[[str], V]) -> Recalling[V]:
        memo = Memo[str, V](most)
        get = memo.get

        @wraps(function)
        def recalled(text: str, /) -> V:
            value = get(text)
            if value is None:
                value = function(text)
                memo.put(text, value, 2 * text.__sizeof__() + _OVERHEAD)
            return value

        recalled.cache_info = memo.info  # type: ignore[attr-defined]
        recalled.cache_clear = memo.clear  # type: ignore[attr-defined]
        return cast("Recalling[V]", recalled)

    return decorated
