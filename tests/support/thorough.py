"""How often crash and contention tests strike: briefly as a rule, in full with ``SANSIO_CACHE_THOROUGH=1``."""

from __future__ import annotations

import os

__all__ = ["extent"]

_THOROUGH = os.environ.get("SANSIO_CACHE_THOROUGH", "") not in ("", "0")


def extent(usual: int, thorough: int) -> int:
    """How many times, or seconds, this run asks for."""
    return thorough if _THOROUGH else usual
