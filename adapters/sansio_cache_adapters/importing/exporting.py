"""``export_cache``: what a store keeps, as lines of JSON."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import IO, Any, Final, cast

from sansio_cache.bodies import OpenedBody, open_body
from sansio_cache.errors import SettingError, StoreError
from sansio_cache.keys import Keys
from sansio_cache.records import Flaw, Place, Record, Stored, open_record
from sansio_cache.sealing import SecretKey
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.events import logger
from sansio_cache_adapters.cache.opening import resolve
from sansio_cache_adapters.stores.protocol import Listed
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven

from .lines import first_line, line_of
from .places import is_missing, policy_of
from .report import Progress

__all__ = ["export_cache"]

File = str | os.PathLike[str] | IO[bytes]
_WRITES: Final = "file takes a path, or a file that is open for bytes, not"


def export_cache(
    source: Any,
    file: File,
    *,
    secret_key: SecretKey | Ungiven = UNGIVEN,
    namespace: str = "",
    progress: Progress | None = None,
) -> int:
    """Write what a store keeps as lines of JSON, one a stored response; how many there were.

    What cannot be verified is left out, and logged. The file holds whole responses and the store's salt: it is made for
    the user alone.

    :param source: what ``cache=`` of a session takes; a store must be a blocking one.
    :param file: a path, or a file that is open for bytes. A file that is there is replaced when all is written.
    :param secret_key: the secret of the store, as sessions take it.
    :param namespace: of the sessions whose responses are written.
    :param progress: called with how many responses were looked at, and how many there are.
    :raises SettingError: there is no such cache, or its secret is missing.
    :raises StoreError: the store is in trouble.
    """
    store, sealer = resolve(source, secret_key)
    if is_missing(store):
        raise SettingError(f"there is no cache at {store.location}")
    engine = BlockingCache(policy_of({"namespace": namespace}), store, sealer).engine
    meta = store.open(signed=False)
    engine.take_meta(meta)
    try:
        with _writing(file) as out:
            out.write(first_line(meta))
            return _write(store, Place(meta.store_id, namespace), sealer, out, progress)
    finally:
        if store is not source:
            store.close()


def _write(store: Any, place: Place, sealer: Any, out: IO[bytes], progress: Progress | None) -> int:
    count = store.size().entries if progress is not None else 0
    written = 0
    listed: Listed
    for number, listed in enumerate(store.listed(), 1):
        keys = Keys(listed.resource, listed.partition)
        opened = open_record(listed.stored, keys, place, sealer)
        body = opened if isinstance(opened, Flaw) else _body(store, opened)
        if isinstance(opened, Record) and isinstance(body, bytes):
            out.write(line_of(opened.head, body))
            written += 1
        elif isinstance(body, Flaw):
            logger.warning("not exported: the stored response for %s is %s", listed.url, body.value)
        if progress is not None:
            progress(number, max(number, count))
    return written


def _body(store: Any, record: Record) -> bytes | Flaw:
    """The whole body of a record, verified."""
    head, entry = record.head, record.stored.entry
    if not head.length:
        return b""
    each: Stored
    for each in store.load(head.partition):
        # Listed records come without their bodies.
        if each.sealed == record.stored.sealed and isinstance(each.body, bytes):
            body = open_body(head, b"", 0, each.body)
            return body if isinstance(body, Flaw) else each.body
    try:
        hashes = store.hashes(entry) if head.length > head.chunk_size else b""
        first = store.chunk(entry, 0)
        opened = open_body(head, hashes, 0, first)
        if isinstance(opened, Flaw):
            return opened
        return _joined(store, record, opened, first)
    except StoreError:
        return Flaw.GONE


def _joined(store: Any, record: Record, opened: OpenedBody, first: bytes) -> bytes | Flaw:
    chunks = [first]
    for index in range(1, -(-record.head.length // record.head.chunk_size)):
        chunk = store.chunk(record.stored.entry, index)
        if not isinstance(chunk, bytes) or not opened.hashes.holds(index, chunk):
            return Flaw.BODY
        chunks.append(chunk)
    return b"".join(chunks)


@contextmanager
def _writing(file: object) -> Generator[IO[bytes]]:
    """The file to write to; one at a path appears when all is written."""
    if not isinstance(file, str | os.PathLike):
        if not callable(getattr(file, "write", None)) or hasattr(file, "encoding"):
            raise SettingError(f"{_WRITES} {file!r}")
        yield cast("IO[bytes]", file)
        return
    path = os.path.abspath(cast("str | os.PathLike[str]", file))
    fd, draft = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=os.path.dirname(path))  # 0600
    try:
        with os.fdopen(fd, "wb") as out:
            yield out
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise
