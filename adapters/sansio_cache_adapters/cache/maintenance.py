"""Operations on all stored responses, as work: written once for blocking and awaiting sessions.

None of them raises for a record that is broken or forged: it is counted and logged, and the work goes on.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from sansio_cache.decisions import LookUp, Reuse, ReuseStale
from sansio_cache.errors import SettingError, StoreError
from sansio_cache.expiry import Expiry, pack, parse_seconds
from sansio_cache.freshness import expires_at
from sansio_cache.keeping import item_of
from sansio_cache.keys import Keys
from sansio_cache.messages import NO_OPTIONS, Options, Request
from sansio_cache.records import Flaw, Record, Remembered, encode_head, open_record
from sansio_cache.rules import Rules
from sansio_cache.sealing import UNSIGNED
from sansio_cache_adapters.stores.protocol import Listed, Seen
from sansio_cache_adapters.stores.work import awaited

from .engine import Engine
from .events import logger
from .lookup import RequestMaker
from .reading import StoredResponse, fetched, shown, variant_in, whole_body
from .response_attributes import moment

__all__ = ["Criteria", "Entry", "Maintenance", "Verified", "criteria_of"]

_BATCH: Final = 500
_REMOVED_AT_ONCE: Final = 2000
"""Records that are kept in memory to be removed together."""


class Entry(NamedTuple):
    """A stored response as maintenance shows it.

    :ivar url: redacted.
    :ivar size: bytes of the body.
    :ivar stored_at: when it was received; aware, UTC.
    :ivar expires_at: when it becomes stale, by the settings it was kept under; None for never.
    :ivar variant: tells it from others under its key (HEAD or not, and what ``Vary`` nominated), hexadecimal.
    """

    key: str
    method: str
    url: str
    status: int
    size: int
    stored_at: datetime | None
    expires_at: datetime | None
    tags: tuple[str, ...]
    variant: str = ""


class Verified(NamedTuple):
    """The result of ``verify``: how many records are good, and how many have which flaw."""

    good: int
    flaws: dict[str, int]


class Maintenance:
    """The verbs of ``session.cache``.

    :param ask: what users name a stored response by, as a request; blocks or returns an awaitable.
    """

    def __init__(self, engine: Engine, ask: RequestMaker) -> None:
        self._engine = engine
        self._ask = ask

    async def rules(self) -> Rules:
        rules = await self._engine.opened()
        if rules is None:
            raise StoreError(f"the cache at {self._engine.store.location} cannot be opened now")
        return rules

    async def each(self) -> AsyncGenerator[tuple[Listed, Record | Flaw]]:
        """Every record as it is listed, and opened."""
        rules = await self.rules()
        walk = self._engine.store.listed(batch=_BATCH)
        while (listed := await _next(walk)) is not None:
            keys = Keys(listed.resource, listed.partition)
            opened = open_record(listed.stored, keys, rules.place, rules.sealer)
            if isinstance(opened, Flaw):
                kind = "bad-signature" if opened in (Flaw.SIGNATURE, Flaw.PLACE) else "flaw"
                self._engine.events.tell(kind, listed.method, listed.url, listed.status, opened.value, keys.partition)
            yield listed, opened

    async def entries(self) -> list[Entry]:
        return [self._entry(record) for record in await self.records()]

    def _entry(self, record: Record) -> Entry:
        head = record.head
        told = head.partition.hex(), head.method, head.url, head.status, head.length
        stored_at, expires_at = moment(head.received_at), moment(head.stale_at)
        return Entry(*told, stored_at, expires_at, head.tags, variant_in(record).hex())

    async def contains(self, thing: object, method: str, keywords: dict[str, Any], options: Options) -> bool:
        if isinstance(thing, Entry | StoredResponse):
            return bool(await self.of_entry(thing))
        request = await awaited(self._ask(thing, method, keywords))
        if options is not NO_OPTIONS:
            request = replace(request, options=options)
        if request.options.force_refresh:
            return False
        rules = await self.rules()
        plan = rules.plan(request)
        if not isinstance(plan, LookUp):
            return False
        for keys in (plan.keys, *plan.others):
            records, _ = await self._of_request(keys)
            choice = rules.choose(request, rules.matching(request, records), self._engine.clock())
            if isinstance(choice, Reuse | ReuseStale):
                return True
        return False

    async def records(self) -> list[Record]:
        """Every record that can be opened, in the order in which the store lists them; without bodies."""
        return [opened async for _, opened in self.each() if isinstance(opened, Record)]

    async def key(self, thing: object, method: str, keywords: dict[str, Any]) -> str:
        """The partition key of a request, hexadecimal."""
        request = await awaited(self._ask(thing, method, keywords))
        rules = await self.rules()
        return rules.maker.keys(request).partition.hex()

    async def of_partition(self, partition: bytes) -> list[Record]:
        """The records of a partition that can be opened, the newest first."""
        rules = await self.rules()
        return await fetched(self._engine, rules, partition)

    async def of_entry(self, entry: Entry | StoredResponse) -> list[Record]:
        """The record that was shown, as it is by now; of an entry without a variant those of its key."""
        records = await self.of_partition(bytes.fromhex(entry.key))
        return [each for each in records if not entry.variant or variant_in(each).hex() == entry.variant]

    async def matching(self, thing: object, method: str, keywords: dict[str, Any]) -> Record | None:
        """The stored response, fresh or stale, that a request would be answered from or validated by."""
        if isinstance(thing, Entry | StoredResponse):
            return next(iter(await self.of_entry(thing)), None)
        request = await awaited(self._ask(thing, method, keywords))
        rules = await self.rules()
        records, _ = await self._of_request(rules.maker.keys(request))
        return next(iter(rules.matching(request, records)), None)

    async def _of_request(self, keys: Keys) -> tuple[list[Record], list[Flaw]]:
        """The records of the keys of a request, all variants, and what is wrong with others."""
        rules = await self.rules()
        records, flaws = rules.open(await awaited(self._engine.store.load(keys.partition)), keys)
        self._engine.events.warn_of(flaws)
        return records, flaws

    async def body(self, record: Record) -> bytes:
        """The body of a record, coding kept."""
        rules = await self.rules()
        return await whole_body(self._engine, rules, record)

    async def get(self, thing: object, method: str, keywords: dict[str, Any]) -> StoredResponse | None:
        """The stored response, fresh or stale, that a request would be answered from or validated by."""
        record = await self.matching(thing, method, keywords)
        return None if record is None else shown(record, (await self.body(record)))

    async def discard(self, partition: bytes) -> int:
        """Remove the records of one partition; how many there were."""
        return await self._remove(await self.of_partition(partition))

    async def _remove(self, records: Iterable[Record]) -> int:
        """Remove some records, each if it is still the same; how many were."""
        count = 0
        for record in records:
            seen = Seen(record.head.partition, variant_in(record), record.stored.rev)
            count += await awaited(self._engine.store.change([seen], None))
        return count

    async def expire(self, record: Record, expiry: Expiry) -> bool:
        """Give a record another time; whether it was still there.

        :param expiry: remembered with it, as a time that was given with one request.
        """
        rules = await self.rules()
        engine, policy, head = self._engine, self._engine.policy, record.head
        for stored in await fetched(engine, rules, head.partition):
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
                    changed: int = await awaited(engine.store.change([seen], item))
                    return changed > 0
        return False

    async def delete(self, criteria: Criteria) -> int:
        rules = await self.rules()
        count = 0
        for entry in criteria.entries:
            count += await self._remove(await self.of_entry(entry))
        for url in criteria.urls:
            request = await awaited(self._ask(url, "GET", {}))
            resource = rules.maker.resource(request)
            count += await awaited(self._engine.store.drop(resource, now=self._engine.clock()))
        unreadable: set[bytes] = set()
        for thing in criteria.requests:
            request = await awaited(self._ask(thing, "GET", {}))
            keys = rules.maker.keys(request)
            records, flaws = await self._of_request(keys)
            count += await self._remove(records)
            if flaws:
                unreadable.add(keys.partition)
        if criteria.walks or unreadable:
            count += await self._delete_walking(criteria, unreadable)
        return count

    async def _delete_walking(self, criteria: Criteria, unreadable: set[bytes]) -> int:
        """Look at every record, and remove those that match.

        :param unreadable: partitions of which the records go that cannot be opened.
        """
        now, change = self._engine.clock(), self._engine.store.change
        selected: list[Listed] = []
        count = 0
        async with aclosing(self.each()) as records:
            async for listed, opened in records:
                is_named = isinstance(opened, Flaw) and listed.partition in unreadable
                if is_named or self._is_selected(opened, criteria, now):
                    selected.append(listed)
                if len(selected) >= _REMOVED_AT_ONCE:
                    count += await awaited(change(selected, None))
                    selected = []
        return count + await awaited(change(selected, None))

    def _is_selected(self, opened: Record | Flaw, criteria: Criteria, now: float) -> bool:
        if isinstance(opened, Flaw):
            return criteria.invalid
        head = opened.head
        return (
            (criteria.expired and head.stale_at <= now)
            or (criteria.older_than is not None and head.received_at < now - criteria.older_than)
            or not criteria.tags.isdisjoint(head.tags)
        )

    async def verify(self) -> Verified:
        good = 0
        flaws: dict[str, int] = {}
        async for _, opened in self.each():
            if isinstance(opened, Record):
                good += 1
            else:
                flaws[opened.value] = flaws.get(opened.value, 0) + 1
        return Verified(good, flaws)

    async def resign(self, *, unsign: bool, sign_unsigned: bool = False) -> int:
        if unsign and sign_unsigned:
            raise SettingError("resign takes unsign=True or sign_unsigned=True: one is the contrary of the other")
        rules = await self.rules()
        sealer = UNSIGNED if unsign else rules.sealer
        if not unsign and not sealer.signed:
            raise SettingError("resign needs the session's secret_key; to remove signatures say unsign=True")
        count = 0
        async with aclosing(self.each()) as records:
            async for listed, opened in records:
                if sign_unsigned and opened is Flaw.UNSIGNED:
                    opened = open_record(listed.stored, Keys(listed.resource, listed.partition), rules.place, UNSIGNED)
                if isinstance(opened, Record) and (unsign or not sealer.verifies_newest(listed.stored.sealed)):
                    sealed = sealer.seal(encode_head(opened.head))
                    count += await awaited(self._engine.store.change([listed], sealed))
        if unsign:
            await awaited(self._engine.store.unsign())
        return count

    async def clear(self) -> None:
        await awaited(self._engine.store.clear())
        logger.info("the cache at %s was cleared", self._engine.store.location)


async def _next(walk: Iterator[Listed] | AsyncIterator[Listed]) -> Listed | None:
    """The next of a store's records, None after the last."""
    return next(walk, None) if isinstance(walk, Iterator) else await anext(walk, None)


class Criteria(NamedTuple):
    """The records that ``delete`` is to remove."""

    entries: tuple[Entry | StoredResponse, ...]
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
    """The criteria that a user gave to ``delete``.

    :raises SettingError: for nothing to go by, and for one thing in the place of a list.
    """
    for name, value in (("urls", urls), ("requests", requests), ("tags", tags)):
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise SettingError(f"{name} takes a list, not {value!r}")
    age = None if older_than is None else parse_seconds(older_than, "older_than")
    named = (*more, *urls)
    entries = tuple(each for each in named if isinstance(each, Entry | StoredResponse))
    others = tuple(each for each in named if not isinstance(each, Entry | StoredResponse))
    criteria = Criteria(entries, others, tuple(requests), expired, invalid, age, frozenset(tags))
    if not (entries or criteria.urls or criteria.requests or criteria.walks):
        raise SettingError(
            "delete takes URLs, requests=, expired=True, older_than=, invalid=True or tags=; clear() removes all"
        )
    return criteria
