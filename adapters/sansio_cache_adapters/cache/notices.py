"""Warnings for the program's author: each said once in a process, and none of them ever ends a request."""

from __future__ import annotations

import inspect
import warnings
from typing import Final

from sansio_cache.errors import CacheWarning

__all__ = ["warn_once"]

_MOST: Final = 1000
_BETWEEN: Final = frozenset(
    {
        *("sansio_cache", "sansio_cache_adapters", "collections", "contextlib", "threading"),
        *("aiohttp", "anyio", "asyncio", "concurrent", "httpx2", "requests", "trio", "urllib3"),
    }
)
"""Packages that stand between the author's line and ours."""
_told: set[str] = set()
"""Shared by threads without a lock: at worst something is said twice."""


def warn_once(text: str, kind: type[CacheWarning] = CacheWarning) -> None:
    """Warn at the author's line that led here. Where warnings are errors nothing is raised: a log line tells."""
    if text in _told or len(_told) >= _MOST:
        return
    _told.add(text)
    try:
        warnings.warn(text, kind, stacklevel=_level())
    except CacheWarning:
        # The filters turn it into an error, which would cost an answer that is at hand.
        return


def _level() -> int:
    """How many frames up the first one is that belongs to none of :data:`_BETWEEN`."""
    level = 0
    frame = inspect.currentframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] not in _BETWEEN:
            return level
        frame = frame.f_back
        level += 1
    return 2
