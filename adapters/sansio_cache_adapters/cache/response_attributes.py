"""Attributes that the responses of all clients have, and times as users see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from sansio_cache.decisions import Answer

__all__ = ["AnswerAttributes", "TimeAttributes", "moment"]


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


class AnswerAttributes(TimeAttributes):
    """Attributes of a response that come from its answer."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def _answer(self) -> Answer | None:
            """The answer that it was made from; None where the cache was bypassed."""

    @property
    def from_cache(self) -> bool:
        """Whether it was made from a stored response."""
        answer = self._answer
        return answer is not None and answer.record is not None and answer.from_cache

    @property
    def cache_key(self) -> str:
        """The partition key, hexadecimal; ``""`` where the cache was bypassed."""
        return "" if self._answer is None else self._answer.key.hex()

    @property
    def revalidated(self) -> bool:
        """Whether the origin has just confirmed it."""
        return self._answer is not None and self._answer.revalidated


def moment(at: float | None) -> datetime | None:
    """A POSIX time as an aware datetime; None for none, for never, and for what a datetime cannot hold."""
    if at is None:
        return None
    try:
        return datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return None
