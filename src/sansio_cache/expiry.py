"""The values that a user may give as ``expire_after``.

A user's explicit time replaces the response's own freshness; see :mod:`sansio_cache.policy` for who wins.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from .dates import parse_date
from .errors import SettingError
from .values import Frozen

__all__ = [
    "ANY_SETTINGS",
    "DO_NOT_CACHE",
    "EXPIRE_IMMEDIATELY",
    "NEVER_EXPIRE",
    "DoNotCache",
    "ExpireAfter",
    "Expiry",
    "Packed",
    "Resident",
    "Until",
    "pack",
    "parse_expire_after",
    "parse_seconds",
    "unpack",
]

EXPIRE_IMMEDIATELY: Final = 0
"""Store, but validate before every use."""
NEVER_EXPIRE: Final = -1
"""Fresh for ever."""


class DoNotCache:
    """The type of :data:`DO_NOT_CACHE`: neither stored nor answered from the store."""

    _only: DoNotCache | None = None

    def __new__(cls) -> DoNotCache:  # noqa: PYI034 - there is only the one
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "DO_NOT_CACHE"

    def __reduce__(self) -> str:
        return "DO_NOT_CACHE"


DO_NOT_CACHE: Final = DoNotCache()


class Resident(Frozen):
    """Fresh for so many seconds after we received it; ``math.inf``: for ever.

    :ivar any_status: meant for this very response, be it an error.
    """

    seconds: float
    any_status: bool
    __match_args__: ClassVar[tuple[str, ...]] = ("seconds", "any_status")

    def __init__(self, seconds: float, any_status: bool = False) -> None:
        vars(self).update(seconds=seconds, any_status=any_status)


class Until(Frozen):
    """Fresh until a POSIX time.

    :ivar any_status: meant for this very response, be it an error.
    """

    at: float
    any_status: bool
    __match_args__: ClassVar[tuple[str, ...]] = ("at", "any_status")

    def __init__(self, at: float, any_status: bool = False) -> None:
        vars(self).update(at=at, any_status=any_status)


Expiry = Resident | Until | DoNotCache
ExpireAfter = int | float | timedelta | datetime | str | DoNotCache | None


Packed = tuple[int, float]
"""A time as a record keeps it: a kind and a number."""
_RESPONSE, _RESIDENT, _UNTIL, _NOT_AT_ALL, _ANY = range(5)

ANY_SETTINGS: Final[Packed] = (_ANY, 0.0)
"""In the place of the settings that a remembered time counts for: it counts whatever they are."""


def pack(expiry: Expiry | None, cache_control: bool = True) -> Packed:
    """A time as a record keeps it.

    :param cache_control: whether without a time of the user's the response decides; else it is fresh for ever.
    """
    if isinstance(expiry, Resident):
        return _RESIDENT, expiry.seconds
    if isinstance(expiry, Until):
        return _UNTIL, expiry.at
    if expiry is not None:
        return _NOT_AT_ALL, 0.0
    return (_RESPONSE, 0.0) if cache_control else (_RESIDENT, math.inf)


def unpack(packed: Packed, *, any_status: bool = False) -> Expiry:
    """The time that was packed; stale where an unsigned record has no time there."""
    kind, number = packed
    if kind == _UNTIL:
        return Until(number, any_status)
    return Resident(number if kind == _RESIDENT and number >= 0.0 else 0.0, any_status)


def parse_seconds(value: object, name: str) -> float:
    """Seconds, at least 0, from a number or a timedelta.

    :raises SettingError: for anything else; bool too, since True would be one second.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        raise SettingError(f"{name} takes seconds (0 or more) or a timedelta, not {value!r}")
    try:
        return float(seconds)
    except OverflowError:
        raise SettingError(f"{name} takes seconds that fit into a float, not {value!r}") from None


def parse_expire_after(value: ExpireAfter, name: str = "expire_after") -> Expiry | None:
    """The meaning of an ``expire_after``; None for None: the response decides.

    :raises SettingError: where it is none of seconds, timedelta, datetime, HTTP-date, NEVER_EXPIRE,
        EXPIRE_IMMEDIATELY and DO_NOT_CACHE.
    """
    if value is None or isinstance(value, DoNotCache):
        return value
    if isinstance(value, datetime):
        return Until(_posix(value))
    if isinstance(value, str):
        at = parse_date(value)
        if at is None:
            raise SettingError(f"{name}={value!r} is no HTTP-date, such as 'Sun, 06 Nov 1994 08:49:37 GMT'")
        return Until(at)
    if value == NEVER_EXPIRE and isinstance(value, int | float):
        return Resident(math.inf)
    try:
        return Resident(parse_seconds(value, name))
    except SettingError:
        raise SettingError(
            f"{name} takes seconds (0 or more), a timedelta, a datetime, an HTTP-date, NEVER_EXPIRE (-1), "
            f"EXPIRE_IMMEDIATELY (0), DO_NOT_CACHE or None, not {value!r}"
        ) from None


def _posix(value: datetime) -> float:
    try:
        # A naive datetime is local time, as everywhere in the standard library.
        return value.astimezone(UTC).timestamp()
    except (OverflowError, ValueError):  # within a day of the ends of time, where no zone matters
        return value.replace(tzinfo=UTC).timestamp()
