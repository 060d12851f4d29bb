"""The fast path of ``TrioCachedSession``: a plain GET whose request need not be prepared anew.

The request that was made of a GET is remembered, and is used again as long as all that went into it is the same. Any
other request takes the long way.
"""

from __future__ import annotations

from dataclasses import replace
from http.cookiejar import CookieJar
from types import NoneType
from typing import Any, Final, cast

from msgspec.structs import replace as changed

from sansio_cache.memo import Memo
from sansio_cache.messages import NO_OPTIONS, Request
from sansio_cache_adapters.cache.keywords import overriding
from sansio_cache_adapters.cache.options import OPTIONS, take_options
from sansio_cache_adapters.cache.prepared import PREPARED_BYTES, bytes_of
from sansio_cache_adapters.trio.http.client import HTTPSession
from sansio_cache_adapters.trio.http.content import OutgoingRequest
from sansio_cache_adapters.trio.http.limits import Timeout
from sansio_cache_adapters.trio.http.sending import RequestOptions, with_cookies

__all__ = ["FastPath", "Ready"]

_KNOWN: Final = frozenset({"headers", "timeout", "follow_redirects", *OPTIONS})
_STEPS: Final = ("prepare", "hop", "respond")
"""Arguments that a hit ignores or takes for granted."""


class Ready:
    """A request that was prepared, as the client sends it and as the core sees it.

    :ivar outgoing: without what the jar adds.
    :ivar sent: with what the jar adds.
    :ivar asked: the same, as the core sees it.
    :ivar state: all that preparing it has read.
    """

    __slots__ = ("asked", "outgoing", "sent", "state")

    def __init__(self, outgoing: OutgoingRequest, sent: OutgoingRequest, asked: Request, state: object) -> None:
        self.outgoing = outgoing
        self.sent = sent
        self.asked = asked
        self.state = state


class FastPath:
    """The remembered requests of one session.

    It is told the session with each request and does not hold it, so that one that is dropped is gone at once.

    :param plain: the session's class without what users' classes change.
    """

    def __init__(self, session: HTTPSession, plain: type[HTTPSession]) -> None:
        self._remembered = Memo[str, Ready](PREPARED_BYTES)
        self._lately: Ready | None = None
        kind = type(session)
        alone = not overriding(kind, plain, HTTPSession, *_STEPS)
        self._is_plain = alone and all(getattr(kind, name) is getattr(plain, name) for name in _STEPS)

    def ready(self, session: Any, url: str, options: RequestOptions) -> Ready | None:
        """A GET with these options, prepared; None where it takes the long way.

        :raises Exception: what preparing it raises.
        """
        state = self._state(session, url, options)
        if state is None:
            return None
        known = self._remembered.get(url)
        if known is None or known.state != state or self._leads_elsewhere(session, known.asked):
            known = self._prepared(session, url, options, state)
        return self._with_options(session, known, options) if options else self._with_jar(session, known)

    def _leads_elsewhere(self, session: Any, asked: Request) -> bool:
        """Whether a URL leads to another peer by now: without TLS it never does."""
        return asked.url.startswith("https:") and bool(asked.peer != session._handler.peer_of(asked.url))

    def _state(self, session: Any, url: str, options: RequestOptions) -> object | None:
        """All that preparing a plain GET reads beside its URL, to be compared; None where it cannot be known."""
        if not self._is_plain or type(url) is not str or session.params:
            return None
        if not (_KNOWN.issuperset(options) and session.__dict__.keys().isdisjoint(_STEPS)):
            return None
        if type(options.get("follow_redirects", True)) is not bool:
            return None
        auth = session.auth
        given: Any = options.get("headers")
        # Only objects that cannot change are kept by reference and compared later.
        if type(auth) not in (NoneType, tuple) or type(given) not in (NoneType, dict):
            return None
        own: tuple[Any, ...] = tuple(given.items()) if given else ()
        return session.base_url, auth, session.timeout, tuple(session.headers.items()), own

    def _prepared(self, session: Any, url: str, options: RequestOptions, state: object) -> Ready:
        plain: RequestOptions = {"headers": options.get("headers")}
        outgoing: OutgoingRequest = session.prepare("GET", url, plain)
        asked: Request = session._handler.core_request(outgoing)
        lately = self._lately
        if lately is not None and lately.asked.headers == asked.headers:
            # Thousands are remembered, and their fields are mostly the same.
            asked.headers.items = lately.asked.headers.items
            if asked.headers.items == tuple(outgoing.headers):
                outgoing.headers[:] = asked.headers.items
            state = lately.state if lately.state == state else state
        self._lately = ready = Ready(outgoing, outgoing, asked, state)
        self._remembered.put(url, ready, bytes_of(ready.asked))
        return ready

    def _with_options(self, session: Any, known: Ready, options: RequestOptions) -> Ready:
        keywords = cast("dict[str, Any]", dict(options))
        taken = take_options(keywords)
        outgoing = known.outgoing
        if "timeout" in options:
            outgoing = replace(outgoing, timeout=Timeout.of(options["timeout"]))
        asked = known.asked if taken is NO_OPTIONS else changed(known.asked, options=taken)
        return self._with_jar(session, Ready(outgoing, outgoing, asked, known.state))

    def _with_jar(self, session: Any, known: Ready) -> Ready:
        jar: Any = session.cookies
        # To iterate over an empty jar takes as long as half of the rest.
        if type(jar) is CookieJar and not jar._cookies:  # type: ignore[attr-defined]
            return known
        sent = with_cookies(session, known.outgoing)
        if sent is known.outgoing:
            return known
        asked = changed(session._handler.core_request(sent), options=known.asked.options)
        return Ready(known.outgoing, sent, asked, known.state)
