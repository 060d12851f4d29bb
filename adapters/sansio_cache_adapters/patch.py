"""One cache for a whole script: every session of requests and aiohttp, and every client of httpx2, existing ones too.

``requests.Session.get_adapter``, ``aiohttp.ClientSession._request`` and ``_transport_for_url`` of httpx2's clients are
replaced while a cache is installed or a block of ``enabled()`` runs anywhere, so that names imported before are
reached. Sessions of ours keep their own cache.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from importlib.util import find_spec
from typing import Any, Final, Never, Unpack
from weakref import WeakKeyDictionary

from sansio_cache.errors import SettingError
from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey
from sansio_cache.settings import Settings
from sansio_cache_adapters.cache.events import Event
from sansio_cache_adapters.cache.keywords import refuse_more, refuse_unknown
from sansio_cache_adapters.cache.opening import CacheLocation, resolve
from sansio_cache_adapters.cache.options import current_options, take_options
from sansio_cache_adapters.cache.setup import checked_name, set_up, split_policy
from sansio_cache_adapters.cache.switches import DISABLED, Block
from sansio_cache_adapters.stores.forking import renew_in_child
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven

__all__ = ["disabled", "enabled", "install_cache", "is_installed", "uninstall_cache"]

_CLIENTS: Final = ("requests", "aiohttp", "httpx2")


class _Script:
    """The cache of a script or of a block: one store, and for each client what asks it."""

    def __init__(
        self,
        owner: str,
        cache: Any,
        secret_key: SecretKey | Ungiven,
        policy: Policy | None,
        on_event: Callable[[Event], object] | None,
        peer: str | None,
        settings: dict[str, Any],
    ) -> None:
        self._policy = split_policy(settings, policy)
        refuse_unknown(owner, settings)
        if not any(map(find_spec, _CLIENTS)):
            raise SettingError("there is none of requests, aiohttp and httpx2 to give a cache to")
        store, _ = resolve(cache, secret_key)
        self._peer = checked_name(peer)
        self._arguments = (store, secret_key, self._policy, on_event, time.time)
        self._lock = threading.RLock()
        renew_in_child(self, "_lock", threading.RLock)
        self._requests: Any = None
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        self._httpx: Any = None
        self._httpx_loops: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    def _of_requests(self) -> Any:
        from sansio_cache_adapters.requests.adapter import cache_of

        if self._requests is not None:
            return self._requests
        with self._lock:
            if self._requests is None:
                self._requests = cache_of(set_up(*self._arguments))
            return self._requests

    def adapter_over(self, inner: Any) -> Any:
        """An adapter of requests with the cache above it."""
        from sansio_cache_adapters.requests.adapter import CacheAdapter

        # Not remembered: it holds the one below, which would live for as long as the cache, its connections too.
        return CacheAdapter.over(self._of_requests(), inner, self._peer)

    def of_aiohttp(self) -> Any:
        """The cache that answers requests of aiohttp on the running loop."""
        from sansio_cache_adapters.aiohttp.middleware import AiohttpCache

        loop = asyncio.get_running_loop()
        with self._lock:
            cache = self._loops.get(loop)
            if cache is None:
                cache = self._loops[loop] = AiohttpCache(set_up(*self._arguments), self._peer)
            return cache

    def transport_over(self, inner: Any) -> Any:
        """A transport of httpx2 with the cache above it."""
        import httpx2

        from sansio_cache_adapters.httpx.transports import CacheTransport

        with self._lock:
            if self._httpx is None:
                self._httpx = self._host(CacheTransport, httpx2.BaseTransport())
        return self._httpx.over(inner)

    def async_transport_over(self, inner: Any) -> Any:
        """The same for what awaits, on the running loop."""
        import anyio.lowlevel
        import httpx2

        from sansio_cache_adapters.httpx.transports import AsyncCacheTransport

        loop: Any = anyio.lowlevel.current_token().native_token
        with self._lock:
            host = self._httpx_loops.get(loop)
            if host is None:
                host = self._httpx_loops[loop] = self._host(AsyncCacheTransport, httpx2.AsyncBaseTransport())
        return host.over(inner)

    def _host(self, kind: Any, inner: Any) -> Any:
        store, secret_key, policy, on_event, _ = self._arguments
        return kind(inner, store, secret_key=secret_key, policy=policy, on_event=on_event, peer=self._peer)

    def close(self) -> None:
        """Wait for background validation of requests (at most 5 s); close the store's connections."""
        if self._httpx is not None:
            self._httpx.close()
        if self._requests is not None:
            self._requests.close()
        else:
            self._arguments[0].close()


