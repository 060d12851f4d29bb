"""The store in a folder of files, which several processes of one machine share."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import inf
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from weakref import ref

from sansio_cache.errors import StoreError
from sansio_cache.names import explains
from sansio_cache.policy import SETTINGS
from sansio_cache.records import CHUNK_SIZE, Item, Meta, Stored
from sansio_cache.sealing import Sealer, SecretKey, make_sealer
from sansio_cache_adapters.stores.claims import Claims
from sansio_cache_adapters.stores.forking import follow_forks
from sansio_cache_adapters.stores.lock_places import InFolder
from sansio_cache_adapters.stores.maintenance import MaintainedStore
from sansio_cache_adapters.stores.paths import absolute_path
from sansio_cache_adapters.stores.protocol import DEFAULT_MAX_BYTES, Lease, Listed, Seen, Size
from sansio_cache_adapters.stores.rows import Row
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven, check_bounds, keys_of

from . import bodies, heads, marks, sweep
from . import commit as commits
from .layout import (
    LOCK_FILE,
    TROUBLE,
    Ids,
    Root,
    check_writable,
    establish,
    is_of_one_key,
    is_signed,
    mapped,
    mark_signed,
    take_salt,
    trouble,
)
from .sweep import Sweeper, shards, walk

__all__ = ["FileStore"]

logger = logging.getLogger("sansio_cache")

T = TypeVar("T")
P = ParamSpec("P")
_DRAIN_SECONDS: Final = 0.5


class FileStore(MaintainedStore):
    """A store in a folder of a local file system, for the threads, event loops and processes of one machine.

    Small bodies lie beside their heads, one file per URL and user; large ones in a file of their own. The folder and
    all in it is for its owner only. Nothing is synced: after a loss of power a body may be broken; it is found by its
    digest, and dropped.

    :param path: the folder; made if there is none, and must be empty or a cache of ours if there is one.
    :param max_bytes: bytes of heads and bodies that it holds at most; the longest unused records go.
    :param max_entries: how many records it holds at most; None for no bound.
    :param secret_key: signs records and verifies them, as for a session.
    :raises SettingError: for settings of wrong type or value.
    """

    @explains("FileStore", SETTINGS)
    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_entries: int | None = None,
        secret_key: SecretKey | Ungiven = UNGIVEN,
    ) -> None:
        super().__init__()
        location = absolute_path(path, "FileStore takes the path of a folder")
        check_bounds(max_bytes, max_entries)
        self.max_bytes = max_bytes
        self.max_entries = max_entries
        self.sealer: Sealer | None = None if secret_key is UNGIVEN else make_sealer(secret_key)
        self._location = location
        self._root: Root | None = None
        self._ids: Ids | None = None
        self._replaced = deque[tuple[bytes, int]]()
        self._replaced_bytes = 0
        self._told = False
        self._lock = threading.RLock()
        self._claims = Claims(partial(InFolder, partial(self._root_of, ref(self)), LOCK_FILE))
        self._sweeper = Sweeper(max_bytes, inf if max_entries is None else max_entries)
        follow_forks(self)

    def begin_anew(self) -> None:
        """In the child of a fork, begin with locks of its own."""
        self._lock = threading.RLock()
        self._sweeper.forget()

    def __reduce__(self) -> tuple[Callable[[], FileStore], tuple[()]]:
        bounds: dict[str, Any] = {"max_bytes": self.max_bytes, "max_entries": self.max_entries}
        return partial(type(self), self._location, **bounds, secret_key=keys_of(self.sealer)), ()

    @property
    def location(self) -> str:
        """The absolute path of the folder."""
        return self._location

    def open(self, *, signed: bool) -> Meta:
        """The meta record; ``signed=True`` marks the store as signed.

        :raises ForeignStore: if something else lies at the path; it is left as it is.
        """
        with mapped(self._location):
            with self._lock:
                self._root, self._ids = establish(self._location, self._ids)
                root, ids = self._root, self._ids
            if signed and not is_signed(root):
                mark_signed(root, True)
            return Meta(ids.store_id, ids.salt, is_signed(root))

    def check(self) -> None:
        """Return if all of the folder could be written to now: a store that can only be read is in trouble.

        :raises StoreError: if it could not, and StoreBusy if somebody holds a lock.
        """
        self._with_root(check_writable)

    def _reopened(self) -> Root:
        """The folder, opened if it is not, and begun anew with the same ids if it was deleted."""
        with self._lock:
            if self._root is None:
                root, ids = establish(self._location, self._ids)
                if self._ids is not None and ids != self._ids:
                    raise StoreError(f"{self._location}: another store has taken the place of ours")
                self._root, self._ids = root, ids
            return self._root

    def _with_root(self, work: Callable[Concatenate[Root, P], T], *args: P.args, **options: P.kwargs) -> T:
        """The result of ``work``, which is done once more where the folder was deleted meanwhile."""
        with mapped(self._location):
            try:
                return work(self._root or self._reopened(), *args, **options)
            except FileNotFoundError:
                self._root = None
                return work(self._reopened(), *args, **options)

    def _if_in_place(
        self, otherwise: T, work: Callable[Concatenate[Root, P], T], *args: P.args, **options: P.kwargs
    ) -> T:
        """The same, or ``otherwise`` where something else has taken a place: it is trouble of one key alone."""

        def attempt(root: Root) -> T:
            try:
                return work(root, *args, **options)
            except OSError as error:
                if not is_of_one_key(root, error):
                    raise
                self._tell_of(error)
                return otherwise

        return self._with_root(attempt)

    def _tell_of(self, error: OSError) -> None:
        level = logging.DEBUG if self._told else logging.WARNING
        self._told = True
        text = "%s: something else lies in the place of a file or folder of one URL, which is not cached: %s"
        logger.log(level, text, self._location, error)

    # Reading

    def load(self, partition: bytes) -> Sequence[Stored]:
        """All records of a partition."""
        try:
            return heads.load(self._root or self._reopened(), partition) or ()
        except TROUBLE as error:
            raise trouble(self._location, error) from error

    def load_nowait(self, partition: bytes) -> Sequence[Stored] | None:
        """The same, or None where the file is large or the folder is not open yet."""
        root = self._root
        try:
            return None if root is None else heads.load(root, partition, at_once=True)
        except TROUBLE as error:
            raise trouble(self._location, error) from error

    def hashes(self, entry: bytes) -> bytes:
        """The hashes of a body's chunks."""
        with mapped(self._location):
            return bodies.read_hashes(self._root or self._reopened(), entry, max(self.max_bytes, DEFAULT_MAX_BYTES))

    def chunk(self, entry: bytes, index: int) -> bytes:
        """One chunk of a body."""
        with mapped(self._location):
            return bodies.read_chunk(self._root or self._reopened(), entry, index)

    # Writing

    def write(self, entry: bytes, index: int, data: bytes) -> None:
        """Write the next chunk of a pending body."""
        if index * CHUNK_SIZE + len(data) > self.max_bytes:
            raise StoreError("the body is larger than the store")
        self._with_root(bodies.write_chunk, entry, index, data)

    def abort(self, entry: bytes) -> None:
        """Mark a pending body as given up; the maintenance thread removes it."""
        if entry:
            self._maintenance(lambda: self._with_root(bodies.give_up, entry))

    def commit(self, item: Item, *, vary_limit: int, now: float) -> bool:
        """Make a record visible in place of the one of its variant; False where it must not be."""
        self.see(now)
        kept, gone = self._if_in_place(
            (False, []), commits.commit, item, vary_limit=max(vary_limit, 1), max_bytes=self.max_bytes, now=now
        )
        if gone:
            self._let_go(gone, now)
        if kept:
            self._sweeper.grew(item.size + len(item.sealed))
            self._maintenance.later()
        return kept

    # Changing

    def change(self, seen: Sequence[Seen | Listed], new: Item | bytes | None) -> int:
        """Change or remove records, each if it still has the ``rev`` that was seen. How many had it."""
        places: dict[tuple[bytes, bytes], set[tuple[bytes, int]]] = {}
        for each in seen:
            resource = each.resource if isinstance(each, Listed) else new.resource if isinstance(new, Item) else b""
            places.setdefault((resource, each.partition), set()).add((each.variant, each.rev))
        return sum(self._change(*place, wanted, new) for place, wanted in places.items())

    def _change(self, resource: bytes, partition: bytes, seen: set[tuple[bytes, int]], new: Item | bytes | None) -> int:
        place = resource or self._with_root(heads.resource_of, partition)
        if place is None:
            return 0
        found = self._if_in_place([], commits.exchange, place, partition, seen, partial(_changed, new))
        if new is None:
            self._let_go(found, time.time())
        return len(found)

    def drop(self, resource: bytes, *, now: float) -> int:
        """Remove every record of a resource, mark it, and free what this process claimed of it."""
        self.see(now)
        self._if_in_place(None, marks.mark, resource, now)
        gone, away = self._if_in_place(([], ""), heads.drop_folder, resource)
        self._let_go(gone, now)
        self._maintenance(lambda: self._with_root(bodies.clear_pending, away, before=inf))
        if self._sweeper.marked():
            self._maintenance(lambda: self._with_root(marks.fold_marks, now))
        self._claims.free(resource)
        return len(gone)

    def _let_go(self, rows: Sequence[Row], now: float) -> None:
        """Keep the bodies of these records for a while, in a quarter of the bound at most."""
        self._with_root(bodies.let_go, rows, now)
        surplus: list[bytes] = []
        with self._lock:
            for row in rows:
                if row.body is None:
                    self._replaced.append((row.entry, row.size))
                    self._replaced_bytes += row.size
            while self._replaced_bytes > self.max_bytes // 4:
                entry, size = self._replaced.popleft()
                self._replaced_bytes -= size
                surplus.append(entry)
        for entry in surplus:
            self._with_root(bodies.remove_body, entry)

    # Claims

    @staticmethod
    def _root_of(store: ref[FileStore]) -> Root | None:
        living = store()
        return None if living is None else living._root

    def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease:
        """Take or renew the claim to fetch for a partition."""
        self.see(now)
        _ = self._root or self._with_root(is_signed)
        return self._claims.claim(partition, resource, token, now=now, until=until)

    def release(self, partition: bytes, token: bytes, *, open_until: float = 0.0) -> None:
        """Give the claim back."""
        self._claims.release(partition, token, open_until=open_until)

    # Maintenance

    def listed(self, *, batch: int = 500) -> Iterator[Listed]:
        """Every record; no lock is held at any time."""
        with mapped(self._location):
            there = shards(self._root or self._reopened(), "resources")
        for number in there:
            with mapped(self._location):
                root = self._root or self._reopened()
                rows = [row for *_, each in walk(root, number) for row in each]
            yield from (listed for row in rows if (listed := row.listed()) is not None)

    def clear(self) -> None:
        """Remove everything but the id, the salt and the marks of dropped resources."""
        self._with_root(sweep.clear)

    def unsign(self) -> None:
        """Remove the mark that the store is signed."""
        self._with_root(mark_signed, False)

    def take_salt(self, salt: bytes) -> bool:
        """See :class:`~sansio_cache_adapters.stores.protocol.TakingSalt`."""
        taken = None if self.size().entries else self._with_root(take_salt, salt)
        self._ids = taken or self._ids
        return taken is not None

    def size(self) -> Size:
        """How much it holds, counted by a walk through all of it."""
        return self._with_root(sweep.measure)

    def sweep(self, *, now: float, limit: int = 500) -> int:
        """One batch of what has expired, was replaced or left over, and then of what is over the bound."""
        self.see(now)
        self._maintenance.wait(_DRAIN_SECONDS)
        return self._with_root(self._sweeper.sweep, now, limit)

    def maintain(self) -> float | None:
        """Write down what was used, and sweep if that is due. In how many seconds to do so again."""
        super().maintain()
        root = self._root
        if root is not None:
            root.forget()
        return self._with_root(self._sweeper.maintain, self.now) if self.now else None

    def write_uses(self, uses: dict[tuple[bytes, bytes], float]) -> None:
        """Write down when records were used."""
        for (partition, entry), now in uses.items():
            self._if_in_place(None, heads.set_used, partition, entry, now)

    def close_within(self, seconds: float) -> None:
        """Write what is left, waiting for so long at most, and close the folder."""
        if self._root is None:
            return
        super().close_within(seconds)
        self._root = None
        self._claims.close()
        self._sweeper.forget()


def _changed(new: Item | bytes | None, row: Row) -> list[Row]:
    """The record that takes the place of one, if any."""
    if new is None:
        return []
    return [row.resealed(new) if isinstance(new, bytes) else row.freshened(new)]
