"""``import_cache``: the entries of another library's cache, judged, sealed and stored as our own."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterable
from typing import Any, Final, Unpack

from sansio_cache.adopting import Adopted, adopt
from sansio_cache.cache_status import CacheStatus
from sansio_cache.errors import BadSignature, SettingError, StoreError
from sansio_cache.lists import MAX_MEMBERS
from sansio_cache.messages import Request
from sansio_cache.policy import ALIASES
from sansio_cache.records import INLINE_LIMIT, Flaw, variant_of
from sansio_cache.request_bodies import ignores
from sansio_cache.rules import Rules
from sansio_cache.sealing import SecretKey
from sansio_cache.settings import Settings
from sansio_cache.storing import Storing
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.engine import CLOSE_SECONDS
from sansio_cache_adapters.cache.opening import Keeper
from sansio_cache_adapters.cache.tee import INCOMPLETE, Tee
from sansio_cache_adapters.stores.forking import FORKS
from sansio_cache_adapters.stores.memory import MemoryStore
from sansio_cache_adapters.stores.protocol import Flushing
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven
from sansio_cache_adapters.stores.work import awaited, do

from .entries import ForeignEntry, ForeignExchange
from .places import is_missing, target_of
from .report import Progress, Reason, Report, Skipped
from .sources import Key, Kind, Source, open_source

__all__ = ["import_cache"]

_SHAPING: Final = (
    *("identity", "ignored_parameters", "key_fn", "match_headers", "namespace", "parameter_order", "shared"),
    *("keep_set_cookie", "max_body"),
)
"""Settings of the sessions that are to find what is imported: those that shape keys, and that say what is kept."""
_MARK: Final = "REDACTED"
"""The text that requests-cache writes in the place of the parameters that it ignores."""
_ROOM: Final = 1_048_576


def import_cache(
    source: str | os.PathLike[str],
    target: Any,
    *,
    kind: Kind | None = None,
    key: Key = None,
    secret_key: SecretKey | Ungiven = UNGIVEN,
    dry_run: bool = False,
    progress: Progress | None = None,
    urls: Iterable[str] = (),
    anonymous: bool = False,
    **settings: Unpack[Settings],
) -> Report:
    """Store what another library's cache holds: each response with its times, its expiry and its redirects.

    Nothing in the source runs, and nothing of it is changed. An import that was broken off goes on where it was: what
    the target has already is skipped.

    :param source: the file or folder.
    :param target: what ``cache=`` of a session takes, or a session that is to find the responses; a store must be a
        blocking one.
    :param kind: which library wrote it; None to find out.
    :param key: the secret that the other library signed with; without it, only what is not signed is imported.
    :param secret_key: the secret of the target, as sessions take it.
    :param dry_run: count only.
    :param progress: called with how many entries were looked at, and how many there are.
    :param urls: of CacheControl's files: the URLs of which there may be responses. It keeps only their digests.
    :param anonymous: CacheControl, and aiohttp-client-cache before 0.14, do not keep who has asked: take what they
        hold for an answer to any user. Say so only if they were used without credentials.
    :param settings: those of the sessions that are to find the responses, as far as they shape keys:
        ``ignored_parameters``, ``match_headers``, ``parameter_order``, ``identity``, ``shared``, ``namespace``,
        ``key_fn``.
    :raises SettingError: there is no such cache, or a setting is wrong.
    :raises StoreError: the source cannot be read, or the target is in trouble.
    :raises BadSignature: the target's secret is another.
    """
    for name in settings:
        if ALIASES.get(name, name) not in _SHAPING:
            raise SettingError(f"import_cache takes the settings that shape keys ({', '.join(_SHAPING)}), not {name}")
    cache = target_of(target, secret_key, {**settings})
    store: Any = cache.engine.store
    is_ours = store is not target and not isinstance(getattr(target, "cache", target), Keeper)
    if dry_run and is_missing(store):
        store = MemoryStore(max_bytes=store.max_bytes)
        cache = BlockingCache(cache.engine.policy, store, cache.engine.sealer)
    opened = open_source(source, kind, key, cache.engine.max_body + cache.engine.max_body // 2 + _ROOM, urls)
    try:
        return _Importer(cache, dry_run=dry_run, anonymous=anonymous).run(opened, progress)
    finally:
        opened.close()
        if is_ours:
            store.close()
        elif isinstance(store, Flushing):
            store.flush(CLOSE_SECONDS)


class _Importer:
    """Stores entries, one after the other."""

    def __init__(self, cache: BlockingCache, *, dry_run: bool, anonymous: bool = False) -> None:
        self._engine = cache.engine
        store = self._engine.store
        self._rules: Rules = self._engine.take_meta(do(awaited(store.open(signed=self._engine.sealer.signed))))
        self._obeying = dataclasses.replace(self._rules.policy, cache_control=True)
        self._dry_run = dry_run
        self._anonymous = anonymous
        self._done: dict[bytes, tuple[float, bytes]] = {}
        """The entries that this run has stored: when each was received, and a digest of it."""

    def run(self, source: Source, progress: Progress | None) -> Report:
        report = Report()
        count = len(source)
        for number, read in enumerate(source.entries(), 1):
            try:
                self._take(read())
            except Skipped as skipped:
                report.skip(skipped.reason)
            except (RecursionError, MemoryError):
                report.skip(Reason.DAMAGED.value)
            else:
                report.imported += 1
            if progress is not None:
                progress(number, max(count, number))
        return report

    def _take(self, entry: ForeignEntry) -> None:
        """Store an entry, the redirects before it included.

        :raises Skipped: nothing of it is stored.
        """
        last: Skipped | None = None
        try:
            self._keep(entry.last)
        except Skipped as skipped:
            last = skipped
        if last is not None and last.reason not in (Reason.ALREADY_THERE, Reason.SUPERSEDED):
            raise last
        stored = last is None
        for hop in entry.hops:
            try:
                if len(hop.body) <= INLINE_LIMIT:
                    self._keep(hop)
                    stored = True
            except Skipped:
                # Its target is there all the same, under its own URL.
                continue
        if last is not None and not stored:
            raise last

    def _keep(self, exchange: ForeignExchange) -> None:
        """Store one exchange.

        :raises Skipped: it is not stored.
        """
        engine, rules = self._engine, self._rules
        request, received = exchange.request(), exchange.received()
        if not exchange.asker_known and not self._anonymous:
            raise Skipped(Reason.ASKER_UNKNOWN)
        if _is_redacted(request, exchange, rules):
            raise Skipped(Reason.REDACTED)
        policy = rules.policy if exchange.expiry is not None else self._obeying
        keeping = adopt(request, received, rules, exchange.expiry, engine.clock(), policy)
        if isinstance(keeping, Storing):
            raise Skipped(keeping.value)
        content = _digest(exchange)
        if not self._is_newest(request, keeping, received.received_at, content):
            return
        tee = Tee(engine, keeping, None, FORKS.generation, CacheStatus())
        if not self._dry_run:
            do(tee.take(exchange.body))
            self._settle(tee)
        self._done[_place(keeping)] = received.received_at, content

    def _settle(self, tee: Tee) -> None:
        if self._engine.breaker.down:
            raise StoreError(f"the cache at {self._engine.store.location} is in trouble: run the import again later")
        if tee.outcome == INCOMPLETE:
            raise Skipped(Reason.INCOMPLETE)
        if tee.outcome:
            raise Skipped(tee.outcome)

    def _is_newest(self, request: Request, keeping: Adopted, received_at: float, content: bytes) -> bool:
        """Whether a response is to be stored; not where this run has stored the same under a later time.

        :raises Skipped: the target has one that is as new.
        """
        done = self._done.get(_place(keeping))
        if done is not None:
            newest, known = done
            if newest > received_at and known != content:
                raise Skipped(Reason.SUPERSEDED)
            # The other cache keeps what a redirect has led to a second time, as received a moment later.
            return newest <= received_at
        stored = do(awaited(self._engine.store.load(keeping.keys.partition)))
        records, flaws = self._rules.open(stored, keeping.keys)
        if Flaw.SIGNATURE in flaws:
            raise BadSignature(request.url, keeping.keys.partition.hex(), "signature")
        variant = variant_of(keeping.method, keeping.variant_fields)
        for record in records:
            same = variant_of(record.head.method, record.head.vary) == variant
            if same and record.head.received_at >= received_at:
                raise Skipped(Reason.ALREADY_THERE)
        return True


def _place(keeping: Adopted) -> bytes:
    return keeping.keys.partition + variant_of(keeping.method, keeping.variant_fields)


def _digest(exchange: ForeignExchange) -> bytes:
    return hashlib.blake2b(exchange.body, digest_size=16, key=str(exchange.status).encode()).digest()


def _is_redacted(request: Request, exchange: ForeignExchange, rules: Rules) -> bool:
    """Whether the other cache has replaced something that the key is made of."""
    policy = rules.policy
    query = request.url.partition("#")[0].partition("?")[2]
    if _MARK in query:
        pairs = query.split("&", MAX_MEMBERS)
        if any(pair.endswith(f"={_MARK}") and not ignores(pair, policy.ignored) for pair in pairs):
            return True
    names = {name.lower() for name, value in request.headers if value.strip() == _MARK}
    if names:
        ignored = {name.lower() for name in policy.ignored}
        matched = names - ignored if policy.matched is None else policy.matched & names - ignored
        varied = exchange.headers.get("vary") or ""
        if matched or any(policy.separates[name] or name in varied.lower() for name in names):
            return True
    body = request.body or b""
    return not policy.ignored and (b'"REDACTED"' in body or b"=REDACTED" in body)