class _Patches:
    """The replaced methods: put in place for the first who needs them, taken away after the last."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        renew_in_child(self, "_lock", threading.RLock)
        self._users = 0
        self._undo: list[Callable[[], None]] = []

    def hold(self) -> None:
        """Have the methods replaced."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                if find_spec("requests"):
                    self._patch_requests()
                if find_spec("aiohttp"):
                    self._patch_aiohttp()
                if find_spec("httpx2"):
                    self._patch_httpx()

    def let_go(self) -> None:
        """Have no need of them any more."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                while self._undo:
                    self._undo.pop()()

    def _replace(self, owner: Any, name: str, method: Any) -> None:
        self._undo.append(partial(setattr, owner, name, getattr(owner, name)))
        setattr(owner, name, method)

    def _patch_requests(self) -> None:
        import requests

        from .requests.adapter import CacheAdapter
        from .requests.response import bypassing
        from .requests.session import CacheMixin

        plain_adapter, plain_request = requests.Session.get_adapter, requests.Session.request

        def get_adapter(self: requests.Session, url: str) -> Any:
            adapter = plain_adapter(self, url)
            script = None if isinstance(self, CacheMixin) or isinstance(adapter, CacheAdapter) else _current()
            return adapter if script is None else script.adapter_over(adapter)

        def request(self: requests.Session, *arguments: Any, **keywords: Any) -> requests.Response:
            if isinstance(self, CacheMixin) or not _is_there():
                return plain_request(self, *arguments, **keywords)
            token = current_options.set(take_options(keywords))
            try:
                response = plain_request(self, *arguments, **keywords)
            finally:
                current_options.reset(token)
            return bypassing(response, DISABLED if _off.get() else "")

        self._replace(requests.Session, "get_adapter", get_adapter)
        self._replace(requests.Session, "request", wraps(plain_request)(request))

    def _patch_aiohttp(self) -> None:
        import aiohttp

        from .aiohttp.handling import upgrades, with_cache
        from .aiohttp.middleware import CacheMiddleware
        from .aiohttp.private import session_part
        from .aiohttp.response import bypassing
        from .aiohttp.session import AsyncCachedSession

        owner: Any = aiohttp.ClientSession
        plain = owner._request

        async def _request(self: aiohttp.ClientSession, method: str, str_or_url: Any, **keywords: Any) -> Any:
            if isinstance(self, AsyncCachedSession) or not _is_there():
                return await plain(self, method, str_or_url, **keywords)
            options = take_options(keywords)
            script = None if upgrades(keywords) else _current()
            above = keywords.get("middlewares") or session_part(self, "middlewares")
            if script is not None and not any(isinstance(each, CacheMiddleware) for each in above):
                keywords, _ = with_cache(self, keywords, script.of_aiohttp(), options)
            token = current_options.set(options)  # for a CacheMiddleware of the session's own
            try:
                response = await plain(self, method, str_or_url, **keywords)
            finally:
                current_options.reset(token)
            return bypassing(response, DISABLED if _off.get() else "")

        self._replace(owner, "_request", _request)

    def _patch_httpx(self) -> None:
        import httpx2

        from .httpx.transports import AsyncCacheTransport, CacheTransport

        for owner, over, ours in (
            (httpx2.Client, _Script.transport_over, CacheTransport),
            (httpx2.AsyncClient, _Script.async_transport_over, AsyncCacheTransport),
        ):
            self._replace(owner, "_transport_for_url", _chosen(owner, over, ours, _bypassing))


def _bypassing(inner: Any) -> Any:
    """A transport of httpx2 beside a cache that is switched off."""
    from .httpx.handling import Bypassing

    return Bypassing(inner)


def _chosen(owner: Any, over: Callable[[_Script, Any], Any], ours: type[Any], bypassing: Callable[[Any], Any]) -> Any:
    """A function that chooses the transport of a client of httpx2, with a cache above it."""
    plain = owner._transport_for_url

    def _transport_for_url(self: Any, url: Any) -> Any:
        transport = plain(self, url)
        if isinstance(transport, ours) or not _is_there():
            return transport
        script = _current()
        return bypassing(transport) if script is None else over(script, transport)

    return wraps(plain)(_transport_for_url)


_patches: Final = _Patches()
_lock = threading.RLock()
renew_in_child(sys.modules[__name__], "_lock", threading.RLock)
_installed: list[_Script] = []
"""At most one: the whole script's."""
_block: ContextVar[_Script | None] = ContextVar("sansio_cache_enabled", default=None)
_off: ContextVar[bool] = ContextVar("sansio_cache_off", default=False)


