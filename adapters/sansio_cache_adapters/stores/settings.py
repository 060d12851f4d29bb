"""Settings that the constructors of all stores share: a secret that may be left out, and bounds."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from sansio_cache.errors import SettingError

if TYPE_CHECKING:
    from sansio_cache.sealing import Sealer

__all__ = ["DEFAULT_MAX_BYTES", "UNGIVEN", "Ungiven", "check_bounds", "keys_of"]


DEFAULT_MAX_BYTES: Final = 1024**3


class Ungiven(Enum):
    """The type of :data:`UNGIVEN`."""

    UNGIVEN = "left out"


UNGIVEN: Final = Ungiven.UNGIVEN
"""Stands for a ``secret_key`` left out; ``None`` would be an unset environment variable, which is an error."""


def check_bounds(max_bytes: object, max_entries: object) -> None:
    """Let pass whole numbers of bytes and entries above 0; ``max_entries`` may be None.

    :raises SettingError: for anything else.
    """
    for setting, value in (("max_bytes", max_bytes), ("max_entries", max_entries)):
        if value is None and setting == "max_entries":
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise SettingError(f"{setting} takes a whole number above 0, not {value!r}")


def keys_of(sealer: Sealer | None) -> list[bytes] | Ungiven:
    """The ``secret_key`` that a store was made with, for one in another process."""
    return UNGIVEN if sealer is None or not sealer.keys else list(sealer.keys)
