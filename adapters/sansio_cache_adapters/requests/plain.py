"""The session of requests itself, as it was when this package was imported.

Programs put another in its place (``requests.Session = CachedSession``), and doubles of the network replace its
methods, before the first request or after: modules that are imported at the first request look here.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final

import requests
from requests import models

__all__ = ["METHODS", "PLAIN", "prepares_plainly"]

PLAIN: Final = requests.Session
METHODS: Final[tuple[Any, ...]] = (PLAIN.send, PLAIN.prepare_request, PLAIN.merge_environment_settings)
"""The methods through which a request passes on the way to an adapter."""

_PREPARED: Final = requests.PreparedRequest
_preparing: Final = attrgetter(*(name for name in vars(_PREPARED) if name == "copy" or name.startswith("prepare")))
_PREPARING: Final = tuple(
    each
    for each in _preparing(_PREPARED)
    if getattr(getattr(each, "__code__", None), "co_filename", "") == models.__file__
)
"""Without methods that others replaced before: then nothing is prepared plainly."""


def prepares_plainly() -> bool:
    """Whether a request is prepared by the methods of requests alone."""
    found: tuple[Any, ...] = _preparing(_PREPARED)
    return found == _PREPARING
