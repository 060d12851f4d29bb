"""A module of requests-cache, whose class is with the small tools."""

from sansio_cache_adapters.compat.requests_cache._utils import RichMixin

__all__ = ["RichMixin"]
