"""The fast path of ``CachedSession``: a stored answer without what requests does for the network.

Of a hit most is requests itself: ``merge_environment_settings`` (proxies, CA bundle) and ``prepare_request``. The
first is needed only to send. The second can be remembered for a plain GET, as long as all that it reads is the same.
Whatever is not provably the same takes the long way, with the request that was prepared here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, Final

import requests
from requests.cookies import RequestsCookieJar
from requests.utils import NETRC_FILES

from sansio_cache.errors import CacheError
from sansio_cache.memo import Memo
from sansio_cache.messages import Options, Request
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.environment import watching
from sansio_cache_adapters.cache.keywords import overriding
from sansio_cache_adapters.cache.prepared import PREPARED_BYTES, bytes_of

from .adapter import CacheAdapter, core_request, items_of
from .bodies import BodyGone, is_a_miss
from .peers import Way, state_of_environment, state_of_files
from .response import CachedResponse, Facts, is_final, stored_response

__all__ = ["FastPath", "Prepared"]

_KNOWN: Final = frozenset(
    {"params", "headers", "cookies", "auth", "timeout", "allow_redirects", "proxies", "stream", "verify", "cert"}
)
_STEPS: Final = ("send", "prepare_request", "merge_environment_settings", "get_adapter")
"""What a hit passes over or takes for granted."""
_MOST_AUTHORITIES: Final = 256
_LONGEST_AUTHORITY: Final = 300
"""Of so many hosts, with names of so many characters, it is remembered which proxies there are to choose from."""
_REQUESTS: Final = requests.Session
_ORIGINAL: Final = (_REQUESTS.send, _REQUESTS.prepare_request, _REQUESTS.merge_environment_settings)


class Prepared:
    """A request that was prepared, as requests has it and as the core sees it.

    :ivar adapter: what it would go through; None where that is not ours.
    :ivar state: all that preparing it has read, or None where that is not known. With a state it is kept, so that the
        user gets copies of ``native``.
    """

    __slots__ = ("adapter", "native", "request", "state")

    def __init__(
        self, native: requests.PreparedRequest, request: Request, adapter: CacheAdapter | None, state: object
    ) -> None:
        self.native = native
        self.request = request
        self.adapter = adapter
        self.state = state

    def given_out(self) -> requests.PreparedRequest:
        return self.native if self.state is None else self.native.copy()

    def path(self) -> CacheAdapter | None:
        return self.adapter


class FastPath:
    """Answers of one session that need no network.

    It is told the session with each request and does not hold it, so that one that is dropped is gone at once.

    :param adapter_over: the cache above the adapter that a session has for a URL, or None.
    :param plain: what makes a session a cached one, without what subclasses and the classes behind it change.
    """

    def __init__(
        self,
        session: requests.Session,
        adapter_over: Callable[[Any, str], CacheAdapter | None],
        cache: BlockingCache,
        plain: type[requests.Session],
    ) -> None:
        self._alone = not overriding(type(session), plain, _REQUESTS, "request", *_STEPS)
        self._adapter_over = adapter_over
        self._cache = cache
        self._steps = (plain.send, *_ORIGINAL[1:], plain.get_adapter)
        self._remembered = Memo[str, Prepared](PREPARED_BYTES)
        self._chosen: dict[str, tuple[object, Any]] = {}

    def applies(self, session: requests.Session, method: Any, url: Any, keywords: dict[str, Any]) -> bool:
        """Whether a request is a GET that could be answered here, in a session that nobody has changed."""
        kind = type(session)
        return (
            self._alone
            and method in ("GET", "get")
            and type(url) is str
            and _KNOWN.issuperset(keywords)
            and session.hooks == {"response": []}
            and (kind.send, kind.prepare_request, kind.merge_environment_settings, kind.get_adapter) == self._steps
            and session.__dict__.keys().isdisjoint(_STEPS)
            # Who instruments requests wants to see hits too.
            and (_REQUESTS.send, _REQUESTS.prepare_request, _REQUESTS.merge_environment_settings) == _ORIGINAL
        )

    def look(
        self, session: requests.Session, url: str, keywords: dict[str, Any], options: Options
    ) -> CachedResponse | Prepared:
        """The response if a stored one answers; else the request as ``Session.request`` would prepare it.

        :raises Exception: what that raises.
        """
        started = time.perf_counter()
        prepared = self._prepared(session, url, keywords, options)
        response = self._stored(session, prepared, keywords, started)
        return prepared if response is None else response

    def _prepared(self, session: requests.Session, url: str, keywords: dict[str, Any], options: Options) -> Prepared:
        verify = cert = way = proxies = None
        if not url.startswith("http:"):
            # As merge_environment_settings merges them. Without TLS nobody asks.
            verify = _merged_verify(session, keywords.get("verify"))
            cert = session.cert if keywords.get("cert") is None else keywords["cert"]
            way = verify, cert, state_of_files(verify, cert)
        if not url.startswith("https:"):
            proxies = _said_of_proxies(session, keywords)
        said = way, proxies
        state = _state(session, keywords, said)
        if state is not None:
            known = self._remembered.get(url)
            if known is not None and known.state == state:
                return known if known.request.options is options else _with_options(known, options)
        fields: Any = keywords.get("headers")
        params: Any = keywords.get("params") or {}
        cookies, auth = keywords.get("cookies"), keywords.get("auth")
        native = session.prepare_request(
            requests.Request("GET", url, headers=fields, params=params, cookies=cookies, auth=auth)
        )
        try:
            adapter = self._adapter_over(session, native.url or "")
        except requests.exceptions.InvalidSchema:
            adapter = None  # sending says so
        if (way if native.url and not native.url.startswith("http:") else proxies) is None:
            adapter = None  # an auth callable has changed the scheme: what was merged is not what counts
        chosen = self._proxies(session, native.url or "", keywords, proxies)
        taken = Way(None, None, verify, cert, chosen) if adapter is None else adapter.way(verify, cert, chosen)
        prepared = Prepared(native, core_request(native, taken, options), adapter, None)
        if state is not None and adapter is not None and _plain(native):
            prepared.state = state
            self._remembered.put(url, prepared, bytes_of(prepared.request))
        return prepared

    def _proxies(self, session: requests.Session, url: str, keywords: dict[str, Any], said: object) -> Any:
        """The proxies that requests has to choose from: they see requests without TLS, and may answer by who asks."""
        if said is None or not url.startswith("http:"):
            return None
        # Which host it is decides, too (no_proxy). To work it out takes as long as all the rest of a hit.
        authority = url.split("/", 3)[2]
        known = self._chosen.get(authority)
        if known is None or known[0] != said:
            given: Any = keywords.get("proxies") or {}
            merged: Any = session.merge_environment_settings(url, given, None, None, None)
            known = said, merged["proxies"]
            if len(self._chosen) >= _MOST_AUTHORITIES:
                self._chosen.clear()
            if len(authority) <= _LONGEST_AUTHORITY:
                self._chosen[authority] = known
        return known[1]

    def _stored(
        self, session: requests.Session, prepared: Prepared, keywords: dict[str, Any], started: float
    ) -> CachedResponse | None:
        """The response if a stored one answers; None to go on, nothing having happened."""
        if prepared.adapter is None or any(prepared.native.hooks.values()):
            return None
        answer = self._cache.stored_answer(prepared.request, is_final)
        if answer is None:
            return None
        stream = keywords.get("stream")
        facts = Facts(answer, self._cache.engine, prepared.given_out, prepared.path, started)
        try:
            return stored_response(facts, stream=session.stream if stream is None else bool(stream))
        except (BodyGone, CacheError) as error:
            if is_a_miss(error, self._cache.engine.policy):
                return None
            raise

    def send(self, session: requests.Session, prepared: Prepared, keywords: dict[str, Any]) -> requests.Response:
        """The second half of ``Session.request``."""
        native = prepared.given_out()
        proxies: Any = keywords.get("proxies") or {}
        stream = keywords.get("stream")
        settings = session.merge_environment_settings(
            native.url or "", proxies, stream, keywords.get("verify"), keywords.get("cert")
        )
        timeout, follow = keywords.get("timeout"), keywords.get("allow_redirects", True)
        return session.send(native, timeout=timeout, allow_redirects=follow, **settings)


def _said_of_proxies(session: requests.Session, keywords: dict[str, Any]) -> object:
    given: Any = keywords.get("proxies")
    return (
        session.trust_env,
        [*session.proxies.items()],
        [*given.items()] if given else None,
        state_of_environment(),
    )


def _state(session: requests.Session, keywords: dict[str, Any], said: object) -> object | None:
    """All that preparing a plain GET reads beside its URL, to be compared; None where it cannot be known."""
    jar = session.cookies
    if session.auth or session.params or type(jar) is not RequestsCookieJar or jar._cookies:  # type: ignore[attr-defined]
        return None
    if keywords.get("params") or keywords.get("cookies") or keywords.get("auth"):
        return None
    if session.trust_env and _has_netrc():
        return None
    given: Any = keywords.get("headers")
    if given and type(given) is not dict:
        return None
    fields: list[tuple[object, object]] = [*given.items()] if given else []
    return (fields, tuple(items_of(session.headers)), said, tuple(session.adapters.items()))


def _with_options(known: Prepared, options: Options) -> Prepared:
    asked = known.request
    request = Request(asked.method, asked.url, asked.headers, asked.body, asked.peer, options)
    return Prepared(known.native, request, known.adapter, known.state)


def _plain(native: requests.PreparedRequest) -> bool:
    """Whether preparing added nothing that depends on more than its inputs (an auth callable's work, userinfo)."""
    return "Authorization" not in native.headers and native.body is None and not any(native.hooks.values())


_homes: dict[object, tuple[int, bool]] = {}
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


def _merged_verify(session: requests.Session, verify: object) -> object:
    """``verify`` as ``merge_environment_settings`` would merge it."""
    if session.trust_env and (verify is True or verify is None):
        verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or verify
    return session.verify if verify is None else verify
