"""The session of requests itself, as it was when this package was imported.

Programs put another in its place (``requests.Session = CachedSession``), and doubles of the network replace its
methods, before the first request or after: modules that are imported at the first request look here.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter, is_
from types import FunctionType, ModuleType
from typing import Final

import requests
from requests import models, sessions, utils

__all__ = ["METHODS", "PLAIN", "asks_netrc_alone", "prepares_plainly"]

PLAIN: Final = requests.Session


def _written_in(module: ModuleType, methods: Iterable[object]) -> tuple[object, ...]:
    """The methods that are the module's own, with None for each that others replaced before.

    To be compared with ``is``, not ``==``: wrappers equal what they wrap, and show its name, file and code.
    """
    return tuple(
        each if type(each) is FunctionType and each.__globals__ is module.__dict__ else None for each in methods
    )


METHODS: Final = _written_in(
    sessions, (PLAIN.request, PLAIN.send, PLAIN.prepare_request, PLAIN.merge_environment_settings)
)
"""The methods of requests through which a request passes on the way to an adapter."""
_PREPARED: Final = requests.PreparedRequest
_preparing: Final = attrgetter(*(name for name in vars(_PREPARED) if name == "copy" or name.startswith("prepare")))
_PREPARING: Final = _written_in(models, _preparing(_PREPARED))


def prepares_plainly() -> bool:
    """Whether a request is prepared by the methods of requests alone."""
    return all(map(is_, _preparing(_PREPARED), _PREPARING))


_sessions: Final = vars(sessions)
(_NETRC,) = _written_in(utils, [_sessions["get_netrc_auth"]])


def asks_netrc_alone() -> bool:
    """Whether credentials that nobody has given come from a netrc alone; some programs put a keyring in its place."""
    return _sessions["get_netrc_auth"] is _NETRC
