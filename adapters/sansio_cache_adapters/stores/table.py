"""A store over any table that keeps bytes under names and changes several at once: the shortest way to one's own.

All is decided here, over five verbs of the table: plain, and right. A drop, a sweep and the totals look at every
record, so that it suits some ten thousand; a store for more writes the verbs of ``protocol.Store`` for its database.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeVar

import msgspec
from msgspec.structs import replace

from sansio_cache.errors import StoreError
from sansio_cache.records import Item, Meta, Stored

from .forking import renew_in_child
from .protocol import (
    DEFAULT_MAX_BYTES,
    LEASE_SECONDS,
    MARK_BYTES,
    MARK_SECONDS,
    Lease,
    Listed,
    Seen,
    Size,
    marks_at_most,
    new_entry,
)
from .settings import check_bounds
from .table_rows import (
    STAYS,
    Held,
    KeptBody,
    KeptRecord,
    Table,
    let_go,
    new_rev,
    of_body,
    of_chunk,
    of_partition,
    of_record,
    too_many,
    weight,
)

__all__ = ["Table", "TableStore"]

P = ParamSpec("P")
T = TypeVar("T")

_MARK_OF_ALL: Final = "all-marked/"
_SWEEP_EVERY: Final = 50
"""Commits."""


def _whole(verb: Callable[Concatenate[TableStore, P], T]) -> Callable[Concatenate[TableStore, P], T]:
    """One transaction, or part of the one that is under way; trouble of the table is a StoreError."""

    @wraps(verb)
    def run(self: TableStore, /, *args: P.args, **named: P.kwargs) -> T:
        with self.lock:
            if self.within:
                return verb(self, *args, **named)
            self.within = True
            try:
                with self.table.transaction():
                    return verb(self, *args, **named)
            except self.errors as error:
                raise StoreError(f"{self.location}: {error}") from error
            finally:
                self.within = False

    return run


class TableStore:
    """A store that several threads, and as many processes as can share the table, may use at once.

    :param table: where it keeps everything.
    :param location: where that lies, for messages.
    :param errors: what the table raises when it is not well; given on as :class:`~sansio_cache.errors.StoreError`.
    :param max_bytes: bytes of heads and bodies that it holds at most; the longest unused records go.
    :param max_entries: how many records it holds at most; None for no bound.
    :raises SettingError: for bounds of wrong type or value.
    """

    def __init__(
        self,
        table: Table,
        *,
        location: str,
        errors: tuple[type[Exception], ...] = (OSError,),
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_entries: int | None = None,
    ) -> None:
        check_bounds(max_bytes, max_entries)
        self.table = table
        self.location = location
        # Bytes that do not decode raise none of the table's errors, and are the table's trouble all the same.
        self.errors: tuple[type[Exception], ...] = (*errors, msgspec.MsgspecError)
        self.max_bytes = max_bytes
        self.max_entries = max_entries
        self.lock = threading.RLock()
        self.within = False
        renew_in_child(self, "lock", threading.RLock)
        renew_in_child(self, "within", bool)
        self._used: dict[bytes, tuple[bytes, float]] = {}
        self._aborted: deque[bytes] = deque()

    def _find(self, kind: type[T], start: str) -> dict[str, T]:
        return {name: msgspec.msgpack.decode(value, type=kind) for name, value in self.table.find(start).items()}

    def _put(self, name: str, value: object) -> None:
        self.table.put(name, msgspec.msgpack.encode(value))

    @_whole
    def open(self, *, signed: bool) -> Meta:
        """The meta record, made if there is none; ``signed=True`` marks the store as signed."""
        known = self._find(Meta, "meta/").get("meta/")
        meta = known or Meta(secrets.token_bytes(16), secrets.token_bytes(32), False)
        if known is None or (signed and not meta.signed):
            meta = meta._replace(signed=signed)
            self._put("meta/", meta)
        return meta

    # Reading

    @_whole
    def load(self, partition: bytes) -> Sequence[Stored]:
        """All records of a partition."""
        records = self._find(KeptRecord, of_partition(partition)).values()
        return [Stored(each.item.sealed, each.item.body, each.entry, each.rev) for each in records]

    @_whole
    def hashes(self, entry: bytes) -> bytes:
        """The hashes of a body's chunks."""
        body = self._body(entry)
        if body is None or body.state == "pending":
            raise StoreError("the body is gone")
        return body.hashes

    @_whole
    def chunk(self, entry: bytes, index: int) -> bytes:
        """One chunk of a body."""
        name = of_chunk(entry, index)
        data = self._find(bytes, name).get(name) if self.hashes(entry) else None
        if data is None:
            raise StoreError("the body is gone")
        return data

    def _body(self, entry: bytes) -> KeptBody | None:
        return self._find(KeptBody, of_body(entry)).get(of_body(entry))

    # Writing

    @_whole
    def write(self, entry: bytes, index: int, data: bytes) -> None:
        """Add the next chunk to a pending body."""
        body = self._body(entry) if index else KeptBody(0.0)
        if body is None or body.state != "pending" or body.size + len(data) > self.max_bytes:
            raise StoreError("the pending body was given up, or is larger than the store")
        self._put(of_body(entry), KeptBody(time.time(), body.size + len(data)))
        self._put(of_chunk(entry, index), data)

    def abort(self, entry: bytes) -> None:
        """Mark a pending body as given up: no lock, no table, since a finalizer may call this in the midst of all."""
        self._aborted.append(entry)

    @_whole
    def commit(self, item: Item, *, vary_limit: int, now: float) -> bool:
        """Make a record visible in place of the one of its variant; False where it must not be."""
        body = self._body(item.entry) if item.entry else None
        complete = not item.entry or (body is not None and body.state == "pending" and body.size == item.size)
        if self._is_dropped(item, now) or not complete or weight(item) > self.max_bytes:
            if item.entry:
                self.abort(item.entry)
            return False
        self._let_go(self._find(KeptRecord, of_record(item.partition, item.variant)))
        if body is not None:
            item = replace(item, body=None if item.size else b"")
            self._put(of_body(item.entry), KeptBody(now, body.size, item.hashes, "kept"))
        self._put(of_record(item.partition, item.variant), KeptRecord(item, item.entry or new_entry(), new_rev(), now))
        self._write_uses()
        self._let_go(dict(self._longest_unused(of_partition(item.partition))[: -max(vary_limit, 1)]))
        if secrets.randbelow(_SWEEP_EVERY) == 0:
            self.sweep(now=now)
        return True

    def _is_dropped(self, item: Item, now: float) -> bool:
        marks = self._find(float, f"mark/{item.resource.hex()}") | self._find(float, _MARK_OF_ALL)
        return any(item.requested_at <= at and abs(now - at) < MARK_SECONDS for at in marks.values())

    def _longest_unused(self, start: str) -> list[tuple[str, KeptRecord]]:
        return sorted(self._find(KeptRecord, start).items(), key=lambda row: (row[1].used, row[1].rev))

    def _let_go(self, records: Mapping[str, KeptRecord]) -> int:
        """Take records out; anyone who reads one's chunks may read on for a while."""
        for name, record in records.items():
            self.table.delete(name)
            body = self._body(record.entry)
            if body is not None:
                self._put(of_body(record.entry), let_go(body, time.time()))
        return len(records)

    def change(self, seen: Sequence[Seen | Listed], new: Item | bytes | None) -> int:
        """Change or remove records, each if it still has the ``rev`` that was seen. How many had it."""
        return sum(self._change(each, new) for each in seen)

    @_whole
    def _change(self, seen: Seen | Listed, new: Item | bytes | None) -> int:
        found = self._find(KeptRecord, of_record(seen.partition, seen.variant))
        same = {name: record for name, record in found.items() if record.rev == seen.rev}
        if new is None:
            return self._let_go(same)
        for name, record in same.items():
            item = record.item
            fresh = (
                replace(item, sealed=new) if isinstance(new, bytes) else replace(new, body=item.body, size=item.size)
            )
            self._put(name, KeptRecord(fresh, record.entry, new_rev(), record.used))
        return len(same)

    @_whole
    def drop(self, resource: bytes, *, now: float) -> int:
        """Remove every record of a resource, mark it, and free its leases."""
        self._put(f"mark/{resource.hex()}", now)
        going, newest = too_many(self._find(float, "mark/"), marks_at_most(self.max_bytes))
        if self._delete_all(going):
            self._put(_MARK_OF_ALL, max(newest, *self._find(float, _MARK_OF_ALL).values(), 0.0))
        for name, lease in self._find(Held, "lease/").items():
            if lease.resource == resource:
                self.table.delete(name)
        found = self._find(KeptRecord, "record/")
        return self._let_go({name: record for name, record in found.items() if record.item.resource == resource})

    def touch(self, partition: bytes, entry: bytes, *, now: float) -> None:
        """Note that a record was used; written with the next commit."""
        self._used[entry] = partition, now

    @_whole
    def _write_uses(self) -> None:
        used, self._used = self._used, {}
        for entry, (partition, at) in list(used.items()):
            for name, record in self._find(KeptRecord, of_partition(partition)).items():
                if record.entry == entry:
                    record.used = at
                    self._put(name, record)

    def flush(self, timeout: float) -> bool:
        """Write the uses noted. False if that could not be done."""
        try:
            if self._used:
                self._write_uses()
        except StoreError:
            return False
        return True

    # Leases

    @_whole
    def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease:
        """Take or renew the lease to fetch for a partition."""
        for lease in self._find(Held, f"lease/{partition.hex()}").values():
            if lease.token != token and now < lease.until <= now + 2 * LEASE_SECONDS:
                return Lease.HELD if lease.token else Lease.OPEN
        self._put(f"lease/{partition.hex()}", Held(token, resource, min(until, now + LEASE_SECONDS)))
        return Lease.GRANTED

    def release(self, partition: bytes, token: bytes, *, open_until: float = 0.0) -> None:
        """Give the lease back; with ``open_until``, others hear OPEN until then."""
        with suppress(StoreError):
            self._release(partition, token, open_until)

    @_whole
    def _release(self, partition: bytes, token: bytes, open_until: float) -> None:
        for name, lease in self._find(Held, f"lease/{partition.hex()}").items():
            if lease.token == token:
                self._put(name, Held(b"", lease.resource, open_until))

    # Maintenance

    def listed(self, *, batch: int = 500) -> Iterator[Listed]:
        """Every record, as they were when the first was asked for."""
        for record in self._records():
            yield Listed.of(record.item, Stored(record.item.sealed, None, record.entry, record.rev))

    @_whole
    def _records(self) -> list[KeptRecord]:
        return list(self._find(KeptRecord, "record/").values())

    @_whole
    def clear(self) -> None:
        """Remove everything but the id, the salt and the marks of dropped resources."""
        for kind in ("record/", "body/", "chunk/", "lease/"):
            self._delete_all(list(self.table.find(kind)))
        self.unsign()

    @_whole
    def unsign(self) -> None:
        """Remove the mark that the store is signed."""
        for name, meta in self._find(Meta, "meta/").items():
            self._put(name, meta._replace(signed=False))

    @_whole
    def take_salt(self, salt: bytes) -> bool:
        """See :class:`~sansio_cache_adapters.stores.protocol.TakingSalt`."""
        if self._records():
            return False
        for name, meta in self._find(Meta, "meta/").items():
            self._put(name, meta._replace(salt=salt))
        return True

    @_whole
    def size(self) -> Size:
        """How much it holds."""
        records = self._records()
        pending = sum(each.size for each in self._find(KeptBody, "body/").values() if each.state == "pending")
        return Size(len(records), pending + sum(weight(each.item) for each in records))

    @_whole
    def sweep(self, *, now: float, limit: int = 500) -> int:
        """One batch of what has expired, is over the bound, was replaced or left over."""
        self._write_uses()
        swept = self._delete_all(self._dead_chunks(now)[:limit])
        swept += self._let_go(self._due(now, limit - swept))
        leases, marks = self._find(Held, "lease/"), self._find(float, "mark/")
        self._delete_all([name for name, lease in leases.items() if lease.until <= now])
        self._delete_all([name for name, at in marks.items() if at <= now - MARK_SECONDS])
        return swept

    def _delete_all(self, names: Sequence[str]) -> int:
        for name in names:
            self.table.delete(name)
        return len(names)

    def _dead_chunks(self, now: float) -> list[str]:
        """The chunks of bodies that are no longer written or read, and after them the notes about the bodies."""
        aborted = {of_body(self._aborted.popleft()) for _ in range(len(self._aborted))}
        dead: list[str] = []
        for name, body in self._find(KeptBody, "body/").items():
            ended = body.at <= now - STAYS[body.state]
            if body.state == "pending" and (ended or name in aborted):
                # Its chunks may go in several batches, and it must not be committed in between.
                self._put(name, let_go(body, 0.0))
                ended = True
            if ended:
                dead.append(name)
        return [chunk for name in dead for chunk in self.table.find(name.replace("body/", "chunk/", 1))] + dead

    def _due(self, now: float, limit: int) -> dict[str, KeptRecord]:
        """Records that have expired, and the longest unused of those that are too many without them."""
        entries, held = self.size()
        held += len(self.table.find("mark/")) * MARK_BYTES
        most = entries if self.max_entries is None else self.max_entries
        due: dict[str, KeptRecord] = {}
        rows = [(row[1].item.purge_at <= now, *row) for row in self._longest_unused("record/")]
        for expired, name, record in sorted(rows, key=lambda row: not row[0]):
            if len(due) < limit and (expired or held > self.max_bytes or entries > most):
                due[name] = record
                entries, held = entries - 1, held - weight(record.item)
        return due

    def close(self) -> None:
        """Write the uses noted, as far as possible, and close the table; using the store opens it again."""
        self.flush(0.0)
        with self.lock:
            try:
                self.table.close()
            except self.errors as error:
                raise StoreError(f"{self.location}: {error}") from error
