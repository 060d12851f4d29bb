"""Care of a cache: ``session.cache``, the same for blocking and awaiting sessions.

The verbs are work, written once; :class:`Care` does them by calling, :class:`AsyncCare` by awaiting. None of them ever
raises for a record that is broken or forged: it is counted and logged, and the others go on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Any, Final, NamedTuple

from sansio_cache.errors import SettingError, StoreError
from sansio_cache.expiry import parse_seconds
from sansio_cache.freshness import remaining
from sansio_cache.keys import Keys
from sansio_cache.messages import Request
from sansio_cache.records import Flaw, Record, encode_head, open_record
from sansio_cache.rules import Rules
from sansio_cache.sealing import UNSIGNED
from sansio_cache_adapters.stores.protocol import Listed, Size

from .engine import Engine
from .events import Stats, logger
from .work import Work, do, do_async

__all__ = ["AsyncCare", "Care", "Entry", "Verified"]

_END: Final = object()
_BATCH: Final = 500
_REMOVED_AT_ONCE: Final = 2000
"""Records that are kept in memory to be removed together."""


class Entry(NamedTuple):
    """A stored response as maintenance shows it.

    :ivar url: redacted.
    :ivar size: bytes of the body.
    :ivar received_at: POSIX seconds.
    :ivar expires_at: POSIX seconds, by this session's settings; infinite for never.
    """

    key: str
    method: str
    url: str
    status: int
    size: int
    received_at: float
    expires_at: float
    tags: tuple[str, ...]


class Verified(NamedTuple):
    """What ``verify`` found: how many records are good, and how many have which flaw."""

    good: int
    flaws: dict[str, int]


class _CareWork:
    """The verbs as work.

    :param advance: the next of the store's records, or ``_END``; blocks or returns an awaitable.
    """

    def __init__(self, engine: Engine, advance: Callable[[Any], Any]) -> None:
        self._engine = engine
        self._advance = advance

    def rules(self) -> Work[Rules]:
        rules = yield from self._engine.opened()
        if rules is None:
            raise StoreError(f"the cache at {self._engine.store.location} cannot be opened now")
        return rules

    def each(self, take: Callable[[Listed, Record | Flaw], Work[object] | None]) -> Work[None]:
        """Show every record, opened, to ``take``, and do what work that gives."""
        rules = yield from self.rules()
        walk = self._engine.store.listed(batch=_BATCH)
        while True:
            listed: Any = yield partial(self._advance, walk)
            if listed is _END:
                return
            keys = Keys(listed.resource, listed.partition)
            opened = open_record(listed.stored, keys, rules.place, rules.sealer)
            if isinstance(opened, Flaw):
                kind = "bad-signature" if opened in (Flaw.SIGNATURE, Flaw.PLACE) else "flaw"
                self._engine.events.tell(kind, listed.method, listed.url, listed.status, opened.value, keys.partition)
            work = take(listed, opened)
            if work is not None:
                yield from work

    def entries(self) -> Work[list[Entry]]:
        found: list[Entry] = []

        def take(_: Listed, opened: Record | Flaw) -> None:
            if isinstance(opened, Record):
                found.append(self._entry(opened))

        yield from self.each(take)
        return found

    def _entry(self, record: Record) -> Entry:
        head = record.head
        expires_at = head.received_at + self._remaining(record, head.received_at)
        key = head.partition.hex()
        return Entry(key, head.method, head.url, head.status, head.length, head.received_at, expires_at, head.tags)

    def _remaining(self, record: Record, now: float) -> float:
        head, policy = record.head, self._engine.policy
        expiry = policy.expiry_for(Request(head.method, head.url))
        return remaining(head.facts, head.status, head.received_at, now, policy, expiry)

    def contains(self, request: Request) -> Work[bool]:
        rules = yield from self.rules()
        keys = rules.maker.keys(request)
        stored = yield partial(self._engine.store.load, keys.partition)
        records, _ = rules.open(stored, keys)
        return bool(rules.matching(request, records))

    def delete(self, criteria: Criteria) -> Work[int]:
        rules = yield from self.rules()
        store, now = self._engine.store, self._engine.clock()
        count = 0
        for url in criteria.urls:
            count += yield partial(store.drop, rules.maker.resource_of_url(url), now=now)
        if not criteria.walks:
            return count
        doomed: list[Listed] = []

        def remove() -> Work[None]:
            nonlocal count
            count += yield partial(store.remove, doomed)
            doomed.clear()

        def take(listed: Listed, opened: Record | Flaw) -> Work[None] | None:
            if self._doomed(opened, criteria, now):
                doomed.append(listed)
            return remove() if len(doomed) >= _REMOVED_AT_ONCE else None

        yield from self.each(take)
        yield from remove()
        return count

    def _doomed(self, opened: Record | Flaw, criteria: Criteria, now: float) -> bool:
        if isinstance(opened, Flaw):
            return criteria.invalid
        head = opened.head
        return (
            (criteria.expired and self._remaining(opened, now) <= 0.0)
            or (criteria.older_than is not None and head.received_at < now - criteria.older_than)
            or not criteria.tags.isdisjoint(head.tags)
        )

    def verify(self) -> Work[Verified]:
        good = 0
        flaws: dict[str, int] = {}

        def take(_: Listed, opened: Record | Flaw) -> None:
            nonlocal good
            if isinstance(opened, Record):
                good += 1
            else:
                flaws[opened.value] = flaws.get(opened.value, 0) + 1

        yield from self.each(take)
        return Verified(good, flaws)

    def resign(self, *, unsign: bool) -> Work[int]:
        rules = yield from self.rules()
        sealer = UNSIGNED if unsign else rules.sealer
        if not unsign and not sealer.signed:
            raise SettingError("resign needs the session's secret_key; to remove signatures say unsign=True")
        count = 0

        def reseal(listed: Listed, record: Record) -> Work[None]:
            nonlocal count
            count += yield partial(self._engine.store.reseal, listed, sealer.seal(encode_head(record.head)))

        def take(listed: Listed, opened: Record | Flaw) -> Work[None] | None:
            is_old = isinstance(opened, Record) and (unsign or not sealer.verifies_newest(listed.stored.sealed))
            return reseal(listed, opened) if isinstance(opened, Record) and is_old else None

        yield from self.each(take)
        if unsign:
            yield self._engine.store.unsign
        return count

    def clear(self) -> Work[None]:
        yield self._engine.store.clear
        logger.info("the cache at %s was cleared", self._engine.store.location)


class Criteria(NamedTuple):
    """What ``delete`` is to remove."""

    urls: tuple[str, ...]
    expired: bool
    invalid: bool
    older_than: float | None
    tags: frozenset[str]

    @property
    def walks(self) -> bool:
        """Whether every record must be looked at."""
        return self.expired or self.invalid or self.older_than is not None or bool(self.tags)


def _criteria(
    urls: Iterable[str],
    requests: Iterable[Any],
    expired: bool,
    older_than: float | timedelta | None,
    invalid: bool,
    tags: Iterable[str],
) -> Criteria:
    for name, value in (("urls", urls), ("tags", tags)):
        if isinstance(value, str | bytes):
            raise SettingError(f"{name} takes a list, not {value!r}")
    asked = (*urls, *(str(getattr(each, "url", each)) for each in requests))
    age = None if older_than is None else parse_seconds(older_than, "older_than")
    criteria = Criteria(asked, expired, invalid, age, frozenset(tags))
    if not (criteria.urls or criteria.walks):
        raise SettingError(
            "delete takes urls=, requests=, expired=True, older_than=, invalid=True or tags=; clear() removes all"
        )
    return criteria


class Care:
    """Looks after the cache of a blocking session."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._work = _CareWork(engine, lambda walk: next(walk, _END))

    @property
    def store(self) -> Any:
        """The store."""
        return self._engine.store

    @property
    def stats(self) -> Stats:
        """The counters of this session."""
        return self._engine.stats

    def contains(self, url: str, method: str = "GET") -> bool:
        """Whether a plain request for a URL has a stored response, fresh or not."""
        return do(self._work.contains(Request(method, url)))

    def entries(self) -> list[Entry]:
        """Every stored response that can be opened."""
        return do(self._work.entries())

    def urls(self) -> list[str]:
        """The URLs stored, redacted, each once, sorted."""
        return sorted({entry.url for entry in self.entries()})

    def filter(self, keep: Callable[[Entry], bool]) -> list[Entry]:
        """The stored responses for which ``keep`` is true."""
        return [entry for entry in self.entries() if keep(entry)]

    def size(self) -> Size:
        """How much the store holds."""
        size: Size = self._engine.store.size()
        return size

    def delete(
        self,
        *,
        urls: Iterable[str] = (),
        requests: Iterable[Any] = (),
        expired: bool = False,
        older_than: float | timedelta | None = None,
        invalid: bool = False,
        tags: Iterable[str] = (),
    ) -> int:
        """Remove what matches any of these; how many there were.

        :param urls: all stored responses of these URLs, whoever asked for them.
        :param requests: the same for objects with a ``url``.
        :param expired: those that are stale by this session's settings.
        :param older_than: those received longer ago; seconds or a timedelta.
        :param invalid: those that cannot be opened: broken, foreign, unsigned or forged.
        :param tags: those stored with any of these tags.
        :raises SettingError: for nothing to go by.
        :raises StoreError: the store is not well.
        """
        return do(self._work.delete(_criteria(urls, requests, expired, older_than, invalid, tags)))

    def clear(self) -> None:
        """Remove everything, and the mark that the store is signed."""
        do(self._work.clear())

    def verify(self) -> Verified:
        """Open every record's head and count what is wrong. Bodies are verified whenever they are read."""
        return do(self._work.verify())

    def resign(self, *, unsign: bool = False) -> int:
        """Seal with the newest key what an older one sealed; how many there were.

        :param unsign: remove signatures and the store's mark instead.
        """
        return do(self._work.resign(unsign=unsign))


