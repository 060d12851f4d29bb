"""``load_cache``: lines of JSON that ``export_cache`` wrote, sealed anew in another store."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, cast

from msgspec.structs import replace

from sansio_cache.adopting import with_room
from sansio_cache.errors import BadSignature, SettingError
from sansio_cache.keeping import item_of
from sansio_cache.keys import Keys
from sansio_cache.records import CHUNK_SIZE, INLINE_LIMIT, Flaw, Head, Meta, Record, open_record, variant_of
from sansio_cache.rules import Rules
from sansio_cache.sealing import SecretKey
from sansio_cache.storing import Storing
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.engine import CLOSE_SECONDS
from sansio_cache_adapters.cache.opening import resolve
from sansio_cache_adapters.stores.memory import MemoryStore
from sansio_cache_adapters.stores.protocol import Flushing, TakingSalt, new_entry
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven

from .lines import LoadedLine, read_first, read_line
from .places import is_missing, policy_of
from .report import Progress, Reason, Report, Skipped

__all__ = ["load_cache"]

_READS: Final = "file takes a path, or a file that is open for bytes, not"
_ROOM: Final = 1_048_576
_PIECE: Final = 1_048_576


def load_cache(
    target: Any,
    file: Any,
    *,
    secret_key: SecretKey | Ungiven = UNGIVEN,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Store what ``export_cache`` wrote, sealed anew. Responses that are there already are skipped.

    Who loads a file vouches for it: nothing in it runs, and what it says is signed with the target's secret.

    :param target: what ``cache=`` of a session takes; a store must be a blocking one.
    :param file: a path, or a file that is open for bytes.
    :param secret_key: the secret of the target, as sessions take it.
    :param dry_run: count only.
    :param progress: called with how many lines were looked at, and how many there are.
    :raises SettingError: the file is none that ``export_cache`` wrote.
    :raises StoreError: the target is in trouble.
    :raises BadSignature: the target's secret is another.
    """
    store, sealer = resolve(target, secret_key)
    if dry_run and is_missing(store):
        store = MemoryStore(max_bytes=store.max_bytes)
    cache = BlockingCache(policy_of({}), store, sealer)
    try:
        with _reading(file) as (lines, count):
            first = read_first(lines.readline(_ROOM))
            if first is None:
                raise SettingError("this is no file that export_cache wrote")
            meta = _opened(store, cache, first.salt, dry_run=dry_run)
            loader = _Loader(cache, meta, salted=dry_run or meta.salt == first.salt, dry_run=dry_run)
            return loader.run(lines, count, progress)
    finally:
        if store is not target:
            store.close()
        elif isinstance(store, Flushing):
            store.flush(CLOSE_SECONDS)


def _opened(store: Any, cache: BlockingCache, salt: bytes, *, dry_run: bool) -> Meta:
    """The meta record of the target, which goes on with the salt of the source where it is still empty.

    :raises KeyRequired: it is signed, and there is no secret.
    """
    signed = cache.engine.sealer.signed and not dry_run
    meta: Meta = store.open(signed=signed)
    cache.engine.take_meta(meta)
    takes: object = store
    if meta.salt != salt and not dry_run and isinstance(takes, TakingSalt) and takes.take_salt(salt):
        meta = store.open(signed=signed)
    return meta


class _Loader:
    """Stores what lines describe."""

    def __init__(self, cache: BlockingCache, meta: Meta, *, salted: bool, dry_run: bool) -> None:
        self._engine = cache.engine
        self._store: Any = cache.engine.store
        self._meta = meta
        self._salted = salted
        self._dry_run = dry_run
        self._rules = Rules(self._engine.policy, meta, self._engine.sealer)

    def run(self, lines: IO[bytes], count: int, progress: Progress | None) -> Report:
        report = Report()
        for number, line in enumerate(_lines(lines, 3 * self._engine.max_body + _ROOM), 1):
            try:
                self._take(line)
            except Skipped as skipped:
                report.skip(skipped.reason)
            else:
                report.imported += 1
            if progress is not None:
                progress(number, max(number, count - 1))
        return report

    def _take(self, line: bytes | None) -> None:
        if line is None:
            raise Skipped(Reason.TOO_LARGE)
        loaded = read_line(line)
        if loaded.head.length > self._engine.max_body:
            raise Skipped(Reason.TOO_LARGE)
        head = replace(loaded.head, store_id=self._meta.store_id)
        keys = Keys(head.resource, head.partition)
        if not self._salted and (head.vary or not self._rules.maker.is_plain(keys, head.method)):
            raise Skipped(Reason.BOUND)
        self._compare(head)
        if not self._dry_run:
            self._keep(head, loaded)

    def _compare(self, head: Head) -> None:
        variant = variant_of(head.method, head.vary)
        place = self._rules.place._replace(namespace=head.namespace)
        keys = Keys(head.resource, head.partition)
        for stored in self._store.load(head.partition):
            found = open_record(stored, keys, place, self._engine.sealer)
            if found is Flaw.SIGNATURE:
                raise BadSignature(head.url, head.partition.hex(), "signature")
            if not isinstance(found, Record) or variant_of(found.head.method, found.head.vary) != variant:
                continue
            if found.head.received_at >= head.received_at:
                raise Skipped(Reason.ALREADY_THERE)

    def _keep(self, head: Head, loaded: LoadedLine) -> None:
        store, policy = self._store, self._engine.policy
        body, entry = loaded.body, b""
        inline = len(body) <= INLINE_LIMIT
        if not inline:
            entry = new_entry()
            for index, at in enumerate(range(0, len(body), CHUNK_SIZE)):
                store.write(entry, index, body[at : at + CHUNK_SIZE])
        kept = body if inline else None
        item = item_of(head, self._engine.sealer, policy, body=kept, entry=entry, hashes=loaded.hashes)
        now = self._engine.clock()
        if item is None:
            store.abort(entry)
            raise Skipped(Storing.TOO_LARGE.value)
        if not store.commit(with_room(item, head.facts, policy, now), vary_limit=policy.vary_limit, now=now):
            raise Skipped("refused-by-store")


def _lines(file: IO[bytes], longest: int) -> Iterator[bytes | None]:
    """The lines of a file that are not empty; None in the place of one that is longer."""
    while line := file.readline(longest):
        if len(line) < longest or line.endswith(b"\n"):
            if line.strip():
                yield line
            continue
        while (rest := file.readline(_PIECE)) and not rest.endswith(b"\n"):
            pass
        yield None


@contextmanager
def _reading(file: object) -> Generator[tuple[IO[bytes], int]]:
    """The file to read from, and how many lines it has; 0 where that is not known."""
    if not isinstance(file, str | os.PathLike):
        if not callable(getattr(file, "readline", None)) or hasattr(file, "encoding"):
            raise SettingError(f"{_READS} {file!r}")
        yield cast("IO[bytes]", file), 0
        return
    path = os.path.abspath(cast("str | os.PathLike[str]", file))
    try:
        opened = open(path, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {error.strerror}") from error
    with opened:
        count = sum(piece.count(b"\n") for piece in iter(lambda: opened.read(_PIECE), b""))
        opened.seek(0)
        yield opened, count
