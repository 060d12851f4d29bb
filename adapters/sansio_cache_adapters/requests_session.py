"""``CachedSession``: a ``requests.Session`` with a cache."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import requests
from requests.adapters import BaseAdapter

from sansio_cache.messages import NO_OPTIONS
from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey

from .blocking import BlockingCache
from .events import Event
from .options import current_options, split_policy, take_options
from .requests_adapter import CacheAdapter, make_cache
from .requests_fast import FastPath
from .stores.settings import UNGIVEN, Ungiven

__all__ = ["CachedSession"]

_disabled: ContextVar[frozenset[int]] = ContextVar("sansio_cache_disabled", default=frozenset())


class CachedSession(requests.Session):
    """A ``requests.Session`` that keeps what HTTP lets it keep.

    :param cache: a path or a store; left out, ``default.sqlite`` in the user's cache folder.
    :param secret_key: signs what is stored: str, bytes or a list of them, oldest first.
    :param policy: the settings (:class:`~sansio_cache.policy.Policy`), or each of them as a keyword.
    :param on_event: is told every decision (:class:`~sansio_cache_adapters.events.Event`).
    :param clock: POSIX seconds; for tests.
    :raises SettingError: for a setting of wrong type or value.
    :raises KeyRequired: the store is signed, and no secret was given.
    """

    def __init__(
        self,
        cache: Any = None,
        *,
        secret_key: SecretKey | Ungiven = UNGIVEN,
        policy: Policy | None = None,
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] = time.time,
        **settings: Any,
    ) -> None:
        policy = split_policy(settings, policy)
        if settings:
            raise TypeError(f"CachedSession() got an unexpected keyword argument {next(iter(settings))!r}")
        super().__init__()
        self._begin(make_cache(cache, secret_key, policy, on_event, clock))

    def _begin(self, cache: BlockingCache) -> None:
        self._cache = cache
        self._adapters: WeakKeyDictionary[BaseAdapter, CacheAdapter] = WeakKeyDictionary()
        self._fast = FastPath(self, cache)

    @property
    def policy(self) -> Policy:
        """The session's settings."""
        return self._cache.engine.policy

    def get_adapter(self, url: str | bytes) -> BaseAdapter:
        """The adapter mounted for a URL, with the cache above it."""
        adapter = super().get_adapter(url)  # type: ignore[arg-type] # bytes where a user gave bytes
        if isinstance(adapter, CacheAdapter) or id(self) in _disabled.get():
            return adapter
        wrapped = self._adapters.get(adapter)
        if wrapped is None:
            wrapped = self._adapters[adapter] = CacheAdapter.over(self._cache, adapter)
        return wrapped

    def request(self, method: Any, url: Any, *args: Any, **keywords: Any) -> requests.Response:
        """As ``requests.Session.request``; takes ``expire_after``, ``only_if_cached``, ``refresh``,
        ``force_refresh`` and ``tags`` beside its keywords.

        :raises BadSignature: see ``docs/topics/security.md``.
        :raises NotCached: ``offline``, and nothing stored answers.
        """  # noqa: D205
        options = take_options(keywords)
        token = current_options.set(options)
        try:
            if not args and id(self) not in _disabled.get():
                response = self._fast.answer(method, url, keywords, options)
                if response is not None:
                    return response
            return super().request(method, url, *args, **keywords)
        finally:
            current_options.reset(token)

    def send(self, request: requests.PreparedRequest, **keywords: Any) -> requests.Response:
        """As ``requests.Session.send``, with the keywords of :meth:`request` for the cache."""
        options = take_options(keywords)
        if options is NO_OPTIONS:
            return super().send(request, **keywords)
        token = current_options.set(options)
        try:
            return super().send(request, **keywords)
        finally:
            current_options.reset(token)

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Pass the cache by within a block; other threads and tasks are not touched."""
        token = _disabled.set(_disabled.get() | {id(self)})
        try:
            yield
        finally:
            _disabled.reset(token)

    def close(self) -> None:
        """Close the adapters, and the cache: background validation is waited for, 5 s at most."""
        super().close()
        self._cache.close()

    def __getstate__(self) -> dict[str, Any]:
        plain: Any = super()
        return {"session": plain.__getstate__(), "cache": self._cache}

    def __setstate__(self, state: dict[str, Any]) -> None:
        plain: Any = super()
        plain.__setstate__(state["session"])
        self._begin(state["cache"])
