"""One cache for all sessions that a program makes, under the names of requests-cache."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import requests

from .backends import BackendSpecifier, BaseCache, StrOrPath, init_backend
from .session import CachedSession, CacheMixin, OriginalSession

__all__ = [
    "clear",
    "delete",
    "disabled",
    "enabled",
    "get_cache",
    "install_cache",
    "is_installed",
    "uninstall_cache",
]


def install_cache(
    cache_name: StrOrPath = "http_cache",
    backend: BackendSpecifier | None = None,
    session_factory: type[Any] = CachedSession,
    **kwargs: Any,
) -> None:
    """Give the sessions that are made from now on one cache, those of ``requests.get`` and its kin, too.

    :param session_factory: the class of the sessions, with :class:`CacheMixin` in it.
    """
    cache = init_backend(cache_name, backend, **kwargs)
    kwargs.setdefault("autoclose", False)

    class _ConfiguredCachedSession(session_factory):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(backend=cache, **kwargs)  # pyright: ignore[reportUnknownMemberType]

    _patch(_ConfiguredCachedSession)


def uninstall_cache() -> None:
    """Let sessions be plain ones again."""
    _patch(OriginalSession)


@contextmanager
def disabled() -> Generator[None]:
    """Let sessions that are made within a block be plain ones."""
    before = requests.Session
    uninstall_cache()
    try:
        yield
    finally:
        _patch(before)


@contextmanager
def enabled(*args: Any, **kwargs: Any) -> Generator[None]:
    """Give the sessions that are made within a block one cache, and make plain ones after it.

    Takes what :func:`install_cache` takes.
    """
    install_cache(*args, **kwargs)
    try:
        yield
    finally:
        uninstall_cache()


def get_cache() -> BaseCache | None:
    """The cache that is installed, if any."""
    return getattr(requests.Session(), "cache", None)


def is_installed() -> bool:
    """Whether a cache is installed."""
    return isinstance(requests.Session(), CacheMixin)


def clear() -> None:
    """Remove everything from the cache that is installed, if any."""
    cache = get_cache()
    if cache is not None:
        cache.clear()


def delete(*args: Any, **kwargs: Any) -> None:
    """Remove from the cache that is installed, if any, what :meth:`BaseCache.delete` is told."""
    cache = get_cache()
    if cache is not None:
        cache.delete(*args, **kwargs)


def _patch(kind: type[requests.Session]) -> None:
    module: Any = requests
    module.Session = module.sessions.Session = kind
