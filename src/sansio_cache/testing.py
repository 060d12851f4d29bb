"""The promises of a store as pytest classes, for stores of your own: see :mod:`sansio_cache_adapters.testing`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sansio_cache_adapters.testing import AsyncStoreContract, StoreContract, make_item, name, put, stream

__all__ = ["AsyncStoreContract", "StoreContract", "make_item", "name", "put", "stream"]


if not TYPE_CHECKING:

    def __getattr__(attribute: str) -> object:
        # Looked up when asked for, since the core does not import what touches the world.
        if attribute not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
        return getattr(importlib.import_module("sansio_cache_adapters.testing"), attribute)