class AsyncCare:
    """Looks after the cache of an awaiting session; see :class:`Care`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._work = _CareWork(engine, lambda walk: anext(walk, _END))

    @property
    def store(self) -> Any:
        """The store, as the session was given it."""
        return getattr(self._engine.store, "store", self._engine.store)

    @property
    def stats(self) -> Stats:
        """The counters of this session."""
        return self._engine.stats

    def contains(self, url: str, method: str = "GET") -> Awaitable[bool]:
        """See :meth:`Care.contains`."""
        return do_async(self._work.contains(Request(method, url)))

    def entries(self) -> Awaitable[list[Entry]]:
        """See :meth:`Care.entries`."""
        return do_async(self._work.entries())

    async def urls(self) -> list[str]:
        """See :meth:`Care.urls`."""
        return sorted({entry.url for entry in await self.entries()})

    async def filter(self, keep: Callable[[Entry], bool]) -> list[Entry]:
        """See :meth:`Care.filter`."""
        return [entry for entry in await self.entries() if keep(entry)]

    async def size(self) -> Size:
        """See :meth:`Care.size`."""
        size: Size = await self._engine.store.size()
        return size

    def delete(
        self,
        *,
        urls: Iterable[str] = (),
        requests: Iterable[Any] = (),
        expired: bool = False,
        older_than: float | timedelta | None = None,
        invalid: bool = False,
        tags: Iterable[str] = (),
    ) -> Awaitable[int]:
        """See :meth:`Care.delete`."""
        return do_async(self._work.delete(_criteria(urls, requests, expired, older_than, invalid, tags)))

    def clear(self) -> Awaitable[None]:
        """See :meth:`Care.clear`."""
        return do_async(self._work.clear())

    def verify(self) -> Awaitable[Verified]:
        """See :meth:`Care.verify`."""
        return do_async(self._work.verify())

    def resign(self, *, unsign: bool = False) -> Awaitable[int]:
        """See :meth:`Care.resign`."""
        return do_async(self._work.resign(unsign=unsign))
