"""How a session of trio handles its requests: all that it needs from its block on."""

from __future__ import annotations

import ssl
import time
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

from anyio.lowlevel import checkpoint

from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused
from sansio_cache.errors import CacheError
from sansio_cache.messages import NO_OPTIONS, REDIRECTS, Headers, Options, Request
from sansio_cache_adapters.cache.asynchronous import AsyncCache, Look
from sansio_cache_adapters.cache.connection_auth import authenticated
from sansio_cache_adapters.cache.engine import CLOSE_SECONDS
from sansio_cache_adapters.cache.options import take_options
from sansio_cache_adapters.cache.peers import described, part
from sansio_cache_adapters.cache.stored_body import may_fetch_anew
from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses
from sansio_cache_adapters.cache.switches import is_off
from sansio_cache_adapters.cache.tls import of_context, system_authorities, trusting
from sansio_cache_adapters.trio.http.content import OutgoingRequest
from sansio_cache_adapters.trio.http.errors import SessionClosed
from sansio_cache_adapters.trio.http.hop import Hop
from sansio_cache_adapters.trio.http.sending import RequestOptions, followed, sent, whole, with_cookies

from .bodies import HopTransfer, StoredBodyGone, cached_hop, stored_hop
from .fast_path import FastPath, Ready
from .keywords import CachedOptions
from .lookup import given_response, request_maker
from .response import CachedTrioResponse

__all__ = ["Handler"]

_OPTIONS: Final = "sansio-cache"
_PAUSED: Final = "sansio-cache paused"


class Handler:
    """Handles the requests of one session.

    It is told the session with each request and does not hold it, so that one that is dropped is gone at once.

    :param peer: names whom the session talks to, and as whom, or None.
    :param verified_by: what TLS is verified by: a context, or whether the system's authorities are asked.
    :param kind: the class of the session that is its cache; what those behind it do is asked of them.
    """

    close_seconds = CLOSE_SECONDS
    response_class = CachedTrioResponse
    option_names = sorted(CachedOptions.__optional_keys__)

    def __init__(
        self, session: Any, cache: AsyncCache, peer: str | None, verified_by: ssl.SSLContext | bool, kind: type[Any]
    ) -> None:
        self._cache = cache
        self._kind = kind
        self.peer_of = partial(_peer_of, part("named", peer), verified_by)
        self.fast = FastPath(session, kind)

    def stored(self, session: Any) -> AsyncStoredResponses:
        """The ``session.cache``: finds, deletes, verifies and counts stored responses."""

        def prepared(method: str, url: str, keywords: dict[str, Any]) -> OutgoingRequest:
            return with_cookies(session, session.prepare(method, url, keywords))

        return AsyncStoredResponses(self._cache, request_maker(prepared, self.core_request), given_response)

    def _behind(self, session: Any) -> Any:
        """The session, as the classes behind its cache have it."""
        return cast(Any, super(self._kind, session))

    def prepare(self, session: Any, method: str, url: str, options: RequestOptions) -> OutgoingRequest:
        """The first hop of a request; takes the cache's own keywords out."""
        keywords = cast("dict[str, Any]", dict(options))
        taken = take_options(keywords)
        prepared: OutgoingRequest = self._behind(session).prepare(method, url, keywords)
        return prepared if taken is NO_OPTIONS else replace(prepared, extra={_OPTIONS: taken})

    async def hop(self, session: Any, request: OutgoingRequest) -> Hop:
        """The answer to one request, stored or from the network."""
        behind = self._behind(session).hop
        if is_off(session):
            authenticated.sends(session.pool, self.core_request(request))
            passed: Hop = await behind(request)
            return passed
        if session._group is None:
            raise SessionClosed("use the session in its block: async with TrioCachedSession(…) as session")
        before: _PausedRequest | None = request.extra.get(_PAUSED)
        if before is not None and before.goes_with(request):
            asked, found = before.asked, before.take()
        else:
            asked = self.core_request(request)
            found = await _found(self._cache.look(asked))
        if isinstance(found, Answer):
            self._cache.engine.answered(asked, found)
            await checkpoint()
            return stored_hop(self._cache.engine, found)
        transfer = HopTransfer(request, behind, session.pool)
        delivered = await self._cache.answering(asked, transfer, found)
        answer, response, tee = delivered
        return await cached_hop(self._cache.engine, answer, response, tee)

    def core_request(self, request: OutgoingRequest) -> Request:
        """A request as the core sees it."""
        options: Options = request.extra.get(_OPTIONS, NO_OPTIONS)
        body = request.body if isinstance(request.body, bytes) else None
        return Request(request.method, request.url, Headers(request.headers), body, self.peer_of(request.url), options)

    async def request(self, session: Any, method: str, url: str, options: CachedOptions) -> CachedTrioResponse:
        """The response to a request, its body read."""
        response: CachedTrioResponse = await self._unread(session, method, url, options)
        try:
            await whole(response)
        except (StoredBodyGone, CacheError) as error:
            # Its record is dropped by now: the next look finds another, or asks the origin. What led here is not asked
            # twice, and content that can be read only once may have been read.
            if not (isinstance(error, StoredBodyGone) or may_fetch_anew(error, self._cache.engine.policy)):
                raise
            if response.history or not isinstance(response.request.body, bytes):
                raise
            response = await self._unread(session, method, url, options)
            await whole(response)
        return response

    async def _unread(self, session: Any, method: str, url: str, options: CachedOptions) -> Any:
        """The response to a request, its body still to come."""
        ready = None
        if method == "GET" and session._group is not None and not is_off(session):
            ready = self.fast.ready(session, url, options)
        if ready is None:
            return await followed(session, method, url, options)
        follow = options.get("follow_redirects", session.follow_redirects)
        started = time.perf_counter()
        found = self._cache.look(ready.asked)
        if not isinstance(found, Answer):
            found = await _found(found)
        if not isinstance(found, Answer) or (follow and found.status in REDIRECTS):
            extra = {_OPTIONS: ready.asked.options, _PAUSED: _PausedRequest(ready, found)}
            return await sent(session, replace(ready.outgoing, extra=extra), follow=follow)
        self._cache.engine.answered(ready.asked, found)
        hop = stored_hop(self._cache.engine, found)
        # As respond does it: in a session that has one of its own nothing is ready.
        return CachedTrioResponse(hop, ready.sent, elapsed=time.perf_counter() - started)


async def _found(look: Look) -> Answer | Paused[Answer] | None:
    return look if look is None or isinstance(look, Answer | Paused) else await look


def _peer_of(named: str, verified_by: ssl.SSLContext | bool, url: str) -> str:
    """A description of the session's peer where it is not the default; it is part of the key."""
    if not url.startswith("https:"):
        return named
    if isinstance(verified_by, ssl.SSLContext):
        parts = of_context(verified_by, named=bool(named))
    else:
        parts = [trusting(system_authorities()) if verified_by else "unverified"]
    return described([named, *parts])


class _PausedRequest:
    """A request that was looked for and goes on, with as much of its exchange as is done."""

    __slots__ = ("_body", "_found", "asked")

    def __init__(self, ready: Ready, found: Answer | Paused[Answer] | None) -> None:
        self.asked = ready.asked
        self._body = ready.outgoing.body
        self._found = found

    def goes_with(self, request: OutgoingRequest) -> bool:
        """Whether it is this one that is being sent: the jar, or a class of the user's, may have changed it."""
        asked = self.asked
        return (
            (request.method, request.url) == (asked.method, asked.url)
            and request.body is self._body
            and request.headers == list(asked.headers.items)
        )

    def take(self) -> Answer | Paused[Answer] | None:
        """The exchange that began; it can be resumed once."""
        found, self._found = self._found, None
        return found
