"""Attributes that the responses of all clients have, and times as users see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from sansio_cache.decisions import Answer

from .engine import Engine
from .switches import bypassed
from .tee import Tee

__all__ = ["AnswerAttributes", "AnswerState", "TimeAttributes", "moment"]


class _Timed(Protocol):
    """A response that says its times by the names that users of requests-cache know."""

    @property
    def created_at(self) -> datetime | None: ...
    @property
    def expires(self) -> datetime | None: ...


class TimeAttributes:
    """The times of a response, under the names that ``session.cache`` has for them."""

    __slots__ = ()

    @property
    def stored_at(self: _Timed) -> datetime | None:
        """``created_at``: when it was received."""
        return self.created_at

    @property
    def expires_at(self: _Timed) -> datetime | None:
        """``expires``: when it becomes stale."""
        return self.expires


class AnswerState:
    """An answer on its way to its reader, and what became of its body by now.

    :ivar tee: stores the body that the network brings.
    :ivar kept_at: when it was received, if it is to be stored; POSIX seconds.
    """

    __slots__ = ("answer", "engine", "kept_at", "tee")

    def __init__(self, answer: Answer, engine: Engine, tee: Tee | None) -> None:
        self.answer: Answer = answer
        self.engine: Engine = engine
        self.tee: Tee | None = tee
        self.kept_at: float | None = None if answer.keeping is None else engine.clock()

    @property
    def lost(self) -> bool:
        """Whether it was to be stored, and is not."""
        return self.tee is not None and self.tee.lost

    @property
    def received_at(self) -> float | None:
        """When what is stored of it was received; None where nothing is."""
        record = self.answer.record
        return None if self.lost else self.kept_at if record is None else record.head.received_at

    @property
    def stale_at(self) -> float | None:
        """When it becomes stale; None for never, and where it is not stored."""
        return None if self.lost else self.answer.expires

    @property
    def cache_status(self) -> str:
        """How the cache handled the request, and why (RFC 9211)."""
        return str(self.answer.cache_status if self.tee is None else self.tee.status)


class AnswerAttributes(TimeAttributes):
    """Attributes of a response that come from its answer."""

    __slots__ = ()

    _why_bypassed: str = ""

    if TYPE_CHECKING:
        status: int

        @property
        def _state(self) -> AnswerState | None:
            """What it was made from; None where the cache was bypassed."""

    @property
    def from_cache(self) -> bool:
        """Whether it was made from a stored response."""
        state = self._state
        return state is not None and state.answer.record is not None and state.answer.from_cache

    @property
    def created_at(self) -> datetime | None:
        """When the stored response was received; aware, UTC; None where nothing was stored."""
        return None if self._state is None else moment(self._state.received_at)

    @property
    def expires(self) -> datetime | None:
        """When it becomes stale; None for never, and where it is not stored."""
        return None if self._state is None else moment(self._state.stale_at)

    @property
    def is_expired(self) -> bool:
        """Whether it has become stale by now."""
        state = self._state
        stale_at = None if state is None else state.stale_at
        return state is not None and stale_at is not None and stale_at <= state.engine.clock()

    @property
    def cache_key(self) -> str:
        """The partition key, hexadecimal; ``""`` where the cache was bypassed."""
        return "" if self._state is None else self._state.answer.key.hex()

    @property
    def revalidated(self) -> bool:
        """Whether the origin has just confirmed it."""
        return self._state is not None and self._state.answer.revalidated

    @property
    def cache_status(self) -> str:
        """How the cache handled the request, and why (RFC 9211)."""
        return bypassed(self.status, self._why_bypassed) if self._state is None else self._state.cache_status


def moment(at: float | None) -> datetime | None:
    """A POSIX time as an aware datetime; None for none, for never, and for what a datetime cannot hold."""
    if at is None:
        return None
    try:
        return datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return None
