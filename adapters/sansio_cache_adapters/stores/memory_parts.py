"""The parts of the store in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from sansio_cache.records import Item, Stored

from .protocol import MARK_BYTES, MARK_SECONDS, Listed, marks_at_most

__all__ = ["ChunkedBody", "HeldClaim", "PlacedRecord"]


@dataclass(slots=True, eq=False)
class PlacedRecord:
    """A record in its place, and when it was last used."""

    item: Item
    stored: Stored
    used: float

    @property
    def cost(self) -> int:
        """Bytes of its head and its body."""
        return self.item.size + len(self.stored.sealed)

    def listed(self) -> Listed:
        """As maintenance sees it."""
        return Listed.of(self.item, self.stored)


@dataclass(slots=True, eq=False)
class ChunkedBody:
    """The chunks of a body; ``at`` is when it was last written to, and later when it was let go."""

    at: float
    size: int = 0
    hashes: bytes = b""
    chunks: list[bytes] = field(default_factory=list[bytes])


@dataclass(slots=True, eq=False)
class HeldClaim:
    """The holder of a claim to fetch for a partition, or until when it is open to all."""

    resource: bytes
    token: bytes
    until: float
    open: bool = False


class Marks:
    """When resources were dropped: the oldest first, and one time for all those that were too many."""

    def __init__(self, max_bytes: int) -> None:
        self._at: dict[bytes, float] = {}
        self._of_all = -inf
        self._most = marks_at_most(max_bytes)

    @property
    def weight(self) -> int:
        """The bytes that they count towards the bound."""
        return len(self._at) * MARK_BYTES

    def add(self, resource: bytes, now: float) -> None:
        """Mark a resource."""
        self._at.pop(resource, None)  # so that the oldest stay in front
        self._at[resource] = now
        if len(self._at) > self._most:
            self._of_all = max(self._of_all, self._at.pop(next(iter(self._at))))

    def refuse(self, item: Item, now: float) -> bool:
        """Whether a response was requested before its resource was dropped."""
        at, of_all = self._at.get(item.resource), self._of_all
        # Nothing was dropped: so it nearly always is.
        if at is None and of_all == -inf:
            return False
        marks = (-inf if at is None else at, of_all)
        return any(item.requested_at <= each and abs(now - each) < MARK_SECONDS for each in marks)

    def forget(self, now: float) -> None:
        """Remove those that count no more."""
        while self._at and self._at[oldest := next(iter(self._at))] <= now - MARK_SECONDS:
            del self._at[oldest]
