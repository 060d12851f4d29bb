"""From what a user gives as ``cache=`` and ``secret_key=`` to a store and its sealer."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol, cast, runtime_checkable
from weakref import WeakKeyDictionary

from sansio_cache.errors import SettingError
from sansio_cache.policy import Policy
from sansio_cache.records import Meta
from sansio_cache.sealing import UNSIGNED, Sealer, SecretKey, make_sealer
from sansio_cache_adapters.stores.default import default_store
from sansio_cache_adapters.stores.forking import renew_in_child
from sansio_cache_adapters.stores.protocol import AsyncStore, Checking, ForTasks, Instant, Store
from sansio_cache_adapters.stores.settings import Ungiven

from .locations import no_store, store_at
from .setup import Setup, check_place

__all__ = ["CacheLocation", "Keeper", "KeptUnder", "awaitable", "probing", "resolve", "sealer_for", "store_of"]


class KeptUnder(NamedTuple):
    """The store of a session's responses, with its secret and settings."""

    store: Any
    sealer: Sealer
    policy: Policy


@runtime_checkable
class Keeper(Protocol):
    """The ``cache`` of a session, whatever its client."""

    def kept_under(self) -> KeptUnder:
        """The store, as it was given to the session."""
        ...


CacheLocation = str | os.PathLike[str] | Store | None
"""The types that ``cache=`` takes."""
_VERBS: Final = ("open", "load", "commit", "change", "close")
_lock = threading.RLock()
renew_in_child(sys.modules[__name__], "_lock", threading.RLock)
_sealers: WeakKeyDictionary[Any, Sealer] = WeakKeyDictionary()
"""Guarded by ``_lock``."""


def resolve(cache: object, secret_key: SecretKey | Ungiven) -> tuple[Any, Sealer]:
    """The store and the sealer that a session uses.

    :param cache: a path, a store, one of the URLs of :mod:`.locations`, or None for the default place, which is always
        unsigned since all programs share it.
    :raises SettingError: for another type, for a secret without a place, or for a secret other than the store's.
    """
    if cache is None:
        check_place(secret_key)
        store: Any = default_store()
    elif isinstance(cache, str | os.PathLike):
        store = store_at(cast("str | os.PathLike[str]", cache))
    elif not isinstance(cache, type) and all(callable(getattr(cache, verb, None)) for verb in _VERBS):
        store = cast(Any, cache)
    else:
        raise no_store(cache)
    return store, sealer_for(store, secret_key)


def store_of(setup: Setup) -> Any:
    """The store of a session: the one that it was given, or that of its file, which is made here."""
    if setup.given is not None:
        return setup.given
    store = default_store() if setup.path is None else store_at(setup.path)
    sealer_for(store, setup.sealer)
    return store


def sealer_for(store: object, secret_key: SecretKey | Sealer | Ungiven) -> Sealer:
    """The sealer of a store: the one it first got. Given again, the secret must be the same.

    :param secret_key: the secret, or the sealer that was made of it.

    :raises SettingError: for a wrong key, or another than the store has.
    """
    own = getattr(store, "sealer", None)
    if isinstance(secret_key, Ungiven):
        given = UNSIGNED
    else:
        given = secret_key if isinstance(secret_key, Sealer) else make_sealer(secret_key)
    with _lock:
        known = own if isinstance(own, Sealer) and own.signed else _sealers.get(store)
        if known is None or (not known.signed and not given.signed):
            _sealers[store] = given
            return given
        if not given.signed and isinstance(own, Sealer) and own.signed:
            return own
        if given != known:
            raise SettingError(
                "this store object was given another secret_key (or none) before: one store, one secret. "
                "Give the secret to the store or to every session; to change it, list both: secret_key=[old, new]"
            )
        return known


def probing(store: Store, sealer: Sealer) -> Callable[[], Meta]:
    """A function that opens a store again and raises while it is in trouble; blocking.

    A store that has a ``check`` beside ``open`` (SQLite, files) is asked whether it could be written to, too.
    """

    def probe() -> Meta:
        meta = store.open(signed=sealer.signed)
        if isinstance(store, Checking):
            store.check()
        return meta

    return probe


def awaitable(store: Store) -> AsyncStore | Store:
    """A blocking store as tasks use it.

    Stores of ours and of users that are blocking are run in threads (``Threaded``), one for each store object however
    many sessions use it; one with a ``for_async`` of its own (Redis) is asked for it. A store whose every verb takes
    microseconds (``store.instant``, as MemoryStore has it) is called by tasks as it is.
    """
    if isinstance(store, Instant) and store.instant:
        return store
    if isinstance(store, ForTasks):
        return store.for_async()
    from sansio_cache_adapters.stores.threaded import threaded

    return threaded(store)
