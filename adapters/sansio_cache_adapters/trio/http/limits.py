"""How many connections a session may have."""

from __future__ import annotations

from dataclasses import dataclass

from sansio_cache.errors import SettingError

from .checks import number, whole

__all__ = ["Limits", "limits_of"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections a session may have at once; None is no limit.

    :ivar total: open connections, idle ones included.
    :ivar per_host: open connections to one origin.
    :ivar idle: connections kept open without a request.
    :ivar idle_expiry: seconds for which they are.

    Raises: SettingError for other values.
    """

    total: int | None = 100
    per_host: int | None = 20
    idle: int = 20
    idle_expiry: float | None = 15.0

    def __post_init__(self) -> None:
        whole("total", self.total, 1, optional=True)
        whole("per_host", self.per_host, 1, optional=True)
        whole("idle", self.idle, 0)
        if self.idle_expiry is not None and not number(self.idle_expiry) >= 0:
            raise SettingError(f"idle_expiry must be seconds, 0 or more, or None, not {self.idle_expiry!r}")


def limits_of(given: object) -> Limits:
    """What a user gives as ``limits=``.

    :raises SettingError: for another type.
    """
    if given is None:
        return Limits()
    if not isinstance(given, Limits):
        raise SettingError(f"limits takes a Limits, as Limits(per_host=4), not {given!r}")
    return given
