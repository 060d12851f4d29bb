"""Two names of files exchanged in one step, where the system can do that: Linux, since 3.15."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

__all__ = ["exchanged"]

_EXCHANGE: Final = 2
"""``RENAME_EXCHANGE`` of renameat2(2)."""


@lru_cache(maxsize=1)
def _renameat2() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    import ctypes  # takes as long as a fifth of our own modules, and a store of files alone needs it

    try:
        call: Any = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError):  # an older libc, or another
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    call.restype = ctypes.c_int
    found: Callable[..., int] = call
    return found


def exchanged(name: str, folder: int, other: str, other_folder: int) -> bool:
    """Exchange two names, each in the folder of a descriptor; False where that cannot be done, whatever keeps it."""
    call = _renameat2()
    return call is not None and call(folder, os.fsencode(name), other_folder, os.fsencode(other), _EXCHANGE) == 0
