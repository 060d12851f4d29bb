"""Times as users see them."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["moment"]


def moment(at: float | None) -> datetime | None:
    """A POSIX time as an aware datetime; None for none, for never, and for what a datetime cannot hold."""
    if at is None:
        return None
    try:
        return datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return None
