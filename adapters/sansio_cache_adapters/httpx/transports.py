"""The cache as transports of httpx2: ``CacheTransport`` and ``AsyncCacheTransport`` (asyncio and trio)."""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, Unpack

import anyio
import httpx2

# isort: split
# httpx2 imports it with the first transport that is made, which may be on an event loop.
import httpcore2  # noqa: F401 # pyright: ignore[reportUnusedImport]

from sansio_cache.errors import SettingError
from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey
from sansio_cache_adapters.cache.first_use import at_first_use, imported, is_made
from sansio_cache_adapters.cache.keywords import FixedSettings, refuse_unknown
from sansio_cache_adapters.cache.setup import checked_name, set_up, split_policy
from sansio_cache_adapters.cache.switches import Block, switched_off
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven
from sansio_cache_adapters.stores.work import do

if TYPE_CHECKING:
    # Modules that answer requests are imported with the first one: see `setup`.
    from sansio_cache.settings import Settings
    from sansio_cache_adapters.cache.asynchronous import AsyncCache
    from sansio_cache_adapters.cache.blocking import BlockingCache
    from sansio_cache_adapters.cache.events import Event
    from sansio_cache_adapters.cache.opening import CacheLocation
    from sansio_cache_adapters.cache.options import CacheKeywords
    from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses, StoredResponses

    from .bodies import Left
    from .handling import AsyncHandler, Handler
    from .tasks import Tasks

__all__ = ["AsyncCacheTransport", "CacheTransport", "wrapped"]


_ROOM: Final = f"{__package__}.handling"
Transport = TypeVar("Transport", httpx2.BaseTransport, httpx2.AsyncBaseTransport)


class _Transport(FixedSettings, Generic[Transport]):
    """What both transports have in common.

    :cvar _network: makes the transport below where none is given.
    :cvar _method: what a transport of this colour has.
    :ivar _left: takes streams that were dropped unread.
    :ivar _aborted: takes the responses of exchanges that failed or were cancelled, where to close them is to wait.
    :ivar _above: that which this one is a copy of, above another transport; they have one cache.
    """

    _network: Callable[[], Any]
    _method: str
    _above: Any = None

    def __init__(
        self,
        inner: Transport | None = None,
        cache: CacheLocation = None,
        *,
        secret_key: SecretKey | Ungiven = UNGIVEN,
        policy: Policy | None = None,
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] = time.time,
        peer: str | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        keywords: dict[str, Any] = {**settings}
        policy = split_policy(keywords, policy)
        otherwise = "it takes the settings of Policy; what concerns the network is said to inner="
        refuse_unknown(type(self).__name__, keywords, otherwise)
        self._own = inner is None
        self.inner: Transport = self._checked(self._network() if inner is None else inner)
        self._left: Left = deque(maxlen=64)
        self._aborted: list[httpx2.Response] = []
        self._named = checked_name(peer)
        self._told = set_up(cache, secret_key, policy, on_event, clock)
        self._made = True

    def _checked(self, inner: Any) -> Any:
        """What a user gives as ``inner=``.

        :raises SettingError: for another type.
        """
        if not callable(getattr(inner, self._method, None)):
            raise SettingError(
                f"inner takes a transport of httpx2 that has {self._method}, not {inner!r}; "
                "the place of the cache is cache=…"
            )
        return inner

    @property
    def policy(self) -> Policy:
        """The settings."""
        return self._told.policy

    def disabled(self) -> Block:
        """Bypass the cache within a block of ``with`` or ``async with``; other threads and tasks are not touched."""
        return switched_off(self)

    def over(self, inner: Transport) -> Self:
        """The same cache above another transport."""
        other = copy.copy(self)
        vars(other).pop("_handler", None)
        vars(other).update(inner=self._checked(inner), _own=False, _above=self)
        return other

    def _ask_network(self, request: httpx2.Request) -> Any:
        """The response of the transport below, or what is to be awaited for it."""
        return getattr(self.inner, self._method)(request)

    def _has_to_close(self) -> bool:
        """Whether there is a cache: an unused one was never made, and a store that was given is closed."""
        return is_made(self, "_cache") or self._told.given is not None


