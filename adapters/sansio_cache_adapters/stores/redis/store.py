"""The store in a Redis or Valkey server, which many machines share: blocking, and for tasks on asyncio and trio."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import inf
from typing import Any, Final

from sansio_cache.errors import CacheWarning, SettingError
from sansio_cache.names import explains
from sansio_cache.policy import SETTINGS
from sansio_cache.records import Item, Meta, Stored
from sansio_cache.sealing import Sealer, SecretKey, make_sealer
from sansio_cache_adapters.stores.forking import follow_forks
from sansio_cache_adapters.stores.maintenance import CLOSE_SECONDS, MaintainedStore
from sansio_cache_adapters.stores.protocol import (
    DEFAULT_MAX_BYTES,
    LEASE_SECONDS,
    AsyncStore,
    Lease,
    Listed,
    Seen,
    Size,
)
from sansio_cache_adapters.stores.rows import Row
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven, check_bounds, keys_of

from .clients import describe, redis_module
from .runners import AsyncRunner, Runner
from .verbs import Bound, Verbs, unseen

__all__ = ["LISTED_AT_ONCE", "RedisStore"]

LISTED_AT_ONCE: Final = 500
_OF_THE_SERVER: Final = (
    "What it holds in all is bounded at the server: maxmemory says how much, and maxmemory-policy what makes room "
    "(allkeys-lru, or volatile-lru beside what must stay)"
)


class RedisStore(MaintainedStore):
    """A store in a Redis (6 or newer) or Valkey server, a cluster, or what sentinels watch over.

    All who use one server and prefix share the cache. Records expire by themselves, by the server's clock; leases
    too, so that the clocks of several hosts may differ. How much there may be in all is the server's ``maxmemory``, and
    its ``maxmemory-policy`` says what makes room: ``allkeys-lru``, or ``volatile-lru`` beside what must stay.

    :param url_or_client: ``redis://``, ``rediss://`` or ``unix://``, or a client of redis-py, blocking or for asyncio:
        ``Redis``, ``RedisCluster`` or one made by ``Sentinel``. A client only says where and how to connect: the store
        opens connections of its own. ``fakeredis.FakeRedis`` is used as it is, for tests.
    :param prefix: begins every key; no braces.
    :param max_bytes: bytes of one record at most, 1 GiB where it is left out; of all together the server keeps count,
        and a warning says so.
    :param max_entries: not taken: the server bounds bytes.
    :param secret_key: signs records and verifies them, as for a session.
    :param timeout: seconds after which a call gives up.
    :raises SettingError: for settings of wrong type or value.
    :raises ImportError: if redis-py is not installed.
    """

    @explains("RedisStore", SETTINGS)
    def __init__(
        self,
        url_or_client: Any = "redis://localhost",
        *,
        prefix: str = "sansio-cache",
        max_bytes: int | None = None,
        max_entries: int | None = None,
        secret_key: SecretKey | Ungiven = UNGIVEN,
        timeout: float = 1.0,
    ) -> None:
        super().__init__()
        redis_module()
        self.max_bytes: int = _bound_of_one(max_bytes, max_entries)
        if not isinstance(prefix, str) or not prefix or set(prefix) & set("{}"):
            raise SettingError(f"prefix takes text without braces, not {prefix!r}")
        if not isinstance(timeout, int | float) or isinstance(timeout, bool) or not 0 < timeout <= 60:
            raise SettingError(f"timeout takes seconds above 0, 60 at most, not {timeout!r}")
        self.sealer: Sealer | None = None if secret_key is UNGIVEN else make_sealer(secret_key)
        self._given: dict[str, Any] = {"prefix": prefix, "max_bytes": max_bytes, "timeout": timeout}
        self._place = url_or_client
        self._target = describe(url_or_client)
        self._timeout = float(timeout)
        self.verbs: Verbs = Verbs(prefix, max_bytes=self.max_bytes)
        self._runner = Runner(self._target, self._timeout)
        follow_forks(self)

    def begin_anew(self) -> None:
        """In the child of a fork, begin with connections of its own."""
        self._runner.begin_anew()

    def __reduce__(self) -> tuple[Callable[[], RedisStore], tuple[()]]:
        return partial(type(self), self._place, **self._given, secret_key=keys_of(self.sealer)), ()

    def for_async(self) -> AsyncStore:
        """The same store for tasks, on asyncio and trio; the two share prefix and maintenance thread."""
        from .asynchronous import AsyncRedisStore  # which knows this store

        return AsyncRedisStore(self, AsyncRunner(self._target, self._timeout, self._runner))

    @property
    def location(self) -> str:
        """Where it lies, without any password, and the prefix."""
        return f"{self._target.location}#{self.verbs.names.prefix}"

    def open(self, *, signed: bool) -> Meta:
        """The meta record; ``signed=True`` marks the store as signed.

        :raises ForeignStore: if something else lies in its place.
        """
        return self._runner.run(self.verbs.open(signed=signed))

    def exists(self) -> bool:
        """Whether there is a cache under this prefix. Nothing is made."""
        return self._runner.run(self.verbs.exists())

    # Reading

    def load(self, partition: bytes) -> Sequence[Stored]:
        """All records of a partition."""
        return self._runner.run(self.verbs.load(partition))

    def hashes(self, entry: bytes) -> bytes:
        """The hashes of a body's chunks."""
        return self._runner.run(self.verbs.hashes(entry))

    def chunk(self, entry: bytes, index: int) -> bytes:
        """One chunk of a body."""
        return self._runner.run(self.verbs.chunk(entry, index))

    # Writing

    def write(self, entry: bytes, index: int, data: bytes) -> None:
        """Write the next chunk of a pending body."""
        self._runner.run(self.verbs.write(entry, index, data))

    def abort(self, entry: bytes) -> None:
        """Mark a pending body as given up; the maintenance thread removes it."""
        if entry:
            self._maintenance(lambda: self._runner.run(self.verbs.abort(entry)))

    def commit(self, item: Item, *, vary_limit: int, now: float) -> bool:
        """Make a record visible in place of the one of its variant; False where it must not be."""
        self.see(now)
        return self._runner.run(self.verbs.commit(item, vary_limit=vary_limit, now=now))

    # Changing

    def change(self, seen: Sequence[Seen | Listed], new: Item | bytes | None) -> int:
        """Change or remove records, each if it still has the ``rev`` that was seen. How many had it."""
        return self._runner.run(self.verbs.change(seen, new))

    def drop(self, resource: bytes, *, now: float) -> int:
        """Remove every record of a resource, mark it, and free its leases."""
        return self._runner.run(self.verbs.drop(resource, now=now))

    # Leases

    def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease:
        """Take or renew the lease to fetch for a partition."""
        self.see(now)
        return self._runner.run(self.verbs.claim(partition, resource, token, now=now, until=until))

    def release(self, partition: bytes, token: bytes, *, open_until: float = 0.0) -> None:
        """Give the lease back; the maintenance thread does it, at once, or when the server answers again."""
        open_for = open_until - self.now if open_until else 0.0
        give_back = partial(self.verbs.release, partition, token, open_for=open_for)
        self._maintenance.insist(lambda: self._runner.run(give_back()), LEASE_SECONDS)

    # Maintenance

    def _rows(self, batch: int = LISTED_AT_ONCE) -> Iterator[Row]:
        seen = set[int]()
        for heads in self._runner.pages(self.verbs.names.every_heads, batch):
            yield from unseen(self._runner.run(self.verbs.rows(heads), longest=inf), seen)

    def listed(self, *, batch: int = LISTED_AT_ONCE) -> Iterator[Listed]:
        """Every record, each once. Takes its time: all keys of the server are looked through."""
        return (listed for row in self._rows(batch) if (listed := row.listed()) is not None)

    def clear(self) -> None:
        """Remove everything but the id and the salt. Takes its time, as :meth:`listed` does."""
        for pattern in self.verbs.names.all:
            for keys in self._runner.pages(pattern, LISTED_AT_ONCE):
                self._runner.run(self.verbs.clear(keys), longest=inf)

    def unsign(self) -> None:
        """Remove the mark that the store is signed."""
        self._runner.run(self.verbs.unsign())

    def take_salt(self, salt: bytes) -> bool:
        """See :class:`~sansio_cache_adapters.stores.protocol.TakingSalt`."""
        return next(self._rows(), None) is None and self._runner.run(self.verbs.take_salt(salt))

    def size(self) -> Size:
        """How much it holds. Slow, as :meth:`listed` is: no count is kept."""
        costs = [row.cost for row in self._rows()]
        pending = sum(
            self._runner.run(self.verbs.pending(bodies), longest=inf)
            for bodies in self._runner.pages(self.verbs.names.every_body, LISTED_AT_ONCE)
        )
        return Size(len(costs), sum(costs) + pending)

    def bound(self) -> Bound:
        """The bounds of the server: its ``maxmemory`` and its policy."""
        return self._runner.run(self.verbs.bound())

    def sweep(self, *, now: float, limit: int = 500) -> int:
        """Removes bodies that were given up; returns 0, since the server itself removes expired records."""
        self._maintenance.wait(self._timeout)
        return 0

    def write_uses(self, uses: dict[tuple[bytes, bytes], float]) -> None:
        """Write down when records were used."""
        self._runner.run(self.verbs.use(uses), longest=CLOSE_SECONDS)

    def close(self) -> None:
        """Write what is left (at most 5 s) and close every connection. Using the store again reopens it."""
        super().close_within(CLOSE_SECONDS)
        self._runner.close()

    def close_within(self, seconds: float) -> None:
        """Give back what was claimed, and write what is left. A server that does not answer is not waited for long."""
        super().close_within(min(seconds, self._timeout))


def _bound_of_one(max_bytes: int | None, max_entries: int | None) -> int:
    """The bounds of one record.

    :raises SettingError: for a bound that is none, or one on entries.
    """
    check_bounds(DEFAULT_MAX_BYTES if max_bytes is None else max_bytes, max_entries)
    if max_entries is not None:
        raise SettingError(f"RedisStore counts no entries: leave max_entries out. {_OF_THE_SERVER}")
    if max_bytes is None:
        return DEFAULT_MAX_BYTES
    said = f"max_bytes={max_bytes} bounds one response in RedisStore, and not all of them together. {_OF_THE_SERVER}"
    warnings.warn(said, CacheWarning, stacklevel=4)
    return max_bytes
