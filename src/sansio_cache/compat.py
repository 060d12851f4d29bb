"""Caches that people come from, under their names: ``from sansio_cache.compat import requests_cache``.

They lie with the adapters, and are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sansio_cache_adapters.compat import aiohttp_client_cache as aiohttp_client_cache
    from sansio_cache_adapters.compat import requests_cache as requests_cache

if not TYPE_CHECKING:
    __path__ = []  # so that it may be the first part of a module's name
    # It puts a finder before all others, so that the modules are found under this name, too.
    import_module("sansio_cache_adapters.compat").named_under(__name__)
