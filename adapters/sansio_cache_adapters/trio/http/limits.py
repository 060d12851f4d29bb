"""How many connections a session may have, and how long its requests may wait."""

from __future__ import annotations

from sansio_cache.errors import SettingError
from sansio_cache.values import Value

from .checks import number, whole

__all__ = ["Limits", "Timeout", "limits_of"]


class Limits(Value):
    """How many connections a session may have at once; None is no limit.

    :ivar total: open connections, idle ones included.
    :ivar per_host: open connections to one origin.
    :ivar idle: connections kept open without a request.
    :ivar idle_expiry: seconds for which they are.

    :raises SettingError: for other values.
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
    """The checked value of ``limits=``.

    :raises SettingError: for another type.
    """
    if given is None:
        return Limits()
    if not isinstance(given, Limits):
        raise SettingError(f"limits takes a Limits, as Limits(per_host=4), not {given!r}")
    return given


class Timeout(Value):
    """How long a request may wait without anything moving, in seconds; None waits for ever.

    ``connect`` covers name, TCP and TLS. ``read`` and ``write`` each wait for bytes, so that a server which drips
    keeps them alive: bound the whole with a cancel scope. ``pool`` is the wait for a free connection; it is None,
    since to stand in a queue is no failure.

    :raises SettingError: a limit is not above zero.
    """

    connect: float | None = 10.0
    read: float | None = 30.0
    write: float | None = 30.0
    pool: float | None = None

    def __post_init__(self) -> None:
        for name in ("connect", "read", "write", "pool"):
            seconds = getattr(self, name)
            if seconds is not None and not number(seconds) > 0:
                raise SettingError(f"the {name} timeout must be above zero seconds, or None, not {seconds!r}")

    @classmethod
    def of(cls, given: Timeout | float | None) -> Timeout:
        """The timeout meant by a session's argument: a number stands for all four, None for no limit."""
        return given if isinstance(given, Timeout) else cls(given, given, given, given)
