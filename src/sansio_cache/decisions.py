"""The decisions that the rules return, by name.

::

    choose(request, records, now)  →  Reuse | ReuseStale | Validate | Forward | Refuse
    judge(choice, reply)           →  Keep | Freshened | Pass | Again | Fail
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .bodies import OpenedBody
from .cache_status import CacheStatus, Fwd
from .errors import CacheError
from .keeping import Keeping, Superseded
from .keys import Keys
from .messages import HTTP_1_1, Headers, Request
from .records import Flaw, Item, Record

__all__ = [
    "Again",
    "Answer",
    "Choice",
    "Fail",
    "Forward",
    "Freshened",
    "FromNetwork",
    "FromStore",
    "Given",
    "Keep",
    "LookUp",
    "Pass",
    "Bypass",
    "Refuse",
    "Reuse",
    "ReuseStale",
    "Validate",
    "Verdict",
]


class FromNetwork(msgspec.Struct, frozen=True):
    """The body that the network is bringing."""


class FromStore(msgspec.Struct, frozen=True):
    """Bytes ``start`` to ``stop`` (excluded) of a stored body.

    :ivar opened: the body as it was found to be there; None where it lies beside its head.
    """

    record: Record
    start: int
    stop: int
    opened: OpenedBody | None = None


class Given(msgspec.Struct, frozen=True):
    """These very bytes."""

    data: bytes


class Answer(msgspec.Struct, frozen=True):
    """The response to a request: its head, and where its body comes from.

    :ivar record: the stored response that it was made from, or None.
    :ivar revalidated: the origin has just said that ``record`` is still good.
    :ivar expires: POSIX time at which it becomes stale; None where it is not stored, infinite for never.
    :ivar key: the partition key; ``b""`` where the cache was bypassed.
    :ivar keeping: how to store the body that the network brings, or None.
    :ivar flaws: flaws of records found on the way.
    """

    status: int
    reason: str
    headers: Headers
    body: FromNetwork | FromStore | Given
    cache_status: CacheStatus
    record: Record | None = None
    revalidated: bool = False
    expires: float | None = None
    key: bytes = b""
    keeping: Keeping | None = None
    flaws: Sequence[Flaw] = ()

    @property
    def at_hand(self) -> bool:
        """Whether there is nothing left to read from the store before the first byte of the body."""
        source = self.body
        return not isinstance(source, FromStore) or source.record.stored.body is not None or source.start == source.stop

    @property
    def version(self) -> int:
        """The version of HTTP, in tenths, by which a stored response came; 1.1 of what is none."""
        return HTTP_1_1 if self.record is None else self.record.head.version

    @property
    def from_cache(self) -> bool:
        """Whether the body does not come from the network."""
        return not isinstance(self.body, FromNetwork)


class LookUp(msgspec.Struct, frozen=True):
    """The request may be answered from the store.

    :ivar others: where to look, too, if there is nothing.
    """

    keys: Keys
    others: tuple[Keys, ...] = ()


class Bypass(msgspec.Struct, frozen=True):
    """The request goes to the origin, and nothing of it is stored.

    :ivar keys: where stored responses lie that the answer may be about, or None.
    """

    fwd: Fwd
    reason: str
    keys: Keys | None = None


class Reuse(msgspec.Struct, frozen=True):
    """A stored response is the answer."""

    answer: Answer


class ReuseStale(msgspec.Struct, frozen=True):
    """A stale stored response is the answer, and is validated in the background."""

    answer: Answer


class Validate(msgspec.Struct, frozen=True):
    """Ask the origin whether a stored response is still good.

    :ivar records: all that match the request; ``record``, whose validators go out, is one of them.
    """

    request: Request
    record: Record
    records: Sequence[Record]
    fwd: Fwd
    reason: str


class Forward(msgspec.Struct, frozen=True):
    """Ask the origin for a response.

    :ivar record: a stored response that may stand in if the origin fails, or None.
    """

    request: Request
    record: Record | None
    fwd: Fwd
    reason: str


class Refuse(msgspec.Struct, frozen=True):
    """Nothing stored answers, and the origin must not be asked.

    :ivar answer: 504 (RFC 9111 §5.2.1.7), or the error to raise.
    """

    answer: Answer | CacheError


Choice = Reuse | ReuseStale | Validate | Forward | Refuse


class Keep(msgspec.Struct, frozen=True):
    """The network's response is the answer, and is stored as its body comes."""

    answer: Answer
    invalidates: Sequence[bytes] = ()


class Freshened(msgspec.Struct, frozen=True):
    """A stored response was confirmed; its record gets the new head.

    :ivar item: to be written, or None where the reader does not write.
    :ivar superseded: records of others, in the place of which it was confirmed.
    """

    answer: Answer
    item: Item | None
    rev: int
    superseded: Sequence[Superseded] = ()


class Pass(msgspec.Struct, frozen=True):
    """The answer is not stored.

    :ivar invalidates: resources whose records are dropped.
    :ivar superseded: records that the answer has replaced or withdrawn.
    """

    answer: Answer
    invalidates: Sequence[bytes] = ()
    superseded: Sequence[Superseded] = ()


class Again(msgspec.Struct, frozen=True):
    """The origin confirmed something that we do not have: fetch without validators of ours."""

    forward: Forward
    superseded: Sequence[Superseded] = ()


class Fail(msgspec.Struct, frozen=True):
    """The network failed, and nothing may stand in."""

    error: Exception


Verdict = Keep | Freshened | Pass | Again | Fail
