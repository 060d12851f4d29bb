"""A plain GET prepared as requests prepares it, and all that this reads.

Preparing is a third of what requests does for a request. Its result depends on its inputs alone, but for credentials,
which come last: they may be callables with a counter or a clock.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any, Final

import requests
from requests.cookies import RequestsCookieJar
from requests.hooks import default_hooks
from requests.utils import NETRC_FILES

from sansio_cache_adapters.cache.environment import watching

from .common import items_of
from .peers import state_of_environment
from .plain import asks_netrc_alone

__all__ = [
    "auth_of",
    "is_plain",
    "merged_verify",
    "prepared_anew",
    "prepared_like",
    "said_of_proxies",
    "state_of",
]


def auth_of(session: requests.Session, keywords: dict[str, Any]) -> Any:
    """The credentials of a request."""
    given = keywords.get("auth")
    return session.auth if given is None else given


def prepared_anew(session: requests.Session, url: str, keywords: dict[str, Any]) -> requests.PreparedRequest:
    """The request that ``Session.request`` would make."""
    fields: Any = keywords.get("headers")
    params: Any = keywords.get("params") or {}
    cookies, auth = keywords.get("cookies"), keywords.get("auth")
    return session.prepare_request(
        requests.Request("GET", url, headers=fields, params=params, cookies=cookies, auth=auth)
    )


def prepared_like(last: requests.PreparedRequest, url: str) -> requests.PreparedRequest:
    """The result of :func:`prepared_anew` for another URL; its fields and its empty jar are those of the last."""
    prepared = requests.PreparedRequest.__new__(requests.PreparedRequest)
    vars(prepared).update({**vars(last), "hooks": default_hooks(), "url": url})
    root = url[: url.find("/", 8) + 1]
    if not (root and (last.url or "").startswith(root) and _AS_IT_IS.fullmatch(url, len(root))):
        native: Any = prepared
        native.prepare_url(url, {})
    return prepared


_AS_IT_IS: Final = re.compile(r"(?:[\w~-][\w.~-]*(?:/[\w~-][\w.~-]*)*/?)?(?:\?[\w.~&=-]+)?", re.ASCII)
"""The part after the first slash of a URL that preparing does not change: no dot segments, nothing to quote."""


def said_of_proxies(session: requests.Session, keywords: dict[str, Any]) -> object:
    """All that requests chooses proxies from, to be compared."""
    given: Any = keywords.get("proxies")
    return (
        session.trust_env,
        [*session.proxies.items()],
        [*given.items()] if given else None,
        state_of_environment(),
    )


def state_of(session: requests.Session, keywords: dict[str, Any], said: object, auth: object) -> object | None:
    """All that preparing a plain GET reads beside its URL, to be compared; None where it cannot be known.

    :param auth: the credentials; those that are true are added last, and are no part of it.
    """
    jar = session.cookies
    if session.params or type(jar) is not RequestsCookieJar or jar._cookies:  # type: ignore[attr-defined]
        return None
    if keywords.get("params") or keywords.get("cookies"):
        return None
    if not auth and (auth is not None or (session.trust_env and (_has_netrc() or not asks_netrc_alone()))):
        return None
    given: Any = keywords.get("headers")
    if given and type(given) is not dict:
        return None
    fields: list[tuple[object, object]] = [*given.items()] if given else []
    return (fields, tuple(items_of(session.headers)), said, tuple(session.adapters.items()), bool(auth))


def is_plain(native: requests.PreparedRequest) -> bool:
    """Whether preparing added nothing that depends on more than its inputs (an auth callable's work, userinfo)."""
    return "Authorization" not in native.headers and native.body is None and not any(native.hooks.values())


_homes: dict[object, tuple[int, bool]] = {}
"""Shared by threads without a lock: at worst two look at one folder."""
_said_of_netrc: Final = watching("HOME", "NETRC")
_SETTLED: Final = 2_000_000_000
"""Nanoseconds after which a folder's time would show another change: file systems count it in coarse ticks."""


def _has_netrc() -> bool:
    """Whether requests would look into a netrc; asked of the folder's time, which a new file changes."""
    kept, named = _said_of_netrc()
    if not kept or named is not None:
        return True
    home: Any = kept  # as the system has it
    try:
        changed = os.stat(home).st_mtime_ns
    except OSError:
        return False
    known = _homes.get(kept)
    if known is not None and known[0] == changed:
        return known[1]
    # lexists: what a dangling link points to may be made without a change of this folder.
    there = any(os.path.lexists(os.path.join(os.fsdecode(home), name)) for name in NETRC_FILES)
    if time.time_ns() - changed > _SETTLED:
        _homes[kept] = (changed, there)
    return there


def merged_verify(session: requests.Session, verify: object) -> object:
    """``verify`` as ``merge_environment_settings`` would merge it."""
    if session.trust_env and (verify is True or verify is None):
        verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or verify
    return session.verify if verify is None else verify
