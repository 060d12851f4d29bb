"""The commands to a Redis server, and the names of its keys.

Keys, for the prefix ``sansio-cache``::

    {sansio-cache}:meta, :signed         id and salt; the mark that the store is signed
    sansio-cache:r:{RESOURCE}:parts      the partitions of a resource, each until it can hold nothing any more
    sansio-cache:r:{RESOURCE}:mark       when it was dropped
    sansio-cache:p:{PARTITION}:heads     the records of a partition, a row per variant; :used their last use
    sansio-cache:p:{PARTITION}:mark, :lease
    sansio-cache:b:{ENTRY}               the chunks of a large body and their hashes

What is in braces decides the slot of a cluster, so that each step is atomic. That a commit and a drop meet in two
slots does no harm: the commit first enters its partition among those of its resource, where the mark is; the drop
first marks the resource and then visits all that have entered and marks each. Anyone who comes second sees the other.

Everything but the meta record expires by itself, and nothing is added up: how much there is in all is the server's to
bound. Any key may go at any moment, since the server evicts what it likes.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from math import ceil
from typing import Any, Final, NamedTuple, TypeVar

from sansio_cache_adapters.stores.protocol import KEEP_REPLACED

from .scripts import Script

__all__ = ["ADDED_MS", "Call", "Command", "Names", "Steps", "groups", "lifetime"]

T = TypeVar("T")


class Call(NamedTuple):
    """A script, called on keys of one slot."""

    script: Script
    keys: Sequence[str | bytes]
    arguments: tuple[str | bytes, ...] = ()


Command = tuple[str | bytes, ...] | Call
Steps = Generator[list[Command], list[Any], T]
"""A verb: it yields commands, which are carried out in their order, and is sent their replies."""

_FOREVER: Final = 1e15
_GROUP: Final = 100
"""How many commands are sent together at most."""
ADDED_MS: Final = int(KEEP_REPLACED * 1000)
"""For so long a body, and what leads to a record, outlive the record."""


def lifetime(end: float, now: float, added: int = 0) -> str:
    """Milliseconds until then; 0 for never. Relative, since the server's clock may differ from ours."""
    return "0" if end - now > _FOREVER / 1000 else str(max(ceil((end - now) * 1000), 1) + added)


def groups(things: Sequence[T]) -> Iterable[Sequence[T]]:
    """Things in portions small enough to be sent together."""
    return (things[at : at + _GROUP] for at in range(0, len(things), _GROUP))


class Names:
    """The names of the keys under one prefix, and patterns that they match."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.meta: str = f"{{{prefix}}}:meta"
        self.signed: str = f"{{{prefix}}}:signed"
        escaped = "".join(f"\\{each}" if each in "*?[]^\\" else each for each in prefix)
        self.every_heads: str = f"{escaped}:p:{{*}}:heads"
        self.every_body: str = f"{escaped}:b:{{*}}"
        self.all: tuple[str, str] = (f"{escaped}:[rpb]:{{*", f"{{{escaped}}}:*")

    def of_resource(self, resource: bytes) -> list[str]:
        """Partitions and mark of a resource."""
        return [f"{self.prefix}:r:{{{resource.hex()}}}:{each}" for each in ("parts", "mark")]

    def of_partition(self, partition: bytes) -> list[str]:
        """Heads, last uses, mark and lease of a partition."""
        key = f"{self.prefix}:p:{{{partition.hex()}}}:"
        return [key + each for each in ("heads", "used", "mark", "lease")]

    def heads(self, partition: bytes) -> str:
        """The records of a partition."""
        return f"{self.prefix}:p:{{{partition.hex()}}}:heads"

    def lease(self, partition: bytes) -> str:
        """The lease of a partition."""
        return f"{self.prefix}:p:{{{partition.hex()}}}:lease"

    def body(self, entry: bytes) -> str:
        """The chunks of a body."""
        return f"{self.prefix}:b:{{{entry.hex()}}}"
