"""Whether variables of the environment have changed: compared with every request, so without decoding them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

__all__ = ["watching"]


def watching(*names: str, ending: str = "") -> Callable[[], tuple[object, ...]]:
    """A function that gives the raw values of some variables, to be compared; None where one is not set.

    ``os.environ.get`` takes a microsecond for a variable that is not there, and a hit takes forty in all.

    :param ending: also those whose names end so, in whatever case.
    """
    encode: Callable[[str], Any] = getattr(os.environ, "encodekey", str)
    named = [encode(name) for name in names]
    wanted = encode(ending).lower()
    known: tuple[Any, ...] = ()
    ended: list[Any] = []

    def state() -> tuple[object, ...]:
        nonlocal known, ended
        # Looked up each time: tests put another environment in its place.
        kept: Any = getattr(os.environ, "_data", os.environ)
        if wanted and (now := tuple(kept)) != known:
            known = now
            ended = [name for name in known if name.lower().endswith(wanted)]
        said: tuple[object, ...] = tuple([kept.get(name) for name in named])
        return (*said, *((name, kept.get(name)) for name in ended)) if ended else said

    return state
