"""The values of the suite: what is measured, on whom, and what came of it.

A *contender* is a client with or without a cache. A *scenario* is something that every contender can be asked to do.
One contender in one scenario is a *cell*; a cell runs in a process of its own and ends with an *outcome*.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from suite.clients import Client
    from suite.origin_control import OriginControl

Role = Literal["plain", "peer", "ours", "limit"]
Mode = Literal["fresh", "obey", "validate", "huge"]
Status = Literal["ok", "absent", "unfit", "failed"]

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class Setting:
    """How a contender is to be opened: where its records lie, and what the scenario needs from its policy."""

    folder: Path
    mode: Mode = "fresh"
    """What the scenario asks of the policy.

    *fresh*: all stays fresh for an hour. *obey*: the origin's fields decide when a record expires. *validate*: a record
    of a `/v/` URL is validated at each request. *huge*: a body of a GiB is stored too.
    """


@dataclass(frozen=True, slots=True)
class Startup:
    """Python source that imports a contender's module, and that makes its first session."""

    imports: str
    session: str = ""
    loop: Literal["", "asyncio", "trio"] = ""


@dataclass(frozen=True, slots=True)
class Contender:
    """A row of the tables."""

    name: str
    client: str
    """The client library below: peers are compared with ours on the same client."""
    role: Role
    make: Callable[[Setting], Client] | None = None
    does: frozenset[str] = frozenset()
    """What it can be asked: *hit*, *fetch* (and store) what is missing, *store* (the same by many tasks, or for
    bodies of any size), *share* (several processes on one store), *purge*, *core*. *plain*: it has no cache, so a "hit"
    is a request; *signed*: its records are."""
    rival: str = ""
    """The peer that the targets name."""
    limit: str = ""
    """The hand-written loop that does the same work without a policy."""
    startup: Startup | None = None

    @property
    def abilities(self) -> frozenset[str]:
        """`does`, and what follows from the rest."""
        return self.does | ({"startup"} if self.startup else set())


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that a scenario gives."""

    key: str
    unit: str
    better: Literal["more", "less"] = "more"


@dataclass(frozen=True, slots=True)
class Scale:
    """How long and how large. Quick runs are for a look while working, not for quoting."""

    seconds: float
    """How long one rate is measured, in one cell of one round."""
    many: int
    """The entries of a large store."""
    most: int
    """The entries of a very large one."""
    huge: int
    """The size of a body that must pass in bounded memory, in bytes."""
    starts: int
    """How often a module is imported anew."""


FULL = Scale(seconds=0.8, many=100_000, most=1_000_000, huge=GIB, starts=7)
QUICK = Scale(seconds=0.25, many=5_000, most=20_000, huge=64 * MIB, starts=3)


@dataclass(slots=True)
class Cell:
    """One contender in one scenario, as its own process sees it."""

    contender: Contender
    origin: OriginControl
    folder: Path
    scale: Scale

    def client(self, mode: Mode = "fresh", folder: Path | None = None) -> Client:
        """A client of this contender, not yet started."""
        if self.contender.make is None:
            raise TypeError(f"{self.contender.name} has no client")
        where = folder or self.folder
        where.mkdir(parents=True, exist_ok=True)
        return self.contender.make(Setting(where, mode))


Run = Callable[[Cell], Awaitable[dict[str, float]]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A table of the report."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    """The first one is what ratios are made of."""
    needs: frozenset[str]
    run: Run
    keeps: bool = False
    """Whether the rounds share one store, filled in the first: true where nothing but hits is measured."""
    only: frozenset[str] = frozenset()
    """The names of the contenders that are asked, where not all that could be are."""
    most_rounds: int = 1 << 30
    """In how many rounds it runs at most: what takes long and varies little is measured once."""
    optional: bool = False
    """Whether it runs only where it is named."""

    def fits(self, contender: Contender) -> bool:
        """Whether the contender can be asked this at all."""
        return self.needs <= contender.abilities and (not self.only or contender.name in self.only)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one cell gave in one round."""

    status: Status
    figures: dict[str, float] = field(default_factory=dict)
    note: str = ""
