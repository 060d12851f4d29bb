"""An HTTP cache for the client you already have.

Everything users need is here, and is loaded when it is first used: ``import sansio_cache`` loads no client, no store
and no third-party module.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sansio_cache_adapters.aiohttp.middleware import CacheMiddleware as CacheMiddleware
    from sansio_cache_adapters.aiohttp.session import AsyncCachedSession as AsyncCachedSession
    from sansio_cache_adapters.httpx.transports import AsyncCacheTransport as AsyncCacheTransport
    from sansio_cache_adapters.httpx.transports import CacheTransport as CacheTransport
    from sansio_cache_adapters.importing.exporting import export_cache as export_cache
    from sansio_cache_adapters.importing.importer import import_cache as import_cache
    from sansio_cache_adapters.importing.loading import load_cache as load_cache
    from sansio_cache_adapters.patch import disabled as disabled
    from sansio_cache_adapters.patch import enabled as enabled
    from sansio_cache_adapters.patch import install_cache as install_cache
    from sansio_cache_adapters.patch import is_installed as is_installed
    from sansio_cache_adapters.patch import uninstall_cache as uninstall_cache
    from sansio_cache_adapters.requests.adapter import CacheAdapter as CacheAdapter
    from sansio_cache_adapters.requests.session import CachedSession as CachedSession
    from sansio_cache_adapters.requests.session import CacheMixin as CacheMixin
    from sansio_cache_adapters.stores.files.store import FileStore as FileStore
    from sansio_cache_adapters.stores.memory import MemoryStore as MemoryStore
    from sansio_cache_adapters.stores.redis.store import RedisStore as RedisStore
    from sansio_cache_adapters.stores.sqlite.store import SQLiteStore as SQLiteStore
    from sansio_cache_adapters.trio.session import TrioCachedSession as TrioCachedSession

    from .errors import BadSignature as BadSignature
    from .errors import BrokenRecord as BrokenRecord
    from .errors import CacheError as CacheError
    from .errors import CacheWarning as CacheWarning
    from .errors import ForeignStore as ForeignStore
    from .errors import KeyRequired as KeyRequired
    from .errors import NotCached as NotCached
    from .errors import ReadOnlyStore as ReadOnlyStore
    from .errors import SettingError as SettingError
    from .errors import StoreBusy as StoreBusy
    from .errors import StoreError as StoreError
    from .expiry import DO_NOT_CACHE as DO_NOT_CACHE
    from .expiry import EXPIRE_IMMEDIATELY as EXPIRE_IMMEDIATELY
    from .expiry import NEVER_EXPIRE as NEVER_EXPIRE
    from .policy import DEFAULT_IDENTITY as DEFAULT_IDENTITY
    from .policy import Heuristic as Heuristic
    from .policy import Policy as Policy

__version__: str

__all__ = [
    # sessions
    "AsyncCachedSession",
    "CachedSession",
    "TrioCachedSession",
    # to mount on an existing client
    "AsyncCacheTransport",
    "CacheAdapter",
    "CacheMiddleware",
    "CacheMixin",
    "CacheTransport",
    # for a whole script
    "disabled",
    "enabled",
    "install_cache",
    "is_installed",
    "uninstall_cache",
    # stores
    "FileStore",
    "MemoryStore",
    "RedisStore",
    "SQLiteStore",
    # moving in and out
    "export_cache",
    "import_cache",
    "load_cache",
    # settings
    "DEFAULT_IDENTITY",
    "DO_NOT_CACHE",
    "EXPIRE_IMMEDIATELY",
    "NEVER_EXPIRE",
    "Heuristic",
    "Policy",
    # errors
    "BadSignature",
    "BrokenRecord",
    "CacheError",
    "CacheWarning",
    "ForeignStore",
    "KeyRequired",
    "NotCached",
    "ReadOnlyStore",
    "SettingError",
    "StoreBusy",
    "StoreError",
]

_ADAPTERS = "sansio_cache_adapters"
_LAZY = {
    "AsyncCacheTransport": f"{_ADAPTERS}.httpx.transports",
    "AsyncCachedSession": f"{_ADAPTERS}.aiohttp.session",
    "BadSignature": "sansio_cache.errors",
    "BrokenRecord": "sansio_cache.errors",
    "CacheAdapter": f"{_ADAPTERS}.requests.adapter",
    "CacheError": "sansio_cache.errors",
    "CacheWarning": "sansio_cache.errors",
    "CacheMiddleware": f"{_ADAPTERS}.aiohttp.middleware",
    "CacheMixin": f"{_ADAPTERS}.requests.session",
    "CacheTransport": f"{_ADAPTERS}.httpx.transports",
    "CachedSession": f"{_ADAPTERS}.requests.session",
    "DEFAULT_IDENTITY": "sansio_cache.policy",
    "DO_NOT_CACHE": "sansio_cache.expiry",
    "EXPIRE_IMMEDIATELY": "sansio_cache.expiry",
    "FileStore": f"{_ADAPTERS}.stores.files.store",
    "ForeignStore": "sansio_cache.errors",
    "Heuristic": "sansio_cache.policy",
    "KeyRequired": "sansio_cache.errors",
    "MemoryStore": f"{_ADAPTERS}.stores.memory",
    "NEVER_EXPIRE": "sansio_cache.expiry",
    "NotCached": "sansio_cache.errors",
    "ReadOnlyStore": "sansio_cache.errors",
    "Policy": "sansio_cache.policy",
    "RedisStore": f"{_ADAPTERS}.stores.redis.store",
    "SQLiteStore": f"{_ADAPTERS}.stores.sqlite.store",
    "SettingError": "sansio_cache.errors",
    "StoreBusy": "sansio_cache.errors",
    "StoreError": "sansio_cache.errors",
    "TrioCachedSession": f"{_ADAPTERS}.trio.session",
    "disabled": f"{_ADAPTERS}.patch",
    "enabled": f"{_ADAPTERS}.patch",
    "export_cache": f"{_ADAPTERS}.importing.exporting",
    "import_cache": f"{_ADAPTERS}.importing.importer",
    "install_cache": f"{_ADAPTERS}.patch",
    "is_installed": f"{_ADAPTERS}.patch",
    "load_cache": f"{_ADAPTERS}.importing.loading",
    "uninstall_cache": f"{_ADAPTERS}.patch",
}
_EXTRAS = {
    "aiohttp": ("aiohttp", "multidict", "yarl"),
    "httpx": ("httpx2", "anyio"),
    "requests": ("requests", "urllib3"),
    "trio": ("h11", "anyio", "truststore"),
}
"""Each extra has a folder of the adapters, and brings what that imports."""


def _extra(name: str) -> str:
    """The extra that a public name needs; ``""`` for none."""
    _, _, inner = _LAZY.get(name, "").partition(f"{_ADAPTERS}.")
    folder = inner.partition(".")[0]
    return folder if folder in _EXTRAS else ""


def _installed() -> list[str]:
    """The public names that can be had here: those whose extra is installed."""
    from importlib.util import find_spec

    missing = {extra for extra, modules in _EXTRAS.items() if not all(map(find_spec, modules))}
    return [name for name in _LAZY if _extra(name) not in missing]


if not TYPE_CHECKING:  # else checkers would take any name for one of ours
    # A star takes what can be had, and does not fail for what is not installed.
    del __all__

    def __getattr__(name: str) -> object:
        """Load a public name on first use; a missing extra says how to install it."""
        if name == "__all__":
            return _installed()
        if name == "__version__":
            # Read only when asked for: reading the installed metadata costs more than the rest of the import.
            from importlib.metadata import version

            return version("sansio-cache")
        module = _LAZY.get(name)
        if module is None:
            from .names import PUBLIC

            if name in PUBLIC:
                # An AttributeError would lose its words on the way out of an import statement.
                raise ImportError(f"there is no {name} in sansio_cache: take {PUBLIC[name]}", name=__name__)
            raise AttributeError(f"module 'sansio_cache' has no attribute {name!r}")
        try:
            value = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            extra = _extra(name)
            if (error.name or "").partition(".")[0] not in _EXTRAS.get(extra, ()):
                raise
            raise ImportError(
                f"{name} needs {error.name}, which is not installed: pip install 'sansio-cache[{extra}]'",
                name=error.name,
            ) from error
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_installed()})
