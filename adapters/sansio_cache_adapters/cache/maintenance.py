"""What can be done with all that is stored, as work: written once for blocking and awaiting sessions.

None of it raises for a record that is broken or forged: it is counted and logged, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from sansio_cache.decisions import LookUp, Reuse, ReuseStale
from sansio_cache.errors import SettingError, StoreError
from sansio_cache.expiry import Expiry, pack, parse_seconds
from sansio_cache.freshness import expires_at
from sansio_cache.keeping import item_of
from sansio_cache.keys import Keys
from sansio_cache.messages import NO_OPTIONS, Options, Request
from sansio_cache.records import Flaw, Record, Remembered, encode_head, open_record, variant_of
from sansio_cache.rules import Rules
from sansio_cache.sealing import UNSIGNED
from sansio_cache_adapters.stores.protocol import Listed, Seen

from .asked import Asking
from .engine import Engine
from .events import logger
from .moments import moment
from .reading import StoredResponse, fetched, shown, whole_body
from .work import Work

__all__ = ["Criteria", "Entry", "Maintenance", "Verified", "criteria_of"]

_END: Final = object()
_BATCH: Final = 500
_REMOVED_AT_ONCE: Final = 2000
"""Records that are kept in memory to be removed together."""


class Entry(NamedTuple):
    """A stored response as maintenance shows it.

    :ivar url: redacted.
    :ivar size: bytes of the body.
    :ivar stored_at: when it was received; aware, UTC.
    :ivar expires_at: when it becomes stale, by the settings it was kept under; None for never.
    """

    key: str
    method: str
    url: str
    status: int
    size: int
    stored_at: datetime | None
    expires_at: datetime | None
    tags: tuple[str, ...]


class Verified(NamedTuple):
    """What ``verify`` found: how many records are good, and how many have which flaw."""

    good: int
    flaws: dict[str, int]


class Maintenance:
    """The verbs of ``session.cache``.

    :param ask: what users name a stored response by, as a request; blocks or returns an awaitable.
    """

    def __init__(self, engine: Engine, ask: Asking) -> None:
        self._engine = engine
        self._ask = ask

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
            listed: Any = yield partial(_next, walk)
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
        key = head.partition.hex()
        stored_at, expires_at = moment(head.received_at), moment(head.stale_at)
        return Entry(key, head.method, head.url, head.status, head.length, stored_at, expires_at, head.tags)

    def contains(self, thing: object, method: str, keywords: dict[str, Any], options: Options) -> Work[bool]:
        partition = partition_of(thing)
        if partition is not None:
            return bool((yield from self.of_partition(partition)))
        request: Request = yield partial(self._ask, thing, method, keywords)
        if options is not NO_OPTIONS:
            request = replace(request, options=options)
        if request.options.force_refresh:
            return False
        rules = yield from self.rules()
        plan = rules.plan(request)
        if not isinstance(plan, LookUp):
            return False
        for keys in (plan.keys, *plan.others):
            stored = yield partial(self._engine.store.load, keys.partition)
            records, _ = rules.open(stored, keys)
            choice = rules.choose(request, rules.matching(request, records), self._engine.clock())
            if isinstance(choice, Reuse | ReuseStale):
                return True
        return False

    def records(self) -> Work[list[Record]]:
        """Every record that can be opened, in the order in which the store lists them; without bodies."""
        found: list[Record] = []

        def take(_: Listed, opened: Record | Flaw) -> None:
            if isinstance(opened, Record):
                found.append(opened)

        yield from self.each(take)
        return found

    def key(self, thing: object, method: str, keywords: dict[str, Any]) -> Work[str]:
        """The partition key of a request, hexadecimal."""
        request: Request = yield partial(self._ask, thing, method, keywords)
        rules = yield from self.rules()
        return rules.maker.keys(request).partition.hex()

    def of_partition(self, partition: bytes) -> Work[list[Record]]:
        """The records of a partition that can be opened, the newest first."""
        rules = yield from self.rules()
        return (yield from fetched(self._engine, rules, partition))

    def matching(self, thing: object, method: str, keywords: dict[str, Any]) -> Work[Record | None]:
        """The stored response, fresh or stale, that a request would be answered from or validated by."""
        partition = partition_of(thing)
        if partition is not None:
            return next(iter((yield from self.of_partition(partition))), None)
        request: Request = yield partial(self._ask, thing, method, keywords)
        rules = yield from self.rules()
        keys = rules.maker.keys(request)
        stored = yield partial(self._engine.store.load, keys.partition)
        records, _ = rules.open(stored, keys)
        return next(iter(rules.matching(request, records)), None)

    def body(self, record: Record) -> Work[bytes]:
        """The body of a record, coding kept."""
        rules = yield from self.rules()
        return (yield from whole_body(self._engine, rules, record))

    def get(self, thing: object, method: str, keywords: dict[str, Any]) -> Work[StoredResponse | None]:
        """The stored response, fresh or stale, that a request would be answered from or validated by."""
        record = yield from self.matching(thing, method, keywords)
        return None if record is None else shown(record, (yield from self.body(record)))

    def discard(self, partition: bytes) -> Work[int]:
        """Remove the records of one partition; how many there were."""
        count = 0
        for record in (yield from self.of_partition(partition)):
            variant = variant_of(record.head.method, record.head.vary)
            seen = Seen(partition, variant, record.stored.rev)
            count += yield partial(self._engine.store.change, [seen], None)
        return count

    def expire(self, record: Record, expiry: Expiry) -> Work[bool]:
        """Give a record another time; whether it was still there.

        :param expiry: remembered with it, as a time that was given with one request.
        """
        rules = yield from self.rules()
        engine, policy, head = self._engine, self._engine.policy, record.head
        for stored in (yield from fetched(engine, rules, head.partition)):
            if stored.stored.rev == record.stored.rev and stored.stored.entry == record.stored.entry:
                request = Request(head.method, head.url)
                told = Remembered(pack(expiry), pack(policy.settings_time(request), policy.cache_control))
                stale_at = expires_at(head.facts, head.status, head.received_at, policy, expiry)
                new = replace(head, stale_at=stale_at, remembered=told)
                item = item_of(
                    new, rules.sealer, policy, body=stored.stored.body, entry=stored.stored.entry, hashes=b""
                )
                if item is not None:
                    seen = Seen(head.partition, item.variant, stored.stored.rev)
                    changed: int = yield partial(engine.store.change, [seen], item)
                    return changed > 0
        return False

    def delete(self, criteria: Criteria) -> Work[int]:
        rules = yield from self.rules()
        count = 0
        for partition in criteria.partitions:
            count += yield from self.discard(partition)
        for url in criteria.urls:
            request: Request = yield partial(self._ask, url, "GET", {})
            resource = rules.maker.resource(request)
            count += yield partial(self._engine.store.drop, resource, now=self._engine.clock())
        unreadable: set[bytes] = set()
        for thing in criteria.requests:
            request = yield partial(self._ask, thing, "GET", {})
            keys = rules.maker.keys(request)
            removed, all_read = yield from self._delete_request(rules, keys)
            count += removed
            if not all_read:
                unreadable.add(keys.partition)
        if criteria.walks or unreadable:
            count += yield from self._delete_walking(criteria, unreadable)
        return count

    def _delete_request(self, rules: Rules, keys: Keys) -> Work[tuple[int, bool]]:
        """Remove what is stored for one request, all variants; how many, and whether every record could be read."""
        store = self._engine.store
        stored = yield partial(store.load, keys.partition)
        records, flaws = rules.open(stored, keys)
        count = 0
        for record in records:
            variant = variant_of(record.head.method, record.head.vary)
            count += yield partial(store.change, [Seen(keys.partition, variant, record.stored.rev)], None)
        return count, not flaws

    def _delete_walking(self, criteria: Criteria, unreadable: set[bytes]) -> Work[int]:
        """Look at every record, and remove those that match.

        :param unreadable: partitions of which the records go that cannot be opened.
        """
        now = self._engine.clock()
        doomed: list[Listed] = []
        count = 0

        def remove() -> Work[None]:
            nonlocal count
            count += yield partial(self._engine.store.change, doomed, None)
            doomed.clear()

        def take(listed: Listed, opened: Record | Flaw) -> Work[None] | None:
            is_named = isinstance(opened, Flaw) and listed.partition in unreadable
            if is_named or self._doomed(opened, criteria, now):
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
            (criteria.expired and head.stale_at <= now)
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

    def resign(self, *, unsign: bool, sign_unsigned: bool = False) -> Work[int]:
        if unsign and sign_unsigned:
            raise SettingError("resign takes unsign=True or sign_unsigned=True: one is the contrary of the other")
        rules = yield from self.rules()
        sealer = UNSIGNED if unsign else rules.sealer
        if not unsign and not sealer.signed:
            raise SettingError("resign needs the session's secret_key; to remove signatures say unsign=True")
        count = 0

        def reseal(listed: Listed, record: Record) -> Work[None]:
            nonlocal count
            sealed = sealer.seal(encode_head(record.head))
            count += yield partial(self._engine.store.change, [listed], sealed)

        def take(listed: Listed, opened: Record | Flaw) -> Work[None] | None:
            if sign_unsigned and opened is Flaw.UNSIGNED:
                opened = open_record(listed.stored, Keys(listed.resource, listed.partition), rules.place, UNSIGNED)
            is_old = isinstance(opened, Record) and (unsign or not sealer.verifies_newest(listed.stored.sealed))
            return reseal(listed, opened) if isinstance(opened, Record) and is_old else None

        yield from self.each(take)
        if unsign:
            yield self._engine.store.unsign
        return count

    def clear(self) -> Work[None]:
        yield self._engine.store.clear
        logger.info("the cache at %s was cleared", self._engine.store.location)


def _next(walk: Any) -> Any:
    """The next of a store's records, or ``_END``; to be awaited where the store is."""
    return anext(walk, _END) if hasattr(walk, "__anext__") else next(walk, _END)


