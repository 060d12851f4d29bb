"""The cache as transports of httpx2: ``CacheTransport`` and ``AsyncCacheTransport`` (asyncio and trio)."""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self, Unpack

import anyio
import anyio.lowlevel
import httpx2

from sansio_cache.errors import SettingError
from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey
from sansio_cache.settings import Settings
from sansio_cache_adapters.cache.asynchronous import AsyncCache
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.connection_auth import authenticated
from sansio_cache_adapters.cache.engine import CLOSE_SECONDS
from sansio_cache_adapters.cache.events import Event
from sansio_cache_adapters.cache.keywords import FixedSettings, refuse_unknown
from sansio_cache_adapters.cache.opening import CacheLocation, awaitable, probing, resolve
from sansio_cache_adapters.cache.options import CacheKeywords
from sansio_cache_adapters.cache.setup import split_policy
from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses, StoredResponses
from sansio_cache_adapters.cache.switches import DISABLED, Block, bypassed, is_off, switched_off
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven

from .bodies import AsyncStoredStream, Left, StoredStream, stored_stream, tee_into, tee_into_async
from .common import (
    core_request,
    follow,
    known,
    nothing_known,
    stored_response,
    undecodable,
)
from .lookup import AsyncSendsNothing, SendsNothing, given_response, given_response_async, request_maker
from .peers import peer_of
from .tasks import Tasks
from .transfers import AsyncSending, Sending

__all__ = ["AsyncCacheTransport", "Bypassing", "CacheTransport", "wrapped"]


class _Switch(FixedSettings):
    """Whether a transport answers from its cache, in this thread or task."""

    def disabled(self) -> Block:
        """Bypass the cache within a block of ``with`` or ``async with``; other threads and tasks are not touched."""
        return switched_off(self)


