"""Stored bodies, read without a session: every chunk is verified before it is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sansio_cache.bodies import open_body
from sansio_cache.digests import NOT_INSTALLED
from sansio_cache.errors import StoreError
from sansio_cache.keys import Keys
from sansio_cache.records import Flaw, Record
from sansio_cache_adapters.cache.decoding import BrokenCoding, decode, decoders, undecodable
from sansio_cache_adapters.stores.protocol import Store

from .errors import Trouble
from .place import OpenCache
from .records import FoundRecord

__all__ = ["body_of", "decoded", "flaw_of"]


_SAID: Final = {Flaw.GONE: "is gone", Flaw.DIGEST: f"cannot be verified: {NOT_INSTALLED}"}


class _Unsound(Exception):
    """A body is not the one that its record describes."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.value)
        self.flaw = flaw


def body_of(opened: OpenCache, found: FoundRecord) -> Iterator[bytes]:
    """The body of a record as it is stored, in pieces.

    :raises Trouble: it is gone, or not the one that its record describes.
    """
    try:
        yield from _pieces(opened, found)
    except _Unsound as error:
        said = _SAID.get(error.flaw, "is not the one that was stored")
        status = Trouble.SECRET if opened.sealer.signed and error.flaw is Flaw.BODY else Trouble.STORE
        raise Trouble(f"the body of {found.row.url} {said}", status) from None


def flaw_of(opened: OpenCache, found: FoundRecord) -> Flaw | None:
    """The flaw of a record, or of its body; None if there is none."""
    try:
        for _ in _pieces(opened, found):
            pass
    except _Unsound as error:
        return error.flaw
    return None


def _pieces(opened: OpenCache, found: FoundRecord) -> Iterator[bytes]:
    record = found.opened
    if not isinstance(record, Record):
        raise _Unsound(record)
    head, store = record.head, opened.store
    if not head.length:
        return
    # A listed record comes without its body.
    for stored in store.load(head.partition):
        if stored.sealed == record.stored.sealed and stored.body is not None:
            beside, _ = opened.rules.open([stored], Keys(head.resource, head.partition))
            if not beside:
                raise _Unsound(Flaw.BODY)
            yield stored.body
            return
    yield from _chunks(store, record)


def _chunks(store: Store, record: Record) -> Iterator[bytes]:
    head, entry = record.head, record.stored.entry
    try:
        hashes = store.hashes(entry) if head.length > head.chunk_size else b""
        first = store.chunk(entry, 0)
    except StoreError:
        raise _Unsound(Flaw.GONE) from None
    body = open_body(head, hashes, 0, first)
    if isinstance(body, Flaw):
        raise _Unsound(body)
    yield first
    for index in range(1, -(-head.length // head.chunk_size)):
        try:
            chunk = store.chunk(entry, index)
        except StoreError:
            raise _Unsound(Flaw.GONE) from None
        if not isinstance(chunk, bytes) or not body.hashes.holds(index, chunk):
            raise _Unsound(Flaw.BODY)
        yield chunk


def decoded(pieces: Iterator[bytes], coding: str) -> Iterator[bytes]:
    """A body with its content codings taken off.

    :raises Trouble: one cannot be taken off here, or the body is not what it says.
    """
    try:
        chain = decoders(coding)
        wanting = undecodable(coding) if not chain else ""
        if wanting:
            raise Trouble(f"{wanting}. --raw gives it as it is stored", Trouble.FOUND)
        for piece in pieces:
            yield from decode(chain, piece)
        for decoder in chain:
            decoder.finish()
    except BrokenCoding as error:
        raise Trouble(f"{error}. --raw gives it as it is stored", Trouble.FOUND) from None