def partition_of(thing: object) -> bytes | None:
    """The partition of what maintenance has shown of a stored response; None for anything else."""
    return bytes.fromhex(thing.key) if isinstance(thing, Entry | StoredResponse) else None


class Criteria(NamedTuple):
    """What ``delete`` is to remove."""

    partitions: tuple[bytes, ...]
    urls: tuple[object, ...]
    requests: tuple[object, ...]
    expired: bool
    invalid: bool
    older_than: float | None
    tags: frozenset[str]

    @property
    def walks(self) -> bool:
        """Whether every record must be looked at."""
        return self.expired or self.invalid or self.older_than is not None or bool(self.tags)


def criteria_of(
    more: tuple[object, ...],
    urls: Iterable[object],
    requests: Iterable[object],
    expired: bool,
    older_than: float | timedelta | None,
    invalid: bool,
    tags: Iterable[str],
) -> Criteria:
    """What a user gave to ``delete``.

    :raises SettingError: for nothing to go by, and for one thing in the place of a list.
    """
    if isinstance(urls, str | bytes):
        raise SettingError(f"urls takes a list, not {urls!r}")
    for name, value in (("urls", urls), ("requests", requests), ("tags", tags)):
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise SettingError(f"{name} takes a list, not {value!r}")
    age = None if older_than is None else parse_seconds(older_than, "older_than")
    named = (*more, *urls)
    partitions = tuple(filter(None, map(partition_of, named)))
    others = tuple(each for each in named if partition_of(each) is None)
    criteria = Criteria(partitions, others, tuple(requests), expired, invalid, age, frozenset(tags))
    if not (partitions or criteria.urls or criteria.requests or criteria.walks):
        raise SettingError(
            "delete takes URLs, requests=, expired=True, older_than=, invalid=True or tags=; clear() removes all"
        )
    return criteria
