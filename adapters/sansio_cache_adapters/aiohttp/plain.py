"""aiohttp's own way of sending, as it is looked for before doubles of the network and tools for tracing replace it."""

from __future__ import annotations

from types import FunctionType
from typing import Any, Final, cast

from aiohttp import ClientSession, client

__all__ = ["sends_plainly"]

_found: Final[Any] = cast(Any, ClientSession)._request
# By its type: a wrapper shows the name, file and code of what it wraps. None where it was replaced before.
_OWN: Final[Any] = _found if type(_found) is FunctionType and _found.__globals__ is client.__dict__ else None


def sends_plainly() -> bool:
    """Whether a request is sent by aiohttp's own method alone."""
    return cast(Any, ClientSession)._request is _OWN
