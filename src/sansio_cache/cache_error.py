"""The root of the errors (:mod:`sansio_cache.errors`), apart from them so that ``bad_signature`` needs no other."""

from __future__ import annotations

__all__ = ["CacheError", "shown_url"]


class CacheError(Exception):
    """The root of every error that this library raises on its own account."""

    __module__ = "sansio_cache.errors"


def shown_url(url: str) -> str:
    """A URL as errors show it, without secrets."""
    # Every module imports the errors; the modules that know URLs are needed only for an error that is raised.
    from .urls import redact

    return redact(url)
