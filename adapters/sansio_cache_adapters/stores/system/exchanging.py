"""Two names of files exchanged in one step, where the system can do that: Linux, since 3.15."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any, Final

__all__ = ["exchanged"]

_EXCHANGE: Final = 2
"""``RENAME_EXCHANGE`` of renameat2(2)."""


def _found() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    try:
        call: Any = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError):  # an older libc, or another
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    call.restype = ctypes.c_int
    found: Callable[..., int] = call
    return found


_renameat2: Final = _found()


def exchanged(name: str, folder: int, other: str, other_folder: int) -> bool:
    """Exchange two names, each in the folder of a descriptor; False where that cannot be done, whatever keeps it."""
    if _renameat2 is None:
        return False
    return _renameat2(folder, os.fsencode(name), other_folder, os.fsencode(other), _EXCHANGE) == 0
