"""What can be asked of a Redis server, and the keys that it is asked about.

Keys, for the prefix ``sansio-cache``::

    {sansio-cache}:meta, :signed         id and salt; the mark that the store is signed
    {sansio-cache}:swept                 is there for a minute after a sweep
    {sansio-cache}:marks, :mark          when which resources were dropped; the mark of all that were too many
    {sansio-cache}:used, :cost, :due     the index: last use, bytes and end of every record (and pending body)
    sansio-cache:r:{RESOURCE}:parts      the partitions of a resource, each until it can hold nothing any more
    sansio-cache:r:{RESOURCE}:mark       when it was dropped
    sansio-cache:p:{PARTITION}:heads     the records of a partition, a row per variant; :used their last use
    sansio-cache:p:{PARTITION}:mark, :lease, :open
    sansio-cache:b:{ENTRY}               the chunks of a large body and their hashes

What is in braces decides the slot of a cluster, so that each step is atomic. That a commit and a drop meet in two
slots does no harm: the commit first enters its partition among those of its resource, where the mark is; the drop
first marks the resource and then visits all that have entered and marks each. Anyone who comes second sees the other.

Everything expires by itself. The index serves ``max_bytes``, listing and the sweeps; if the server evicts it, or a
part of it, records are no longer counted, and that is all.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from math import ceil
from typing import Any, Final, NamedTuple, TypeVar

from sansio_cache_adapters.stores.protocol import KEEP_REPLACED

from .scripts import Script

__all__ = ["ADDED_MS", "Call", "Command", "Keys", "Names", "Steps", "body", "groups", "lifetime", "record", "score"]

T = TypeVar("T")


class Call(NamedTuple):
    """A script, called on keys of one slot."""

    script: Script
    keys: Sequence[str]
    arguments: tuple[str | bytes, ...]


class Keys(NamedTuple):
    """All keys that match a pattern, on all nodes."""

    pattern: str


Command = tuple[str | bytes, ...] | Call | Keys
Steps = Generator[list[Command], list[Any], T]
"""A verb: it yields commands that do not depend on each other, and is sent their replies."""

_FOREVER: Final = 1e15
_GROUP: Final = 100
"""How many commands are sent together at most."""
ADDED_MS: Final = int(KEEP_REPLACED * 1000)
"""For so long a body, and what leads to a record, outlive the record."""


def lifetime(end: float, now: float, added: int = 0) -> str:
    """Milliseconds until then; 0 for never. Relative, since the server's clock may differ from ours."""
    return "0" if end - now > _FOREVER / 1000 else str(max(ceil((end - now) * 1000), 1) + added)


def score(time_or_infinite: float) -> str:
    """A time as the score of a member, POSIX seconds."""
    return repr(min(time_or_infinite, _FOREVER))


def groups(things: Sequence[T]) -> Iterable[Sequence[T]]:
    """Things in portions small enough to be sent together."""
    return (things[at : at + _GROUP] for at in range(0, len(things), _GROUP))


def record(partition: bytes, entry: bytes) -> bytes:
    """A record as a member of the index."""
    return b"r" + partition + entry


def body(entry: bytes) -> bytes:
    """A pending body as a member of the index."""
    return b"b" + entry


class Names:
    """The names of the keys under one prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.index = [f"{{{prefix}}}:{each}" for each in ("used", "cost", "due")]
        self.marks = [f"{{{prefix}}}:{each}" for each in ("marks", "mark")]
        self.meta, self.signed, self.swept = (f"{{{prefix}}}:{each}" for each in ("meta", "signed", "swept"))

    def of_resource(self, resource: bytes) -> list[str]:
        """Partitions and mark of a resource."""
        return [f"{self.prefix}:r:{{{resource.hex()}}}:{each}" for each in ("parts", "mark")]

    def of_partition(self, partition: bytes) -> list[str]:
        """Heads, last uses, mark, lease and openness of a partition."""
        key = f"{self.prefix}:p:{{{partition.hex()}}}:"
        return [key + each for each in ("heads", "used", "mark", "lease", "open")]

    def heads(self, partition: bytes) -> str:
        """The records of a partition."""
        return f"{self.prefix}:p:{{{partition.hex()}}}:heads"

    def body(self, entry: bytes) -> str:
        """The chunks of a body."""
        return f"{self.prefix}:b:{{{entry.hex()}}}"

    def patterns(self) -> tuple[str, str]:
        """What all keys match: those of resources, partitions and bodies, and those of the store as a whole."""
        escaped = "".join(f"\\{each}" if each in "*?[]^\\" else each for each in self.prefix)
        return f"{escaped}:[rpb]:{{*", f"{{{escaped}}}:*"
