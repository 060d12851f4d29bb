"""Which cache a command is about, and how it is opened: not made where there is none, read-only where that will do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from sansio_cache.errors import ForeignStore
from sansio_cache.keys import Keys
from sansio_cache.messages import Request
from sansio_cache.policy import Policy
from sansio_cache.records import Flaw, Meta, open_record
from sansio_cache.rules import Rules
from sansio_cache.sealing import UNSIGNED, Sealer, make_sealer
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.locations import store_at
from sansio_cache_adapters.cache.stored_responses import StoredResponses
from sansio_cache_adapters.stores.default import Nowhere, default_path
from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.stores.foreign import describe_folder, left_alone
from sansio_cache_adapters.stores.memory import MemoryStore
from sansio_cache_adapters.stores.protocol import Listed, Store
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore

from .errors import Trouble, WrongUse
from .secret import SECRET, from_environment, from_file, from_keyring

__all__ = ["CACHE", "NOT_SIGNED", "OpenCache", "PlaceOptions", "exists", "pass_place"]

CACHE: Final = "SANSIO_CACHE"
NOT_SIGNED: Final = "The cache is not signed: leave the secret out, or begin to sign it with resign --sign-unsigned"
_LOOKED_AT: Final = 100
"""Records that tell whether a secret is the right one."""
_UNBOUNDED: Final = 1024**4
"""The program sets how much its store may hold: a store that is opened here evicts nothing."""


class OpenCache(NamedTuple):
    """An open store, and what it takes to read it.

    :ivar unverified: it is signed and no secret was given: its records are read without verifying them.
    """

    store: Store
    meta: Meta
    sealer: Sealer
    rules: Rules
    now: float
    unverified: bool = False

    @property
    def wants_no_secret(self) -> bool:
        """Whether a secret was given for what is not signed: all of it is unusable then."""
        return self.sealer.signed and not self.meta.signed

    def strange(self) -> int:
        """How many records were looked at, where the secret verifies none of them; 0 where it verifies any."""
        if not (self.meta.signed and self.sealer.signed):
            return 0
        looked = 0
        for listed in islice(self.store.listed(batch=_LOOKED_AT), _LOOKED_AT):
            keys = Keys(listed.resource, listed.partition)
            if open_record(listed.stored, keys, self.rules.place, self.sealer) is not Flaw.SIGNATURE:
                return 0
            looked += 1
        return looked

    def responses(self, tick: Callable[[], None] = lambda: None) -> StoredResponses:
        """The ``session.cache`` of a session.

        :param tick: called for each record that is looked at.
        """
        watched: Any = _Watched(self.store, tick)
        cache = BlockingCache(self.rules.policy, watched, self.sealer)
        cache.engine.take_meta(self.meta)
        return StoredResponses(cache, _ask, _take)


class _Watched:
    """A store that tells of each record that it lists."""

    def __init__(self, store: Any, tick: Callable[[], None]) -> None:
        self._store = store
        self._tick = tick

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def listed(self, *, batch: int = 500) -> Iterator[Listed]:
        for each in self._store.listed(batch=batch):
            self._tick()
            yield each


def _ask(thing: Any, method: str, keywords: dict[str, Any]) -> Request:
    return thing if isinstance(thing, Request) else Request(method, str(thing))


def _take(response: object) -> Any:
    raise AssertionError(response)


@dataclass
class PlaceOptions:
    """The cache and the secret that the options name. The last one given counts."""

    cache: str | None = None
    secret_file: str | None = None
    keyring_name: str | None = None
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    clock: Callable[[], float] = time.time

    def store(self) -> Any:
        """The store that was named; the user's default cache where none was. Nothing is opened.

        :raises SettingError: for what names no store.
        :raises WrongUse: for a cache in memory.
        """
        named = os.environ.get(CACHE) if self.cache is None else self.cache
        if not named:
            path = default_path()
            if path is None:
                raise Trouble("there is no home folder with a default cache: say which with --cache", Trouble.STORE)
            return SQLiteStore(path, max_bytes=_UNBOUNDED)
        if "://" not in named and Path(named).expanduser().is_dir():
            return FileStore(named, max_bytes=_UNBOUNDED)  # a SQLite file is never a folder
        found = store_at(named, max_bytes=_UNBOUNDED)
        if isinstance(found, Nowhere):
            raise WrongUse(f"there is no home folder for {named}")
        if isinstance(found, MemoryStore):
            raise WrongUse(
                "a cache in memory lives in its program, and ends with it: no other process can look into it. "
                "Give the program a path instead, or use session.cache in it"
            )
        return found

    def secret(self) -> list[str] | None:
        """The secrets, oldest first, or None where none was given."""
        if self.secret_file is not None and self.keyring_name is not None:
            raise WrongUse("give --secret-file or --keyring, not both")
        if self.secret_file is not None:
            return from_file(self.secret_file)
        if self.keyring_name is not None:
            return [from_keyring(self.keyring_name)]
        if not (self.cache or os.environ.get(CACHE)):
            return None  # the default cache is shared by all programs, and never signed
        found = from_environment()
        return None if found is None else [found]

    def target(self, *, reading: bool = False) -> tuple[Any, dict[str, Any]]:
        """The store, for what opens it itself, and the secret as a keyword.

        :param reading: it is only read.
        :raises Trouble: it is to be read, and is not there.
        """
        secret, store = self.secret(), self.store()
        if reading and not exists(store):
            raise Trouble(f"there is no cache at {store.location}", Trouble.STORE)
        if reading and isinstance(store, SQLiteStore):
            store = store.for_reading()
        click.get_current_context().call_on_close(store.close)
        return store, {} if secret is None else {"secret_key": secret}

    def policy(self) -> Policy:
        """The settings that were given."""
        return Policy(**self.settings)

    def open(
        self,
        *,
        writes: bool = False,
        makes: bool = False,
        unverified: bool = False,
        checks: bool = True,
        secret: Sequence[str] | None = None,
    ) -> OpenCache:
        """The store, opened.

        :param writes: the command changes it; else it is opened to be read, where the store knows the difference.
        :param makes: it is made where there is none.
        :param unverified: a signed one may be looked at without its secret.
        :param checks: a secret that verifies nothing of the first records is taken for a wrong one.
        :param secret: the secrets, oldest first; else those of the options.
        :raises Trouble: there is none, or it is signed and there is no secret, or a wrong one.
        """
        secret = self.secret() if secret is None else secret
        sealer = UNSIGNED if secret is None else make_sealer(secret)
        policy = self.policy()
        store = self.store()
        if not makes and not exists(store):
            raise Trouble(f"there is no cache at {store.location}", Trouble.STORE)
        if isinstance(store, SQLiteStore) and not writes and not makes:
            store = store.for_reading()
        store.sealer = sealer if sealer.signed else None
        # Not signed=True: to look into a store must not mark it.
        meta = store.open(signed=makes and sealer.signed)
        is_open = meta.signed and not sealer.signed
        if is_open and not unverified:
            said = f"the cache at {store.location} is signed: give its secret in {SECRET}, "
            raise Trouble(f"{said}by --secret-file or by --keyring", Trouble.SECRET)
        click.get_current_context().call_on_close(store.close)
        opened = OpenCache(store, meta, sealer, Rules(policy, meta, sealer), self.clock(), unverified=is_open)
        if checks and not unverified and (strange := opened.strange()):
            raise Trouble(
                f"the cache at {store.location} was signed with another secret: the one that was given verifies none "
                f"of {strange} records. After a change of the secret give both, one a line (--secret-file)",
                Trouble.SECRET,
            )
        return opened


def exists(store: Any) -> bool:
    """Whether there is a cache at a store's place. Nothing is made.

    :raises StoreError: that cannot be told, or something else lies there.
    """
    if not isinstance(store, FileStore):
        found: bool = store.exists()
        return found
    folder = Path(store.location)
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise ForeignStore(f"{folder} is a file, and no folder of a cache")
    names = [each.name for each in folder.iterdir()]
    if names and not {"meta", "CACHEDIR.TAG"} <= set(names):
        raise ForeignStore(left_alone(store.location, describe_folder(names)))
    return bool(names)


pass_place = click.make_pass_decorator(PlaceOptions, ensure=True)