class CacheTransport(_Switch, httpx2.BaseTransport):
    """A transport that answers from a cache, or by the transport below it.

    What a single request says to the cache goes into its extensions, and what the cache knows comes in the response's::

        client = httpx2.Client(transport=CacheTransport(cache="cache.sqlite"))
        response = client.get(url, extensions={"sansio_cache": {"expire_after": 60}})
        response.extensions["from_cache"]

    - ``from_cache`` (bool): it was made from a stored response.
    - ``created_at`` (datetime or None): when that was received; aware, UTC; None where nothing was stored.
    - ``expires`` (datetime or None): when it becomes stale; None for never, and where it is not stored.
    - ``stored_at``, ``expires_at``: the same two, under the names that ``cache`` has for them.
    - ``cache_key`` (str): the partition key, hexadecimal; ``""`` where the cache was bypassed.
    - ``revalidated`` (bool): the origin has just confirmed it.
    - ``cache_status`` (str): how the cache handled the request, and why (RFC 9211).

    As with any transport given to a client, ``verify``, ``http2``, proxies and the like are said to ``inner`` and not
    to the client.

    :param inner: the transport that goes to the network; ``httpx2.HTTPTransport()`` if left out.
    :param cache: a path or a store; left out, the user's default cache.
    :param secret_key: signs what is stored: str, bytes or a list of them, oldest first.
    :param policy: the settings (:class:`~sansio_cache.policy.Policy`), or each of them as a keyword.
    :param on_event: is told every decision (:class:`~sansio_cache_adapters.cache.events.Event`).
    :param clock: POSIX seconds; for tests.
    :param peer: names whom ``inner`` talks to, and as whom: what differs in it shares no entries. Give one for an
        application, which cannot be seen. Unverified TLS, other authorities, a Unix socket and a proxy are seen;
        without a name, what came through a TLS context that would show a client certificate is kept for that context
        alone.
    :ivar inner: the transport below.
    :raises SettingError: for a setting of wrong type or value.
    :raises KeyRequired: on first use: the store is signed, and no secret was given.
    """

    def __init__(
        self,
        inner: httpx2.BaseTransport | None = None,
        cache: CacheLocation = None,
        *,
        secret_key: SecretKey | Ungiven = UNGIVEN,
        policy: Policy | None = None,
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] = time.time,
        peer: str | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        policy = _policy(self, {**settings}, policy)
        own = inner is None
        self.inner: httpx2.BaseTransport = httpx2.HTTPTransport() if inner is None else inner
        self._left: Left = deque(maxlen=64)
        self._named = peer
        self._peer = peer_of(self.inner, "handle_request", peer, own=own)
        store, sealer = resolve(cache, secret_key)
        self._cache = BlockingCache(policy, store, sealer, on_event=on_event, clock=clock, undecodable=undecodable())
        self._made = True

    @property
    def policy(self) -> Policy:
        """The settings."""
        return self._cache.engine.policy

    @property
    def cache(self) -> StoredResponses:
        """Looks after the cache: find, delete, verify, count."""
        return StoredResponses(self._cache, request_maker(self._peer), given_response)

    @classmethod
    def wrap(
        cls, client: httpx2.Client, cache: CacheLocation = None, **keywords: Unpack[CacheKeywords]
    ) -> httpx2.Client:
        """Put a cache above the transports of a client that exists, and give the client back.

        :param keywords: what the constructor takes beside ``inner``.
        """
        wrapped(client, cls(SendsNothing(), cache, **keywords))
        return client

    def over(self, inner: httpx2.BaseTransport) -> Self:
        """The same cache above another transport."""
        other = copy.copy(self)
        other.inner = inner
        other._peer = peer_of(inner, "handle_request", self._named, own=False)
        return other

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response to a request, stored or from the network.

        :raises BadSignature: see ``docs/topics/security.md``.
        :raises NotCached: ``offline``, and nothing stored answers.
        :raises SettingError: for an option of wrong name, type or value in the request's extensions.
        :raises httpx2.HTTPError: as without a cache.
        """
        if is_off(self):
            authenticated.bypassed(self.inner, str(request.url), request.headers.multi_items())
            return _bypassed(self.inner.handle_request(request))
        self._close_left()
        asked = core_request(request, self._peer)
        transfer = Sending(self.inner, request, asked)
        delivered = self._cache.answer(asked, transfer)
        answer, native, tee = delivered
        engine = self._cache.engine
        if native is None:
            return stored_response(answer, engine, stored_stream(answer, engine, StoredStream))
        native.extensions.update(known(answer, engine))
        if tee is not None:
            tee_into(native, tee, self._left)
            follow(native.extensions, tee)
        return native

    def _close_left(self) -> None:
        """Close what was dropped unread; what has arrived of it is kept."""
        while self._left:
            with suppress(Exception):
                stream: Any = self._left.popleft()
                stream.close()

    def close(self) -> None:
        """Close the cache (background validation is waited for, 5 s at most) and the transport below."""
        try:
            self._close_left()
            self._cache.close()
        finally:
            self.inner.close()

    def __enter__(self) -> Self:
        self.inner.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        try:
            self._close_left()
            self._cache.close()
        finally:
            self.inner.__exit__(exc_type, exc_value, traceback)


class AsyncCacheTransport(_Switch, httpx2.AsyncBaseTransport):
    """The same for ``httpx2.AsyncClient``, on asyncio and trio; see :class:`CacheTransport`.

    Background validation runs in tasks of its own, which :meth:`aclose` ends.

    :param inner: the transport that goes to the network; ``httpx2.AsyncHTTPTransport()`` if left out.
    :raises SettingError: for a setting of wrong type or value.
    """

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport | None = None,
        cache: CacheLocation = None,
        *,
        secret_key: SecretKey | Ungiven = UNGIVEN,
        policy: Policy | None = None,
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] = time.time,
        peer: str | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        policy = _policy(self, {**settings}, policy)
        own = inner is None
        self.inner: httpx2.AsyncBaseTransport = httpx2.AsyncHTTPTransport() if inner is None else inner
        self._named = peer
        self._peer = peer_of(self.inner, "handle_async_request", peer, own=own)
        store, sealer = resolve(cache, secret_key)
        tasks_store, blocking = awaitable(store)
        self._cache = AsyncCache(
            policy,
            tasks_store,
            sealer,
            probe=probing(blocking, sealer),
            spawn=self._spawn,
            on_event=on_event,
            clock=clock,
            undecodable=undecodable(),
        )
        self._tasks = Tasks()
        self._left: Left = deque(maxlen=64)
        self._aborted: list[httpx2.Response] = []
        self._made = True

    @property
    def policy(self) -> Policy:
        """The settings."""
        return self._cache.engine.policy

    @property
    def cache(self) -> AsyncStoredResponses:
        """Looks after the cache: find, delete, verify, count."""
        return AsyncStoredResponses(self._cache, request_maker(self._peer), given_response_async)

    @classmethod
    def wrap(
        cls, client: httpx2.AsyncClient, cache: CacheLocation = None, **keywords: Unpack[CacheKeywords]
    ) -> httpx2.AsyncClient:
        """See :meth:`CacheTransport.wrap`."""
        wrapped(client, cls(AsyncSendsNothing(), cache, **keywords))
        return client

    def over(self, inner: httpx2.AsyncBaseTransport) -> Self:
        """The same cache above another transport."""
        other = copy.copy(self)
        other.inner = inner
        other._peer = peer_of(inner, "handle_async_request", self._named, own=False)
        return other

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response to a request, stored or from the network; see :meth:`CacheTransport.handle_request`.

        :raises KeyRequired: the store is signed, and no secret was given.
        """
        if is_off(self):
            authenticated.bypassed(self.inner, str(request.url), request.headers.multi_items())
            return _bypassed(await self.inner.handle_async_request(request))
        await self._close_left()
        asked = core_request(request, self._peer)
        transfer = AsyncSending(self.inner, request, asked, self._aborted)
        try:
            delivered = await self._cache.answer(asked, transfer)
        except BaseException:
            await self._close_aborted()
            raise
        answer, native, tee = delivered
        engine = self._cache.engine
        if native is None:
            # A hit waits for nothing else: other tasks get their turn, and cancellation its chance.
            await anyio.lowlevel.checkpoint()
            stream = stored_stream(answer, engine, AsyncStoredStream)
            return stored_response(answer, engine, stream)
        native.extensions.update(known(answer, engine))
        if tee is not None:
            await tee_into_async(native, tee, self._left)
            follow(native.extensions, tee)
        return native

    async def _close_left(self) -> None:
        """See :meth:`CacheTransport._close_left`."""
        while self._left:
            with anyio.CancelScope(shield=True), suppress(Exception):
                stream: Any = self._left.popleft()
                await stream.aclose()

    def _spawn(self, key: object, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._tasks.spawn(key, partial(self._in_background, job))

    async def _in_background(self, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await job()
        finally:
            await self._close_aborted()

    async def _close_aborted(self) -> None:
        """Close the responses of exchanges that failed or were cancelled, also while that goes on."""
        with anyio.CancelScope(shield=True):
            while self._aborted:
                with suppress(Exception):
                    await self._aborted.pop().aclose()

    async def aclose(self) -> None:
        """Close the cache (background validation is waited for, 5 s at most) and the transport below."""
        try:
            await self._close_cache()
        finally:
            await self.inner.aclose()

    async def _close_cache(self) -> None:
        try:
            await self._close_left()
            await self._tasks.close(CLOSE_SECONDS)
        finally:
            await self._cache.close()

    async def __aenter__(self) -> Self:
        await self._cache.open()
        await self.inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        try:
            await self._close_cache()
        finally:
            await self.inner.__aexit__(exc_type, exc_value, traceback)


class Bypassing(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """A transport beside a cache that is switched off: its responses say so."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response of the transport below."""
        return _bypassed(self._inner.handle_request(request))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response of the transport below."""
        return _bypassed(await self._inner.handle_async_request(request))


def wrapped(client: Any, host: Any) -> None:
    """Give a client the cache of a transport above each of its own."""
    if isinstance(client._transport, type(host)):
        raise SettingError("this client has a cache already")
    client._transport = host.over(client._transport)
    for pattern, transport in client._mounts.items():
        client._mounts[pattern] = None if transport is None else host.over(transport)


def _bypassed(native: httpx2.Response) -> httpx2.Response:
    """A response of the transport below, with what there is to be known of it."""
    native.extensions.update(nothing_known(bypassed(native.status_code, DISABLED)))
    return native


def _policy(transport: object, settings: dict[str, Any], policy: Policy | None) -> Policy:
    policy = split_policy(settings, policy)
    refuse_unknown(
        type(transport).__name__,
        settings,
        "it takes the settings of Policy; what concerns the network is said to inner=",
    )
    return policy
