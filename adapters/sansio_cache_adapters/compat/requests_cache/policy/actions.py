"""What requests-cache decides of a request; here the core does, by rules of its own."""

from __future__ import annotations

from typing import Any, Final

from sansio_cache_adapters.compat.notes import REQUESTS_CACHE

__all__ = ["METHOD_OVERRIDE_HEADERS", "CacheActions"]

METHOD_OVERRIDE_HEADERS: Final = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]


class CacheActions:
    """Not to be had: to see what the cache does with a request, look at ``response.cache_status``."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise REQUESTS_CACHE.refusal("CacheActions is not there: response.cache_status tells what was done, and why")

    @classmethod
    def from_request(cls, *_: Any, **__: Any) -> CacheActions:
        """Raises, as above."""
        return cls()
