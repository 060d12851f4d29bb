"""Actions: requests of the core to the outside world, and the replies to them.

``exchange`` yields actions; a driver has a :class:`~sansio_cache.drivers.World` perform them. Every action that can
wait brings back the time at which it was done: to a decision taken with an older ``now`` a record may seem to come from
the future.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from .keeping import Superseded
from .keys import Keys
from .messages import Received, Request, Unreachable
from .records import Item, Record, Stored

__all__ = [
    "Action",
    "Alone",
    "BodyStart",
    "Claim",
    "Discard",
    "Drop",
    "Fetch",
    "Freshen",
    "Granted",
    "Landed",
    "Later",
    "Load",
    "LoadBody",
    "Loaded",
    "Steps",
    "Supersede",
    "ask",
]

R = TypeVar("R")
T = TypeVar("T")


class Action(msgspec.Struct, Generic[R], frozen=True):
    """A request of the core. ``verb`` names the method of the world that performs it and returns an R."""

    verb: ClassVar[str]


class Loaded(msgspec.Struct, frozen=True):
    """The records of a partition, not verified yet, and the time."""

    records: Sequence[Stored]
    now: float


class BodyStart(msgspec.Struct, frozen=True):
    """How a stored body begins, in distrust: the hashes of its chunks, and one of these."""

    hashes: object
    chunk: object


class Granted(msgspec.Struct, frozen=True):
    """We fetch for all who wait."""

    now: float


class Landed(msgspec.Struct, frozen=True):
    """Another's fetch has ended while we waited: load again."""

    now: float


class Alone(msgspec.Struct, frozen=True):
    """Fetch for ourselves: the wait took too long, claims do not work, or the answer is not stored."""

    now: float


class Load(Action[Loaded], frozen=True):
    """Read all records of a partition."""

    verb = "load"
    keys: Keys


class LoadBody(Action[BodyStart | None], frozen=True):
    """Read the list of a body's hashes, where it has one, and one of its chunks; None where either is gone."""

    verb = "load_body"
    record: Record
    index: int


class Discard(Action[None], frozen=True):
    """Remove a record, if it is still the same: its body is not there."""

    verb = "discard"
    record: Record


class Claim(Action[Granted | Landed | Alone], frozen=True):
    """Ask to fetch for all, or wait for the one who does.

    Another may have fetched and ended between our look into the store and this: then too it is ``Landed``.
    """

    verb = "claim"
    keys: Keys
    patience: float
    """Seconds to wait for another, at most."""
    seen: Collection[int] = ()
    """The ``rev`` of each record that the last look has shown."""


class Fetch(Action[Received | Unreachable], frozen=True):
    """Send a request and wait for the head of its response."""

    verb = "fetch"
    request: Request


class Freshen(Action[bool], frozen=True):
    """Replace the head of a record, if it is still the one with this ``rev``; whether it was."""

    verb = "freshen"
    item: Item
    rev: int


class Drop(Action[None], frozen=True):
    """Invalidate every record of a resource."""

    verb = "drop"
    resource: bytes


class Supersede(Action[None], frozen=True):
    """Remove the records that an answer of the origin has superseded, as far as each still has its ``rev``."""

    verb = "supersede"
    keys: Keys
    superseded: Sequence[Superseded]


class Later(Action[None], frozen=True):
    """Validate in the background, by a request that says ``refresh``."""

    verb = "later"
    request: Request
    keys: Keys


Steps = Generator[Action[Any], Any, T]
"""A computation that may ask for actions and returns a T."""


def ask(action: Action[R]) -> Generator[Action[R], R, R]:
    """Yield an action and return its reply, typed: to be delegated to with ``yield from``."""
    return (yield action)
