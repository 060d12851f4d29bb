"""What tests of the httpx2 transports ask of an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import httpx2

__all__ = ["FRESH", "Open", "hit"]

FRESH: Final = {"Cache-Control": "max-age=3600"}
Open = Callable[..., httpx2.Client]
"""Opens clients, on one store unless said otherwise."""


def hit(response: httpx2.Response) -> bool:
    """Whether it was made from a stored response."""
    found: bool = response.extensions["from_cache"]
    return found
