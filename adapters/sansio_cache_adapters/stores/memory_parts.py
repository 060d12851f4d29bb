"""What the store in memory is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from sansio_cache.records import Item, Stored

from .protocol import Listed

__all__ = ["Body", "Claim", "Row"]


@dataclass(slots=True, eq=False)
class Row:
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
        item = self.item
        return Listed(
            item.resource,
            item.partition,
            item.variant,
            self.stored._replace(body=None),
            *(item.size, item.requested_at, item.received_at, item.stale_at, item.purge_at),
            *(item.url, item.method, item.status, item.tags),
        )


@dataclass(slots=True, eq=False)
class Body:
    """The chunks of a body; ``at`` is when it was last written to, and later when it was let go."""

    at: float
    size: int = 0
    hashes: bytes = b""
    chunks: list[bytes] = field(default_factory=list[bytes])


@dataclass(slots=True, eq=False)
class Claim:
    """Who fetches for a partition, or until when it is open to all."""

    resource: bytes
    token: bytes
    until: float
    open: bool = False
