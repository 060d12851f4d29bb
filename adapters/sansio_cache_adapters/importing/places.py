"""Where to and where from: stores as the functions of this folder open them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from sansio_cache.policy import Policy, make_policy
from sansio_cache_adapters.stores.files.store import FileStore

__all__ = ["is_missing", "policy_of"]

_ALL: Final = {
    # Whether a response is reused is up to the sessions that read it.
    "cache_control": False,
    "allowed_codes": tuple(range(200, 600)),
    "allowed_methods": ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "REPORT", "PROPFIND"),
}


def policy_of(settings: Mapping[str, Any]) -> Policy:
    """A policy that keeps all it can, for sessions with these settings."""
    return make_policy({**_ALL, **settings})


def is_missing(store: Any) -> bool:
    """Whether opening a store would make it."""
    if isinstance(store, FileStore):
        return not os.path.lexists(os.path.join(store.location, "meta"))
    exists = getattr(store, "exists", None)
    return callable(exists) and not exists()
