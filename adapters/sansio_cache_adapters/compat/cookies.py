"""The cookies that came with a stored response: to be looked at, and never for a jar."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from sansio_cache.records import Record

__all__ = ["cookies_of", "morsels_of"]


def morsels_of(record: Record) -> SimpleCookie:
    """The cookies of a record with their attributes."""
    found = SimpleCookie()
    for line in record.headers.lines("set-cookie"):
        try:
            found.load(line)
        except CookieError:
            continue
    return found


def cookies_of(record: Record) -> dict[str, str]:
    """The names and values of a record's cookies."""
    return {name: morsel.value for name, morsel in morsels_of(record).items()}
