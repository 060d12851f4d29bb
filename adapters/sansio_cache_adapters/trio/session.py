"""``TrioCachedSession``: a cached HTTP/1.1 client for nurseries, on trio and, through anyio, on asyncio."""

# Its verbs take more keywords than those they override, which pyright counts as an incompatible TypedDict.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Never, Self, Unpack

import anyio

from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey
from sansio_cache_adapters.cache.first_use import at_first_use, imported, is_made
from sansio_cache_adapters.cache.keywords import FixedSettings, handing_on, refuse_more
from sansio_cache_adapters.cache.setup import checked_name, set_up, split_policy
from sansio_cache_adapters.cache.switches import Block, switched_off
from sansio_cache_adapters.stores.forking import cut_off, follow_forks
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven
from sansio_cache_adapters.trio.http.client import HTTPSession

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    # Modules that answer requests are imported with the first one: see `setup`.
    from sansio_cache_adapters.cache.asynchronous import AsyncCache
    from sansio_cache_adapters.cache.events import Event
    from sansio_cache_adapters.cache.opening import CacheLocation
    from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses
    from sansio_cache_adapters.trio.http.content import OutgoingRequest
    from sansio_cache_adapters.trio.http.hop import Hop
    from sansio_cache_adapters.trio.http.response import Response
    from sansio_cache_adapters.trio.http.sending import RequestOptions

    from .handling import Handler
    from .keywords import CachedOptions, SessionOptions
    from .response import CachedTrioResponse

__all__ = ["TrioCachedSession"]

_ROOMS: Final = ("sansio_cache_adapters.trio.handling", "sansio_cache_adapters.trio.http.cookies")
_ADVICE = "it takes the settings of Policy and those of HTTPSession; proxies, HTTP/2 and SOCKS are httpx2's"
_MOST_JOBS = 64


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
        self._peer = checked_name(peer)
        self._told = set_up(cache, secret_key, policy, on_event, clock)
        self._verified_by: ssl.SSLContext | bool = given.get("ssl_context") or given.get("verify") is not False
        self._jobs: dict[object, anyio.Event] = {}
        self._group: TaskGroup | None = None
        self._entered = False
        follow_forks(self)
        self._made = True

    @at_first_use
    def _cache(self) -> AsyncCache:
        from sansio_cache_adapters.cache.asynchronous import AsyncCache
        from sansio_cache_adapters.cache.decoding import default_accept_encoding, not_offered

        return AsyncCache.of(self._told, self._spawn, not_offered(default_accept_encoding()))

    @at_first_use
    def _handler(self) -> Handler:
        from .handling import Handler

        return Handler(self, self._cache, self._peer, self._verified_by, TrioCachedSession)

    def begin_anew(self) -> None:
        """In the child of a fork, give up the connections that were opened before it; the parent keeps them."""
        if is_made(self, "pool"):
            cut_off(each.fileno() for each in self.pool.give_up_all())

    @property
    def cache(self) -> AsyncStoredResponses:
        """Finds, deletes, verifies and counts stored responses."""
        return self._handler.stored(self)

    @property
    def policy(self) -> Policy:
        """The session's settings."""
        return self._told.policy

    async def __aenter__(self) -> Self:
        if self._entered:
            from .http.errors import SessionClosed

            raise SessionClosed("a session has one block, and this one has had it: make another session")
        for room in _ROOMS:
            await imported(room)
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
                await self._jobs_done(self._handler.close_seconds)
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
            if is_made(self, "_cache"):
                await (self._cache.close() if self._told.owned else self._cache.flush())

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
        return self._handler.prepare(self, method, url, options)

    async def hop(self, request: OutgoingRequest) -> Hop:
        """The answer to one request, stored or from the network.

        :raises BadSignature: see ``docs/topics/security.md``.
        :raises NotCached: ``offline``, and nothing stored answers.
        :raises TransportError: as without a cache.
        """
        return await self._handler.hop(self, request)

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
        return self._handler.response_class(hop, request, history=history, cookies=cookies, elapsed=elapsed)

    def request(
        self, method: str, url: str, **options: Unpack[CachedOptions]
    ) -> Coroutine[Any, Any, CachedTrioResponse]:
        """The response to a request, its body read; takes the cache's keywords beside the client's.

        :raises BadSignature: see ``docs/topics/security.md``.
        :raises NotCached: ``offline``, and nothing stored answers.
        :raises TransportError: as without a cache.
        """
        return self._handler.request(self, method, url, options)

    def _option_names(self) -> list[str]:
        return self._handler.option_names

    if TYPE_CHECKING:

        def stream(  # type: ignore[override] # the same, with more keywords
            self, method: str, url: str, **options: Unpack[CachedOptions]
        ) -> AbstractAsyncContextManager[CachedTrioResponse]: ...
