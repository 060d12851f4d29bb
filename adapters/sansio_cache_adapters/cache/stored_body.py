"""Stored bodies: how one is opened and read, and given up where it does not match its record."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from functools import partial
from io import BytesIO
from typing import Final, cast

from sansio_cache.actions import BodyStart
from sansio_cache.bodies import HashList, OpenedBody, open_body
from sansio_cache.decisions import FromStore
from sansio_cache.digests import NOT_INSTALLED
from sansio_cache.errors import BadSignature, BrokenRecord, StoreError
from sansio_cache.policy import Policy
from sansio_cache.records import Flaw, Record, variant_of
from sansio_cache_adapters.stores.forking import FORKS
from sansio_cache_adapters.stores.protocol import Instant, ReadChunk, ReadingAhead, Seen
from sansio_cache_adapters.stores.work import awaited

from .engine import Engine
from .gathering import THREADS, Gathering
from .verifying import checked, failed, settled, soon

__all__ = ["StoredBody", "discard", "load_body", "may_fetch_anew"]


_AHEAD: Final = 2
"""So many chunks are read and verified at a time, the one that is wanted included."""
_TOGETHER: Final = 16
"""So many chunks are gathered before others have their turn at the threads."""
_ROOM_AT_ONCE: Final = 64 * 1024**2
"""Bytes of memory that are taken for a body before it is read: its stated length may be wrong."""


async def load_body(engine: Engine, record: Record, index: int) -> BodyStart | None:
    """The list of a body's hashes, where it has more chunks than one, and one of its chunks; None where it is gone."""
    store, entry, head = engine.store, record.stored.entry, record.head
    try:
        hashes: object = b""
        if head.length > head.chunk_size:
            hashes = await awaited(store.hashes(entry))
        chunk: object = await awaited(store.chunk(entry, index))
    except StoreError:
        return None
    except Exception as error:  # a store of the user's own may raise anything
        engine.breaker.trip(error)
        return None
    return BodyStart(hashes, chunk)


async def discard(engine: Engine, record: Record) -> None:
    """Remove a record, if it is still the same, lest every later reader meet it."""
    head = record.head
    seen = Seen(head.partition, variant_of(head.method, head.vary), record.stored.rev)
    await engine.breaker.attempting(0, partial(engine.store.change, [seen], None))


def may_fetch_anew(error: Exception, policy: Policy) -> bool:
    """Whether a stored body that fails so, before a byte of it was handed out, is a miss; its record is dropped."""
    if isinstance(error, BadSignature):
        return policy.on_bad_signature == "miss"
    return isinstance(error, BrokenRecord | StoreError)


class StoredBody:
    """Reads a stored body from ``source.start`` to ``source.stop``, each chunk verified before it is given.

    Holds nothing of the store between two reads; works after the session was closed.
    """

    __slots__ = ("_ahead", "_at", "_engine", "_generation", "_opened", "_source")

    def __init__(self, engine: Engine, source: FromStore) -> None:
        self._engine = engine
        self._source = source
        self._at = source.start
        self._opened: OpenedBody | None = source.opened
        self._ahead: deque[Future[bytes | None]] = deque()
        self._generation = FORKS.generation

    @property
    def at_end(self) -> bool:
        """Whether all was read."""
        return self._at >= self._source.stop

    async def read(self) -> bytes:
        """The next piece, at most a chunk (1 MiB); ``b""`` at the end.

        :raises BadSignature: it is not what was signed (without a secret BrokenRecord); the record is dropped.
        :raises StoreError: it is gone, or the store is in trouble.
        """
        source, at = self._source, self._at
        if at >= source.stop:
            return b""
        stored, head = source.record.stored, source.record.head
        if stored.body is not None:
            self._at = source.stop
            whole = at == 0 and source.stop == len(stored.body)
            return stored.body if whole else stored.body[at : source.stop]
        index, offset = divmod(at, head.chunk_size)
        chunk = await self._chunk(index)
        stop = min(source.stop - index * head.chunk_size, len(chunk))
        self._at = index * head.chunk_size + stop
        return chunk if offset == 0 and stop == len(chunk) else chunk[offset:stop]

    async def rest(self) -> bytes:
        """All that is left, as one; errors as of :meth:`read`. After one, or a cancellation, nothing of it is lost.

        Each chunk is copied once, to where it stays: memory that is taken anew costs more than to hash what fills it.
        """
        source, start, size = self._source, self._at, self._source.record.head.chunk_size
        if source.record.stored.body is not None or source.stop - start <= size - start % size:
            return await self.read()
        self._ahead.clear()
        body = await self._open(start // size)
        whole = BytesIO()
        held, at = min(source.stop - start, _ROOM_AT_ONCE), start
        while at < source.stop:
            stop = min(source.stop, (at // size + _TOGETHER) * size)
            held = max(held, stop - start)
            whole.seek(held - 1)
            whole.write(b"\0")
            with whole.getbuffer() as view, view[at - start : stop - start] as room:
                await self._gather(Gathering(body, source.record, at, room))
            at = stop
        self._at = at
        return whole.getvalue()

    async def _gather(self, gathering: Gathering) -> None:
        """Fill a stretch of memory."""
        engine, store, entry = self._engine, self._engine.store, self._source.record.stored.entry
        helpers = range(min(THREADS, len(gathering)))
        try:
            if isinstance(store, ReadingAhead):
                under_way = [store.read_soon(entry, gathering.work) for _ in helpers]
            elif engine.blocks or (isinstance(store, Instant) and store.instant):
                read = cast(ReadChunk, store.chunk)
                under_way = [soon(partial(gathering.work, read)) for _ in helpers[engine.blocks :]]
                if engine.blocks:
                    gathering.work(read)
            else:
                under_way = await self._asked(gathering)
            for future in under_way:
                await settled(engine, future)
        except BaseException:
            gathering.stop()
            raise
        if gathering.failure is not None:
            raise await self._failed(gathering.failure)

    async def _asked(self, gathering: Gathering) -> list[Future[None]]:
        """Chunks that had to be waited for, on their way to be verified and placed."""
        store, entry = self._engine.store, self._source.record.stored.entry
        under_way: list[Future[None]] = []
        while (index := gathering.next()) is not None:
            try:
                chunk: object = await awaited(store.chunk(entry, index))
            except Exception as error:  # a store of the user's own may raise anything
                gathering.failure = error
            else:
                under_way.append(soon(partial(gathering.put, index, chunk)))
        return under_way

    async def _open(self, index: int) -> OpenedBody:
        """The body, found to be there: its hashes, and this chunk of it if it was not opened before."""
        opened, record = self._opened, self._source.record
        if opened is None:
            start = await load_body(self._engine, record, index)
            if start is None:
                raise await self._failed(StoreError("the stored body is gone"))
            found = open_body(record.head, start.hashes, index, start.chunk)
            if found is Flaw.DIGEST:
                raise StoreError(f"the stored body cannot be verified: {NOT_INSTALLED}")  # it stays for those who can
            if isinstance(found, Flaw):
                raise await self._failed(found)
            opened = self._opened = found
        return opened

    async def _chunk(self, index: int) -> bytes:
        """One chunk, verified."""
        opened = await self._open(index)
        taken = opened.take(index)
        if taken is not None:
            await self._begin(opened.hashes, index + 1)
            return taken
        await self._begin(opened.hashes, index)
        try:
            chunk = await settled(self._engine, self._ahead[0])
            self._ahead.popleft()
        except Exception as error:  # a store of the user's own may raise anything, and memory may run out in any
            self._ahead.clear()
            raise await self._failed(error) from error
        if chunk is None:
            raise await self._failed(Flaw.BODY)
        return chunk

    async def _failed(self, failure: Exception | Flaw) -> Exception:
        """What the reader is told of a chunk that cannot be given."""
        engine, record = self._engine, self._source.record
        if isinstance(failure, Flaw | StoreError):
            await discard(engine, record)
            return failure if isinstance(failure, StoreError) else engine.unreadable_body(record.head, "body")
        engine.breaker.trip(failure)
        return StoreError(f"the stored body cannot be read: {str(failure) or type(failure).__name__}")

    async def _begin(self, hashes: HashList, index: int) -> None:
        """Let the chunk that is wanted next, and some that follow, be read and verified."""
        ahead = self._ahead
        if self._generation != FORKS.generation:
            # Reads under way go on in the parent.
            self._generation = FORKS.generation
            ahead.clear()
        behind = -(-self._source.stop // self._source.record.head.chunk_size)
        while len(ahead) < min(_AHEAD, behind - index):
            ahead.append(await self._under_way(hashes, index + len(ahead)))

    async def _under_way(self, hashes: HashList, index: int) -> Future[bytes | None]:
        store, entry = self._engine.store, self._source.record.stored.entry
        try:
            if isinstance(store, ReadingAhead):
                return store.read_soon(entry, lambda read: checked(hashes, index, read(entry, index)))
            chunk: object = await awaited(store.chunk(entry, index))
        except Exception as error:  # told when its turn comes
            return failed(error)
        return soon(partial(checked, hashes, index, chunk))
