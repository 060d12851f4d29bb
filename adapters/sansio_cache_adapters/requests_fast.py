"""The fast path of ``CachedSession``: a stored answer without what requests does for the network.

Of a hit most is requests itself: ``merge_environment_settings`` (proxies, CA bundle) and ``prepare_request``. The
first is needed only to send. The second can be remembered for a plain GET, as long as what it reads is the same.
Whatever is not provably the same takes the long way.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import requests
from requests.utils import NETRC_FILES

from sansio_cache.messages import Options, Request

from .blocking import BlockingCache
from .requests_adapter import core_request
from .requests_response import Facts, stored_response

if TYPE_CHECKING:
    from .requests_session import CachedSession

__all__ = ["FastPath"]

_KNOWN: Final = frozenset(
    {"params", "headers", "cookies", "auth", "timeout", "allow_redirects", "proxies", "stream", "verify", "cert"}
)
_REMEMBERED: Final = 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class FastPath:
    """Answers of one session that need no network."""

    def __init__(self, session: CachedSession, cache: BlockingCache) -> None:
        self._session = session
        self._cache = cache
        self._remembered: OrderedDict[object, tuple[object, requests.PreparedRequest, Request]] = OrderedDict()

    def answer(self, method: Any, url: Any, keywords: dict[str, Any], options: Options) -> requests.Response | None:
        """The response if a stored one answers; None to take the long way, nothing having happened."""
        started = time.perf_counter()
        if method not in ("GET", "get") or not _KNOWN.issuperset(keywords):
            return None
        session = self._session
        if session.hooks != {"response": []}:
            return None
        engine = self._cache.engine
        if engine.rules is None or engine.guard.down:
            return None
        found = self._prepared(url, keywords, options)
        if found is None:
            return None
        prepared, request = found
        answer = self._cache.stored_answer(request)
        if answer is None or (answer.status in _REDIRECTS and keywords.get("allow_redirects", True)):
            return None
        stream = keywords.get("stream")
        facts = Facts(answer, engine, prepared.copy, partial(session.get_adapter, prepared.url or ""), started)
        return stored_response(facts, stream=session.stream if stream is None else bool(stream))

    def _prepared(
        self, url: Any, keywords: dict[str, Any], options: Options
    ) -> tuple[requests.PreparedRequest, Request] | None:
        session = self._session
        verify = _merged_verify(session, keywords.get("verify"))
        cert = keywords.get("cert") or session.cert
        state = self._state(url, keywords, verify, cert)
        if state is not None:
            known = self._remembered.get(url)
            if known is not None and known[0] == state:
                request = known[2]
                if options is not request.options:
                    request = Request(request.method, request.url, request.headers, request.body, request.peer, options)
                return known[1], request
        arguments = {name: keywords.get(name) for name in ("headers", "params", "cookies", "auth")}
        try:
            prepared = session.prepare_request(requests.Request("GET", url, **arguments))
        except Exception:
            # Whatever is wrong with it is said by the long way, in the client's own order.
            return None
        if not isinstance(session.adapters.get("https://"), requests.adapters.BaseAdapter):
            return None
        request = core_request(prepared, verify, cert)
        if state is not None and _plain(prepared):
            self._remembered[url] = (state, prepared, request)
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return prepared, request

    def _state(self, url: Any, keywords: dict[str, Any], verify: object, cert: object) -> object | None:
        """All that preparing a plain GET reads, to be compared; None where it cannot be known."""
        session = self._session
        if type(url) is not str or session.auth or session.params or len(session.cookies._cookies):  # type: ignore[attr-defined]
            return None
        if any(keywords.get(name) for name in ("params", "cookies", "auth")):
            return None
        if session.trust_env and _has_netrc():
            return None
        headers = keywords.get("headers")
        given = None if not headers else tuple(headers.items()) if type(headers) is dict else ()
        if given == ():
            return None
        return (given, tuple(session.headers.items()), verify, cert)


def _plain(prepared: requests.PreparedRequest) -> bool:
    """Whether preparing added nothing that depends on more than its inputs (an auth callable's work, userinfo)."""
    return "Authorization" not in prepared.headers and prepared.body is None


_homes: dict[str, tuple[int, bool]] = {}


def _has_netrc() -> bool:
    """Whether requests would look into a netrc; asked of the folder's time, which a new file changes."""
    if "NETRC" in os.environ:
        return True
    home = os.environ.get("HOME")
    if home is None:
        return True
    try:
        changed = os.stat(home).st_mtime_ns
    except OSError:
        return False
    known = _homes.get(home)
    if known is None or known[0] != changed:
        there = any(os.path.exists(os.path.join(home, name)) for name in NETRC_FILES)
        known = _homes[home] = (changed, there)
    return known[1]


def _merged_verify(session: requests.Session, verify: object) -> object:
    """``verify`` as ``merge_environment_settings`` would merge it."""
    if session.trust_env and (verify is True or verify is None):
        verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or verify
    return session.verify if verify is None else verify
