"""The stores between which responses are moved, as the functions of this folder open them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Final

from sansio_cache.errors import SettingError
from sansio_cache.policy import Policy, make_policy
from sansio_cache.sealing import SecretKey
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.opening import Keeper, resolve
from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.stores.settings import Ungiven

__all__ = ["is_missing", "policy_of", "target_of"]

_ALL: Final[dict[str, Any]] = {
    # Whether a response is reused is up to the sessions that read it.
    "cache_control": False,
    "allowed_codes": tuple(range(200, 600)),
    "allowed_methods": ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "REPORT", "PROPFIND"),
}


def policy_of(settings: Mapping[str, Any]) -> Policy:
    """A policy that keeps all it can, for sessions with these settings."""
    return make_policy({**_ALL, **settings})


def target_of(target: Any, secret_key: SecretKey | Ungiven, settings: Mapping[str, Any]) -> BlockingCache:
    """The store and the settings for responses, so that the intended sessions find them.

    :param target: what ``cache=`` takes, or a session.
    :param settings: of those sessions; a session says them itself.
    :raises SettingError: for a wrong setting, and for one beside a session.
    """
    keeper: object = getattr(target, "cache", target)
    if not isinstance(keeper, Keeper):
        policy = policy_of(settings)
        return BlockingCache(policy, *resolve(target, secret_key))
    if settings or not isinstance(secret_key, Ungiven):
        said = ", ".join([*settings, *([] if isinstance(secret_key, Ungiven) else ["secret_key"])])
        raise SettingError(f"a session has settings and a secret of its own: leave out {said}")
    store, sealer, own = keeper.kept_under()
    plain: dict[str, Any] = {
        "expire_after": None,
        "urls_expire_after": {},
        "filter_fn": None,
        "read_only": False,
        "offline": False,
    }
    return BlockingCache(dataclasses.replace(own, **_ALL, **plain), store, sealer)


def is_missing(store: Any) -> bool:
    """Whether opening a store would make it."""
    if isinstance(store, FileStore):
        return not os.path.lexists(os.path.join(store.location, "meta"))
    exists = getattr(store, "exists", None)
    return callable(exists) and not exists()