class CacheTransport(_Transport[httpx2.BaseTransport], httpx2.BaseTransport):
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

    _network = httpx2.HTTPTransport
    _method = "handle_request"

    @at_first_use
    def _cache(self) -> BlockingCache:
        from sansio_cache_adapters.cache.blocking import BlockingCache

        from .handling import UNDECODABLE

        return BlockingCache.of(self._told, UNDECODABLE) if self._above is None else self._above._cache

    @at_first_use
    def _handler(self) -> Handler:
        from .handling import Handler

        return Handler(self._cache, self.inner, self._named, own=self._own)

    @property
    def cache(self) -> StoredResponses:
        """Looks after the cache: find, delete, verify, count."""
        stored: StoredResponses = self._handler.stored_responses()
        return stored

    @classmethod
    def wrap(
        cls, client: httpx2.Client, cache: CacheLocation = None, **keywords: Unpack[CacheKeywords]
    ) -> httpx2.Client:
        """Put a cache above the transports of a client that exists, and give the client back.

        :param keywords: what the constructor takes beside ``inner``.
        """
        wrapped(client, cls(httpx2.BaseTransport(), cache, **keywords))
        return client

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response to a request, stored or from the network.

        :raises BadSignature: see ``docs/topics/security.md``.
        :raises NotCached: ``offline``, and nothing stored answers.
        :raises SettingError: for an option of wrong name, type or value in the request's extensions.
        :raises httpx2.HTTPError: as without a cache.
        """
        return do(self._handler.answer(self, request))

    def _close_left(self) -> None:
        """Close streams that were dropped unread; bodies that have arrived are kept."""
        while self._left:
            with suppress(Exception):
                stream: Any = self._left.popleft()
                stream.close()

    def close(self) -> None:
        """Close the cache (background validation is waited for, 5 s at most) and the transport below."""
        try:
            self._close_cache()
        finally:
            self.inner.close()

    def _close_cache(self) -> None:
        self._close_left()
        if self._has_to_close():
            self._cache.close()

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
            self._close_cache()
        finally:
            self.inner.__exit__(exc_type, exc_value, traceback)


class AsyncCacheTransport(_Transport[httpx2.AsyncBaseTransport], httpx2.AsyncBaseTransport):
    """The same for ``httpx2.AsyncClient``, on asyncio and trio; see :class:`CacheTransport`.

    Background validation runs in tasks of its own, which :meth:`aclose` ends.

    :param inner: the transport that goes to the network; ``httpx2.AsyncHTTPTransport()`` if left out.
    :raises SettingError: for a setting of wrong type or value.
    """

    _network = httpx2.AsyncHTTPTransport
    _method = "handle_async_request"

    @at_first_use
    def _cache(self) -> AsyncCache:
        from sansio_cache_adapters.cache.asynchronous import AsyncCache

        from .handling import UNDECODABLE

        return AsyncCache.of(self._told, self._spawn, UNDECODABLE) if self._above is None else self._above._cache

    @at_first_use
    def _tasks(self) -> Tasks:
        from .handling import Tasks

        return Tasks() if self._above is None else self._above._tasks

    @at_first_use
    def _handler(self) -> AsyncHandler:
        from .handling import AsyncHandler

        return AsyncHandler(self._cache, self.inner, self._named, own=self._own)

    @property
    def cache(self) -> AsyncStoredResponses:
        """Looks after the cache: find, delete, verify, count."""
        stored: AsyncStoredResponses = self._handler.stored_responses()
        return stored

    @classmethod
    def wrap(
        cls, client: httpx2.AsyncClient, cache: CacheLocation = None, **keywords: Unpack[CacheKeywords]
    ) -> httpx2.AsyncClient:
        """See :meth:`CacheTransport.wrap`."""
        wrapped(client, cls(httpx2.AsyncBaseTransport(), cache, **keywords))
        return client

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response to a request, stored or from the network; see :meth:`CacheTransport.handle_request`.

        :raises KeyRequired: the store is signed, and no secret was given.
        """
        if not is_made(self, "_handler"):
            await imported(_ROOM)
        return await self._handler.answer(self, request)

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
            if is_made(self, "_tasks"):
                from .handling import CLOSE_SECONDS

                await self._tasks.close(CLOSE_SECONDS)
        finally:
            if self._has_to_close():
                await imported(_ROOM)
                await self._cache.close()

    async def __aenter__(self) -> Self:
        await imported(_ROOM)
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


def wrapped(client: Any, host: Any) -> None:
    """Give a client the cache of a transport above each of its own."""
    if isinstance(client._transport, type(host)):
        raise SettingError("this client has a cache already")
    client._transport = host.over(client._transport)
    for pattern, transport in client._mounts.items():
        client._mounts[pattern] = None if transport is None else host.over(transport)