def _current() -> _Script | None:
    if _off.get():
        return None
    block = _block.get()
    return block if block is not None else next(iter(_installed), None)


def _is_there() -> bool:
    """Whether the script or a block around has a cache, though it may be switched off here."""
    return bool(_installed) or _block.get() is not None


def install_cache(
    cache: CacheLocation = None,
    *more: Never,
    secret_key: SecretKey | Ungiven = UNGIVEN,
    policy: Policy | None = None,
    on_event: Callable[[Event], object] | None = None,
    peer: str | None = None,
    **settings: Unpack[Settings],
) -> None:
    """Give every session of requests and aiohttp, and every client of httpx2, in this process a cache.

    It takes the place of one installed before. A request says to the cache what requests of sessions of ours do:
    ``requests.get(url, expire_after=60)``, ``httpx2.get(url, extensions={"sansio_cache": {"expire_after": 60}})``.

    :param cache: a path or a store; left out, ``default.sqlite`` in the user's cache folder.
    :param secret_key: signs what is stored.
    :param policy: the settings (:class:`~sansio_cache.policy.Policy`), or each of them as a keyword.
    :param on_event: is told every decision.
    :param peer: names whom they talk to, and as whom: what differs in it shares no entries.
    :raises SettingError: for a setting of wrong type or value.
    """
    refuse_more("install_cache", more)
    script = _Script("install_cache", cache, secret_key, policy, on_event, peer, {**settings})
    _patches.hold()
    with _lock:
        before, _installed[:] = list(_installed), [script]
    _retire(before)


def uninstall_cache() -> None:
    """Take away what :func:`install_cache` gave; nothing where there is none."""
    with _lock:
        before, _installed[:] = list(_installed), []
    _retire(before)


def _retire(scripts: list[_Script]) -> None:
    for script in scripts:
        _patches.let_go()
        script.close()


def is_installed() -> bool:
    """Whether requests made here and now go through a cache of the script's."""
    return _current() is not None


def enabled(
    cache: CacheLocation = None,
    *more: Never,
    secret_key: SecretKey | Ungiven = UNGIVEN,
    policy: Policy | None = None,
    on_event: Callable[[Event], object] | None = None,
    peer: str | None = None,
    **settings: Unpack[Settings],
) -> Block:
    """A cache for a block of ``with`` or ``async with``, and for the tasks begun in it; others are not touched.

    :raises SettingError: as :func:`install_cache`.
    """
    refuse_more("enabled", more)
    return _Enabled(_Script("enabled", cache, secret_key, policy, on_event, peer, {**settings}))


def disabled() -> Block:
    """No cache of the script's for a block of ``with`` or ``async with``; other threads and tasks are not touched."""
    return Block(_disabled)


@contextmanager
def _disabled() -> Generator[None]:
    token = _off.set(True)
    try:
        yield
    finally:
        _off.reset(token)


class _Enabled(Block):
    """A block with a cache of its own, which is closed at the end of each."""

    def __init__(self, script: _Script) -> None:
        super().__init__(self._within)
        self._script = script

    @contextmanager
    def _within(self) -> Generator[None]:
        _patches.hold()
        token = _block.set(self._script)
        try:
            yield
        finally:
            _block.reset(token)
            _retire([self._script])
