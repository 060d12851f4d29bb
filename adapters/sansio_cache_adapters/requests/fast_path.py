"""The fast path of ``CachedSession``: a stored answer without what requests does for the network.

Most of a hit is requests itself: ``merge_environment_settings`` (proxies, CA bundle) and ``prepare_request``. The
first is needed only to send. The second can be remembered for a plain GET, as long as all that it reads is the same.
Any other request takes the long way, with the request that was prepared here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, NamedTuple

import requests

from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused
from sansio_cache.errors import CacheError
from sansio_cache.memo import Memo
from sansio_cache.messages import REDIRECTS, Options, Request
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.keywords import overriding
from sansio_cache_adapters.cache.prepared import PREPARED_BYTES, bytes_of

from .adapter import CacheAdapter
from .bodies import BodyGone, is_a_miss
from .common import core_request
from .following import copied, followed, sends_plainly
from .paused import PausedRequest, paused_request
from .peers import Way, only_the_environment_names_proxies, state_of_files
from .plain import METHODS, PLAIN, prepares_plainly
from .preparing import (
    auth_of,
    is_plain,
    merged_verify,
    prepared_anew,
    prepared_like,
    said_of_proxies,
    state_of,
)
from .response import AnswerFacts, CachedResponse, stored_response

__all__ = ["FastPath", "Going"]

_KNOWN: Final = frozenset(
    {"params", "headers", "cookies", "auth", "timeout", "allow_redirects", "proxies", "stream", "verify", "cert"}
)
"""Arguments that a hit ignores or takes for granted."""
_STEPS: Final = ("send", "prepare_request", "merge_environment_settings", "get_adapter")
_REQUEST, _SEND, _PREPARE, _MERGE = METHODS
"""Compared by ``is``: wrappers equal what they wrap."""
_MOST_AUTHORITIES: Final = 256
_LONGEST_AUTHORITY: Final = 300
"""Of so many hosts, with names of so many characters, it is remembered which proxies there are to choose from."""


class Prepared:
    """A request that was prepared, as requests has it and as the core sees it.

    :ivar adapter: the adapter that it would go through; None where that is not ours.
    :ivar state: all that preparing it has read, or None where that is not known. With a state it is kept, so that the
        user gets copies of ``native``.
    :ivar way: verify and cert of a request with TLS, the proxies of one without: those that it was looked for with.
    """

    __slots__ = ("adapter", "native", "request", "state", "way")

    def __init__(
        self,
        native: requests.PreparedRequest,
        request: Request,
        adapter: CacheAdapter | None,
        state: object,
        way: tuple[Any, Any, Any],
    ) -> None:
        self.native = native
        self.request = request
        self.adapter = adapter
        self.state = state
        self.way = way

    def sharing(self, other: Prepared | None) -> Prepared:
        """Itself, with the parts of another that are the same: thousands are remembered, and copies given out."""
        if other is not None and other.request.headers.items == self.request.headers.items:
            ours, theirs = vars(self.native), vars(other.native)
            mine = ours["headers"]
            if mine is not theirs["headers"] and [*mine.items()] == [*other.native.headers.items()]:
                ours["headers"] = theirs["headers"]
            # Empty: with cookies or hooks nothing is remembered.
            ours["_cookies"], ours["hooks"] = theirs["_cookies"], theirs["hooks"]
            self.request.headers.items = other.request.headers.items
            if self.state == other.state:
                self.state = other.state
            if self.way == other.way:
                self.way = other.way
        return self

    def given_out(self) -> requests.PreparedRequest:
        return self.native if self.state is None else copied(self.native)

    def path(self) -> CacheAdapter | None:
        return self.adapter

    def goes_directly_with(self, adapter: CacheAdapter | None, said: object, proxies: object) -> bool:
        """Whether a request without TLS and proxies goes as this one, which is one too: then its peer is the same."""
        return self.adapter is adapter and said is not None and not proxies and not self.way[2]

    def request_for(self, url: str, options: Options) -> Request:
        """The same request for another URL at the same peer."""
        asked = self.request
        return Request(asked.method, url, asked.headers.again(), asked.body, asked.peer, options)

    def goes_with(self, settings: dict[str, Any]) -> bool:
        """Whether it is sent as it was looked for, with these arguments of ``send``."""
        verify, cert, proxies = self.way
        if proxies is not None:
            return bool(settings["proxies"] == proxies)
        return bool(settings["verify"] == verify and settings["cert"] == cert)


class Going(NamedTuple):
    """A request that no stored response answers at once, and what the look into the store has begun."""

    prepared: Prepared
    begun: Answer | Paused[Answer] | None


class _Way(NamedTuple):
    """What a request would be sent with, as far as it counts before it is prepared.

    :ivar tls: verify, cert and the state of their files, where there may be TLS.
    :ivar said: all that is said of proxies, where there may be none.
    """

    verify: Any
    cert: Any
    tls: tuple[Any, ...] | None
    said: object


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
        self._alone = not overriding(type(session), plain, PLAIN, "request", *_STEPS)
        self._adapter_over = adapter_over
        self._cache = cache
        self._send, self._get_adapter = plain.send, plain.get_adapter
        self._remembered = Memo[str, Prepared](PREPARED_BYTES)
        self._lately: Prepared | None = None
        self._chosen: dict[str, tuple[object, Any]] = {}

    def applies(self, session: requests.Session, method: Any, url: Any, keywords: dict[str, Any]) -> bool:
        """Whether a request is a GET that could be answered here, in a session that was not changed."""
        kind = type(session)
        return (
            self._alone
            and method in ("GET", "get")
            and type(url) is str
            and _KNOWN.issuperset(keywords)
            and session.hooks == {"response": []}
            and kind.send is self._send
            and kind.get_adapter is self._get_adapter
            and kind.prepare_request is PLAIN.prepare_request is _PREPARE
            and kind.merge_environment_settings is PLAIN.merge_environment_settings is _MERGE
            and session.__dict__.keys().isdisjoint(_STEPS)
            # Tools that instrument requests want to see hits too, and some give each request a timeout.
            and PLAIN.request is _REQUEST
            and PLAIN.send is _SEND
        )

    def look(
        self, session: requests.Session, url: str, keywords: dict[str, Any], options: Options
    ) -> CachedResponse | Going:
        """The response if a stored one answers; else the request as ``Session.request`` would prepare it.

        :raises Exception: what that raises.
        """
        started = time.perf_counter()
        prepared = self._prepared(session, url, keywords, options)
        if prepared.adapter is None or any(prepared.native.hooks.values()):
            return Going(prepared, None)
        found = self._cache.look(prepared.request)
        if not isinstance(found, Answer) or found.status in REDIRECTS:
            return Going(prepared, found)
        response = self._stored(session, prepared, keywords, found, started)
        return Going(prepared, None) if response is None else response

    def _prepared(self, session: requests.Session, url: str, keywords: dict[str, Any], options: Options) -> Prepared:
        way = _way(session, url, keywords)
        auth = auth_of(session, keywords)
        state = state_of(session, keywords, (way.tls, way.said), auth)
        if not auth:
            return self._as_it_is(session, url, keywords, options, way, state)
        if state is None or not prepares_plainly():
            return self._as_it_is(session, url, keywords, options, way, None)
        # Credentials come last. What they do is not known beforehand, the rest may be.
        native = self._as_it_is(session, url, {**keywords, "auth": _nobody}, options, way, state).given_out()
        preparing: Any = native
        preparing.prepare_auth(auth, url)
        return self._seen(session, native, keywords, options, way)

    def _as_it_is(
        self,
        session: requests.Session,
        url: str,
        keywords: dict[str, Any],
        options: Options,
        way: _Way,
        state: object,
    ) -> Prepared:
        """A request that is remembered, or prepared now and remembered if it has a state."""
        if state is not None:
            known = self._remembered.get(url)
            if known is not None and known.state == state:
                return known if known.request.options is options else _with_options(known, options)
        last = self._lately if state is not None and self._differs_by_url(url, state) else None
        native = prepared_anew(session, url, keywords) if last is None else prepared_like(last.native, url)
        prepared = self._seen(session, native, keywords, options, way, last)
        if state is not None and prepared.adapter is not None and (last is not None or is_plain(native)):
            # Equal, and to compare what is one object is quick.
            prepared.state = state if last is None else last.state
            self._lately = prepared.sharing(self._lately)
            self._remembered.put(url, prepared, bytes_of(prepared.request))
        elif last is not None:
            prepared.native = native.copy()  # it shares parts with remembered requests
        return prepared

    def _seen(
        self,
        session: requests.Session,
        native: requests.PreparedRequest,
        keywords: dict[str, Any],
        options: Options,
        way: _Way,
        last: Prepared | None = None,
    ) -> Prepared:
        """A prepared request with its adapter, and as the core sees it.

        :param last: one that differs by its URL alone.
        """
        try:
            adapter = self._adapter_over(session, native.url or "")
        except requests.exceptions.InvalidSchema:
            adapter = None  # sending says so
        if (way.tls if native.url and not native.url.startswith("http:") else way.said) is None:
            adapter = None  # an auth callable has changed the scheme: the merged settings do not count
        chosen = None
        if way.said is not None and native.url and native.url.startswith("http:"):
            # They see requests without TLS, and may answer by who asks.
            chosen = self._proxies(session, native.url, keywords, way.said)
        if last is not None and last.goes_directly_with(adapter, way.said, chosen):
            request = last.request_for(native.url or "", options)
        else:
            verify, cert = way.verify, way.cert
            taken = Way(None, None, verify, cert, chosen) if adapter is None else adapter.way(verify, cert, chosen)
            request = core_request(native, taken, options, None if last is None else last.request.headers.again())
        return Prepared(native, request, adapter, None, (way.verify, way.cert, chosen))

    def _differs_by_url(self, url: str, state: object) -> bool:
        """Whether a request differs from the last one by its URL alone, which says nothing of who asks."""
        last = self._lately
        return (
            last is not None
            and last.state == state
            and url.startswith(("http://", "https://"))
            and "@" not in url
            and prepares_plainly()
        )

    def _proxies(self, session: requests.Session, url: str, keywords: dict[str, Any], said: object) -> Any:
        """The proxies that requests has to choose from."""
        # Which host it is decides, too (no_proxy). To work it out takes as long as all the rest of a hit.
        authority = url[: url.find("/", 8)]
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
        self,
        session: requests.Session,
        prepared: Prepared,
        keywords: dict[str, Any],
        answer: Answer,
        started: float,
    ) -> CachedResponse | None:
        """The response of an answer; None where its body is gone, and so is its record."""
        self._cache.engine.answered(prepared.request, answer)
        stream = keywords.get("stream")
        facts = AnswerFacts(answer, self._cache.engine, prepared.given_out, prepared.path, started)
        try:
            return stored_response(facts, stream=session.stream if stream is None else bool(stream))
        except (BodyGone, CacheError) as error:
            if is_a_miss(error, self._cache.engine.policy):
                return None
            raise

    def send(self, session: requests.Session, going: Going, keywords: dict[str, Any]) -> requests.Response:
        """The second half of ``Session.request``."""
        prepared, adapter = going.prepared, going.prepared.adapter
        native = prepared.given_out()
        settings = self._merged(session, prepared, keywords)
        settings["timeout"] = keywords.get("timeout")
        follow = keywords.get("allow_redirects", True)
        as_looked = prepared.goes_with(settings)
        if as_looked and adapter is not None and sends_plainly(session, native):
            started = time.perf_counter()
            response = adapter.go_on(native, prepared.request, going.begun, settings)
            response.elapsed = timedelta(seconds=time.perf_counter() - started)
            return followed(session, native, response, settings, follow=follow)
        token = paused_request.set(PausedRequest(prepared.request, going.begun, adapter) if as_looked else None)
        try:
            return session.send(native, allow_redirects=follow, **settings)
        finally:
            paused_request.reset(token)

    def _merged(self, session: requests.Session, prepared: Prepared, keywords: dict[str, Any]) -> dict[str, Any]:
        """The result of ``merge_environment_settings``.

        Which proxies there are is the work of that: it takes longer than to make the request, connection and all.
        """
        url, proxies = prepared.native.url or "", prepared.way[2]
        given: Any = keywords.get("proxies") or {}
        stream, verify, cert = keywords.get("stream"), keywords.get("verify"), keywords.get("cert")
        if not url.startswith(("http://", "https://")) or not only_the_environment_names_proxies():
            return {**session.merge_environment_settings(url, given, stream, verify, cert)}
        if proxies is None:  # with TLS they were not needed
            proxies = self._proxies(session, url, keywords, said_of_proxies(session, keywords))
        return {
            # A sender may change what it gets.
            "proxies": proxies.copy(),
            "stream": session.stream if stream is None else stream,
            "verify": merged_verify(session, verify),
            "cert": session.cert if cert is None else cert,
        }


def _way(session: requests.Session, url: str, keywords: dict[str, Any]) -> _Way:
    verify = cert = tls = said = None
    if not url.startswith("http:"):
        # As merge_environment_settings merges them. Without TLS they are not used.
        verify = merged_verify(session, keywords.get("verify"))
        cert = session.cert if keywords.get("cert") is None else keywords["cert"]
        tls = verify, cert, state_of_files(verify, cert)
    if not url.startswith("https:"):
        said = said_of_proxies(session, keywords)
    return _Way(verify, cert, tls, said)


def _nobody(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """Credentials that add nothing."""
    return prepared


def _with_options(known: Prepared, options: Options) -> Prepared:
    asked = known.request
    request = Request(asked.method, asked.url, asked.headers, asked.body, asked.peer, options)
    return Prepared(known.native, request, known.adapter, known.state, known.way)
