"""``TrioCachedSession``: a cached HTTP/1.1 client for nurseries, on trio and, through anyio, on asyncio."""

# Its verbs take more keywords than those they override, which pyright counts as an incompatible TypedDict.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Never, Self, Unpack, cast

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused
from sansio_cache.errors import CacheError
from sansio_cache.messages import NO_OPTIONS, Headers, Options, Request
from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey
from sansio_cache_adapters.cache.asynchronous import AsyncCache
from sansio_cache_adapters.cache.connection_auth import authenticated
from sansio_cache_adapters.cache.decoding import default_accept_encoding
from sansio_cache_adapters.cache.engine import CLOSE_SECONDS
from sansio_cache_adapters.cache.events import Event
from sansio_cache_adapters.cache.keywords import FixedSettings, handing_on, refuse_more
from sansio_cache_adapters.cache.opening import CacheLocation, awaitable, probing, resolve
from sansio_cache_adapters.cache.options import CacheOptions, take_options
from sansio_cache_adapters.cache.peers import described, part
from sansio_cache_adapters.cache.setup import checked_name, split_policy
from sansio_cache_adapters.cache.stored_body import may_fetch_anew
from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses
from sansio_cache_adapters.cache.switches import Block, is_off, switched_off
from sansio_cache_adapters.cache.tls import of_context, system_authorities, trusting
from sansio_cache_adapters.stores.forking import cut_off, follow_forks
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven
from sansio_cache_adapters.trio.http.client import Hop, HTTPSession, OutgoingRequest, RequestOptions, Response
from sansio_cache_adapters.trio.http.errors import SessionClosed
from sansio_cache_adapters.trio.http.redirects import REDIRECTS

from .asked import asking, taken
from .bodies import BodyGone, HopTransfer, cached_hop, stored_hop
from .fast_path import FastPath, Ready
from .keywords import SessionOptions
from .response import CachedTrioResponse

__all__ = ["CachedOptions", "CachedTrioResponse", "TrioCachedSession"]

_ADVICE = "it takes the settings of Policy and those of HTTPSession; proxies, HTTP/2 and SOCKS are httpx2's"
_MOST_JOBS = 64
_OPTIONS = "sansio-cache"
_LOOKED = "sansio-cache looked"


class CachedOptions(RequestOptions, CacheOptions, total=False):
    """What one request may say, to the client and to the cache."""


