"""A table of bytes under names, what a store over one keeps there, and under which names."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Final, Literal, Protocol

import msgspec

from sansio_cache.records import Item

from .protocol import KEEP_REPLACED, LEASE_SECONDS

__all__ = [
    "STAYS",
    "KeptBody",
    "Held",
    "KeptRecord",
    "Table",
    "let_go",
    "new_rev",
    "of_body",
    "of_chunk",
    "of_partition",
    "of_record",
    "too_many",
    "weight",
]


class Table(Protocol):
    """Bytes under names (ASCII, at most 150 characters). It is called by one thread at a time, but by any.

    It may raise whatever its database raises; a call that waits for others must not do so for more than a second.
    """

    def transaction(self) -> AbstractContextManager[object]:
        """All changes within are made together and alone, and not at all if an exception leaves it."""
        ...

    def find(self, start: str) -> Mapping[str, bytes]:
        """All whose names begin so, in the order of their names."""
        ...

    def put(self, name: str, value: bytes) -> object:
        """Keep a value under a name, in place of what was there."""
        ...

    def delete(self, name: str) -> object:
        """Remove it, if it is there."""
        ...

    def close(self) -> object:
        """Close it. Using it again opens it."""
        ...


class KeptBody(msgspec.Struct):
    """A body in chunks: since when it is in this state, its bytes, and the hashes of its chunks once it is kept."""

    at: float
    size: int = 0
    hashes: bytes = b""
    state: Literal["pending", "kept", "let go"] = "pending"


class KeptRecord(msgspec.Struct):
    """A record: as it was committed, the name of its body, its rev, and when it was used."""

    item: Item
    entry: bytes
    rev: int
    used: float


class Held(msgspec.Struct):
    """A lease; an empty token opens it to all."""

    token: bytes
    resource: bytes
    until: float


STAYS: Final = {"pending": LEASE_SECONDS, "kept": float("inf"), "let go": KEEP_REPLACED}
"""Seconds that a body may be in a state before it is dead."""


def let_go(body: KeptBody, at: float) -> KeptBody:
    """The same body, let go at a time."""
    return KeptBody(at, body.size, body.hashes, "let go")


def new_rev() -> int:
    """Grows with time, differs where a clock is coarse, is set back or stands still, needs no counter to be shared."""
    return time.time_ns() >> 12 << 12 | secrets.randbits(12)


def weight(item: Item) -> int:
    """Bytes that count against the bound."""
    return item.size + len(item.sealed)


def too_many(marks: Mapping[str, float], most: int) -> tuple[list[str], float]:
    """The oldest marks where there are too many, and some more, so that it is not always; when the newest was made."""
    over = len(marks) - most
    going = sorted(marks, key=lambda name: marks[name])[: over + most // 8] if over > 0 else []
    return going, max((marks[name] for name in going), default=0.0)


def of_partition(partition: bytes) -> str:
    """How the names of all records of a partition begin."""
    return f"record/{partition.hex()}/"


def of_record(partition: bytes, variant: bytes) -> str:
    """The name of a record."""
    return f"record/{partition.hex()}/{variant.hex()}"


def of_body(entry: bytes) -> str:
    """The name of a body."""
    return f"body/{entry.hex()}"


def of_chunk(entry: bytes, index: int) -> str:
    """The name of a chunk."""
    return f"chunk/{entry.hex()}/{index:06}"
