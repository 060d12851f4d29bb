"""Times as users see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Moments", "moment"]


class _Timed(Protocol):
    """A response that says its times by the names that users of requests-cache know."""

    @property
    def created_at(self) -> datetime | None: ...
    @property
    def expires(self) -> datetime | None: ...


class Moments:
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


def moment(at: float | None) -> datetime | None:
    """A POSIX time as an aware datetime; None for none, for never, and for what a datetime cannot hold."""
    if at is None:
        return None
    try:
        return datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return None