class TrioCachedSession(FixedSettings, HTTPSession):
    """A client with a cache, for one ``async with``; background validation runs in the session's own task group.

    :param cache: a path or a store; left out, ``default.sqlite`` in the user's cache folder.
    :param secret_key: signs what is stored: str, bytes or a list of them, oldest first.
    :param policy: the settings (:class:`~sansio_cache.policy.Policy`), or each of them as a keyword.
    :param on_event: is told every decision (:class:`~sansio_cache_adapters.cache.events.Event`).
    :param peer: names whom the session talks to, and as whom: what differs in it shares no entries. Without one, what
        came through a TLS context that would show a client certificate is kept for that context alone.
    :param clock: POSIX seconds; for tests.
    :param keywords: the settings, and those of :class:`~sansio_cache_adapters.trio.http.client.HTTPSession`.
    :raises SettingError: for a setting of wrong type or value.
    :raises KeyRequired: on ``async with``: the store is signed, and no secret was given.
    """

    _options = sorted(CachedOptions.__optional_keys__)

    def __init__(
        self,
        *more: Never,
        cache: CacheLocation = None,
        secret_key: SecretKey | Ungiven = UNGIVEN,
        policy: Policy | None = None,
        on_event: Callable[[Event], object] | None = None,
        peer: str | None = None,
        clock: Callable[[], float] = time.time,
        **keywords: Unpack[SessionOptions],
    ) -> None:
        refuse_more(type(self).__name__, more, "nothing")
        given: dict[str, Any] = {**keywords}
        policy = split_policy(given, policy)
        with handing_on(self, TrioCachedSession, given, _ADVICE):
            super().__init__(**given)
        store, sealer = resolve(cache, secret_key)
        async_store, blocking = awaitable(store)
        self._given_store = store if store is cache else None
        self._cache = AsyncCache(
            policy,
            async_store,
            sealer,
            probe=probing(blocking, sealer),
            spawn=self._spawn,
            on_event=on_event,
            clock=clock,
            undecodable=frozenset({"br", "zstd"}) - frozenset(default_accept_encoding().split(", ")),
        )
        self._peer = part("named", checked_name(peer))
        self._verified_by: ssl.SSLContext | bool = given.get("ssl_context") or given.get("verify") is not False
        self._fast = FastPath[TrioCachedSession](
            self,
            TrioCachedSession,
            TrioCachedSession._core_request,
            TrioCachedSession._with_cookies,
            TrioCachedSession._peer_of,
        )
        self._jobs: dict[object, anyio.Event] = {}
        self._group: TaskGroup | None = None
        self._entered = False
        follow_forks(self)
        self._made = True

    def before_fork(self) -> None:
        """Nothing: the parent keeps its connections."""

    def after_fork(self, *, child: bool) -> None:
        """In the child, give up the connections that were opened before it."""
        if child:
            cut_off(each.fileno() for each in self.pool.forsake())

    @property
    def cache(self) -> AsyncStoredResponses:
        """What looks after the cache."""
        return AsyncStoredResponses(self._cache, asking(self._prepared, self._core_request), taken)

    def _prepared(self, method: str, url: str, keywords: dict[str, Any]) -> OutgoingRequest:
        return self._with_cookies(self.prepare(method, url, cast("RequestOptions", keywords)))

    @property
    def policy(self) -> Policy:
        """The session's settings."""
        return self._cache.engine.policy

    async def __aenter__(self) -> Self:
        if self._entered:
            raise SessionClosed("a session has one block, and this one has had it: make another session")
        await self._cache.open()
        self._entered = True
        group = anyio.create_task_group()
        await group.__aenter__()
        self._group = group
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The error that leaves the block is not shown to the task group: it would come out as a group of one.
        try:
            if error is None:
                await self._jobs_done(CLOSE_SECONDS)
        finally:
            # Each step also where the one before was cancelled.
            try:
                await self._end_jobs()
            finally:
                await self.aclose()

    async def aclose(self) -> None:
        """Close every connection and write what is queued for the store; idempotent."""
        try:
            await super().aclose()
        finally:
            if self._given_store is None:
                await self._cache.close()
            else:
                await self._cache.flush()

    async def _end_jobs(self) -> None:
        group, self._group = self._group, None
        if group is not None:
            group.cancel_scope.cancel()
            await group.__aexit__(None, None, None)

    async def _jobs_done(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            for done in list(self._jobs.values()):
                await done.wait()

    def _spawn(self, key: object, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self._group is not None and key not in self._jobs and len(self._jobs) < _MOST_JOBS:
            self._jobs[key] = anyio.Event()
            self._group.start_soon(self._run_job, key, job)

    async def _run_job(self, key: object, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await job()
        finally:
            self._jobs.pop(key).set()

    def disabled(self) -> Block:
        """Bypass the cache within a block of ``with`` or ``async with``; other tasks are not touched."""
        return switched_off(self)

    def prepare(self, method: str, url: str, options: RequestOptions) -> OutgoingRequest:
        """The first hop of a request; takes the cache's own keywords out.

        :raises SettingError: for one of wrong type or value.
        """
        keywords = cast("dict[str, Any]", dict(options))
        taken = take_options(keywords)
        prepared = super().prepare(method, url, cast("RequestOptions", keywords))
        return prepared if taken is NO_OPTIONS else replace(prepared, extra={_OPTIONS: taken})

    async def hop(self, request: OutgoingRequest) -> Hop:
        """The answer to one request, stored or from the network.

        :raises BadSignature: see ``docs/topics/security.md``.
        :raises NotCached: ``offline``, and nothing stored answers.
        :raises TransportError: as without a cache.
        """
        if is_off(self):
            authenticated.sends(self.pool, self._core_request(request))
            return await super().hop(request)
        if self._group is None:
            raise SessionClosed("use the session in its block: async with TrioCachedSession(…) as session")
        before: _Looked | None = request.extra.get(_LOOKED)
        if before is not None and before.goes_with(request):
            asked, found = before.asked, before.take()
        else:
            asked = self._core_request(request)
            found = await self._look(asked)
        if isinstance(found, Answer):
            self._cache.engine.answered(asked, found)
            await checkpoint()
            return stored_hop(self._cache.engine, found)
        transfer = HopTransfer(request, super().hop, self.pool)
        delivered = await self._cache.answer(asked, transfer, found)
        answer, response, tee = delivered
        return await cached_hop(self._cache.engine, answer, response, tee)

    async def _look(self, asked: Request) -> Answer | Paused[Answer] | None:
        found = self._cache.look(asked)
        return found if isinstance(found, Answer | Paused | None) else await found

    def _core_request(self, request: OutgoingRequest) -> Request:
        options: Options = request.extra.get(_OPTIONS, NO_OPTIONS)
        body = request.body if isinstance(request.body, bytes) else None
        return Request(request.method, request.url, Headers(request.headers), body, self._peer_of(request.url), options)

    def _peer_of(self, url: str) -> str:
        """What decides whom the session talks to, and as whom, where it is not the default: it is part of the key."""
        if not url.startswith("https:"):
            return self._peer
        verified = self._verified_by
        if isinstance(verified, ssl.SSLContext):
            parts = of_context(verified, named=bool(self._peer))
        else:
            parts = [trusting(system_authorities()) if verified else "unverified"]
        return described([self._peer, *parts])

    def stays_with_origin(self, field: str) -> bool:
        """As in the client below; what the user's ``identity`` names stays, too."""
        return super().stays_with_origin(field) or self.policy.separates[field.lower()]

    def respond(
        self,
        hop: Hop,
        request: OutgoingRequest,
        history: tuple[Response, ...],
        cookies: Mapping[str, str],
        elapsed: float,
    ) -> CachedTrioResponse:
        """The response object for a hop; ``elapsed`` in seconds."""
        return CachedTrioResponse(hop, request, history=history, cookies=cookies, elapsed=elapsed)

    async def request(self, method: str, url: str, **options: Unpack[CachedOptions]) -> CachedTrioResponse:
        """The response to a request, its body read; takes the cache's keywords beside the client's.

        :raises BadSignature: see ``docs/topics/security.md``.
        :raises NotCached: ``offline``, and nothing stored answers.
        :raises TransportError: as without a cache.
        """
        response = await self._unread(method, url, options)
        try:
            await self._whole(response)
        except (BodyGone, CacheError) as error:
            # Its record is dropped by now: the next look finds another, or asks the origin. What led here is not asked
            # twice, and content that can be read only once may have been read.
            if not (isinstance(error, BodyGone) or may_fetch_anew(error, self.policy)):
                raise
            if response.history or not isinstance(response.request.body, bytes):
                raise
            response = await self._unread(method, url, options)
            await self._whole(response)
        return cast("CachedTrioResponse", response)

    async def _unread(self, method: str, url: str, options: CachedOptions) -> Response:
        """The response to a request, its body still to come."""
        ready = None
        if method == "GET" and self._group is not None and not is_off(self):
            ready = self._fast.ready(self, url, options)
        if ready is None:
            return await self._follow(method, url, options)
        follow = options.get("follow_redirects", self.follow_redirects)
        started = time.perf_counter()
        found = await self._look(ready.asked)
        if not isinstance(found, Answer) or (follow and found.status in REDIRECTS):
            extra = {_OPTIONS: ready.asked.options, _LOOKED: _Looked(ready, found)}
            return await self._send(replace(ready.outgoing, extra=extra), follow=follow)
        self._cache.engine.answered(ready.asked, found)
        hop = stored_hop(self._cache.engine, found)
        return self.respond(hop, ready.given_out(), (), {}, time.perf_counter() - started)

    if TYPE_CHECKING:

        def stream(  # type: ignore[override] # the same, with more keywords
            self, method: str, url: str, **options: Unpack[CachedOptions]
        ) -> AbstractAsyncContextManager[CachedTrioResponse]: ...


class _Looked:
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
        """What was begun, which can be gone on with once."""
        found, self._found = self._found, None
        return found
