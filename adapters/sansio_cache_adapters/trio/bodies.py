"""Bodies and hops of the trio client under the cache: those from the network, and stored ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cached_property
from typing import Final

from anyio.lowlevel import checkpoint

from sansio_cache.decisions import Answer, FromStore, Given
from sansio_cache.errors import StoreError
from sansio_cache.messages import Headers, Request, version_name, version_of
from sansio_cache_adapters.cache.connection_auth import authenticated
from sansio_cache_adapters.cache.engine import Engine
from sansio_cache_adapters.cache.exchange import NativeResponse
from sansio_cache_adapters.cache.response_attributes import AnswerState
from sansio_cache_adapters.cache.stored_body import StoredBody
from sansio_cache_adapters.cache.tee import INCOMPLETE, Tee
from sansio_cache_adapters.trio.http.content import OutgoingRequest
from sansio_cache_adapters.trio.http.errors import ReadError, TransportError
from sansio_cache_adapters.trio.http.hop import Chunks, Hop
from sansio_cache_adapters.trio.http.pool import TAKE_AT_CLOSE

__all__ = ["StoredBodyGone", "CachedHop", "HopTransfer", "StoredChunks", "TeeChunks", "cached_hop", "stored_hop"]


_MOST_PIECES: Final = 4
"""Pieces of a body that are taken at once. Each may be made of hundreds of chunks, which take about a millisecond."""


class StoredBodyGone(ReadError):
    """A stored body is gone from the store; its record was dropped."""


class CachedHop(Hop, AnswerState):
    """A hop that the cache has looked at."""

    def __init__(
        self, engine: Engine, answer: Answer, chunks: Chunks, response: Hop | None = None, tee: Tee | None = None
    ) -> None:
        version = version_name(answer.version) if response is None else response.version
        super().__init__(answer.status, answer.reason, list(answer.headers.items), chunks, version)
        AnswerState.__init__(self, answer, engine, tee)

    @property
    def coding(self) -> str:
        """See :class:`~sansio_cache_adapters.trio.http.hop.Hop`."""
        record = self.answer.record
        # Worked out when it was stored.
        return "" if record is not None and self.answer.from_cache and not record.head.facts.coded else super().coding

    def at_hand(self) -> bytes | None:
        """See :class:`~sansio_cache_adapters.trio.http.hop.Hop`."""
        source = self.answer.body
        if isinstance(source, FromStore):
            body = source.record.stored.body
            return None if body is None else body[source.start : source.stop]
        return source.data if isinstance(source, Given) else None

    def as_one(self) -> Awaitable[bytes] | None:
        """See :class:`~sansio_cache_adapters.trio.http.hop.Hop`: a coded body is decoded piece by piece."""
        return None if self.coding or not isinstance(self.chunks, StoredChunks) else self.chunks.as_one()


async def cached_hop(engine: Engine, answer: Answer, response: Hop | None, tee: Tee | None) -> CachedHop:
    """The hop of an answer: its body from the store, from the network, or from the network into the store."""
    if response is None:
        return stored_hop(engine, answer)
    if tee is None:
        return CachedHop(engine, answer, response.chunks, response)
    chunks = TeeChunks(response.chunks, tee)
    try:
        await chunks.keep_arrived()
    except BaseException:
        chunks.abort()
        raise
    return CachedHop(engine, answer, chunks, response, tee)


def stored_hop(engine: Engine, answer: Answer) -> CachedHop:
    """The hop of an answer without the network."""
    return CachedHop(engine, answer, StoredChunks(engine, answer))


async def _given(read: Awaitable[bytes]) -> bytes:
    try:
        return await read
    except StoreError as error:
        raise StoredBodyGone(f"the stored body is gone: {error}") from error


class StoredChunks(Chunks):
    """A stored body; each chunk is verified before it is given."""

    def __init__(self, engine: Engine, answer: Answer) -> None:
        self._engine = engine
        self._source = source = answer.body
        self._given = source.data if isinstance(source, Given) else b""

    @cached_property
    def _body(self) -> StoredBody | None:
        # Made for those who stream it: most bodies lie beside their heads, and are taken from there.
        return StoredBody(self._engine, self._source) if isinstance(self._source, FromStore) else None

    async def __anext__(self) -> bytes:
        await checkpoint()
        if self._body is None:
            piece, self._given = self._given, b""
        else:
            piece = await _given(self._body.read())
        if not piece:
            raise StopAsyncIteration
        return piece

    def as_one(self) -> Awaitable[bytes] | None:
        """See :class:`~sansio_cache_adapters.trio.http.hop.Hop`."""
        return None if self._body is None else self._rest(self._body)

    async def _rest(self, body: StoredBody) -> bytes:
        await checkpoint()
        return await _given(body.rest())

    def abort(self) -> None:
        """Give nothing more; nothing is held between two reads."""
        self._body, self._given = None, b""


class TeeChunks(Chunks):
    """The body of a response on its way to the reader: every byte also goes to the store.

    It says of nothing that it is parsed: that was taken when the head was given out.
    """

    def __init__(self, inner: Chunks, tee: Tee) -> None:
        self._inner = inner
        self._tee = tee
        self._ahead: deque[bytes] = deque()
        self._error: TransportError | None = None

    async def keep_arrived(self) -> None:
        """Keep a body that came with its head as a whole; its reader finds all of it, and what is wrong with it."""
        size = 0
        while size < TAKE_AT_CLOSE and len(self._ahead) < _MOST_PIECES and not self._tee.done:
            try:
                piece = self._inner.parsed()
            except TransportError as error:
                self._error = error
                self._tee.abandon(INCOMPLETE)
                return
            if piece is None:
                return
            if piece:
                self._ahead.append(piece)
            size += len(piece)
            await (self._tee.feed(piece) if piece else self._tee.finish())

    async def __anext__(self) -> bytes:
        if self._ahead:
            await checkpoint()
            return self._ahead.popleft()
        if self._error is not None:
            raise self._error
        try:
            piece = await anext(aiter(self._inner))
        except StopAsyncIteration:
            await self._tee.finish()
            raise
        except BaseException:
            self._tee.abandon(INCOMPLETE)
            raise
        await self._tee.feed(piece)
        return piece

    async def arrived(self) -> bytes | None:
        """See :class:`~sansio_cache_adapters.trio.http.hop.Chunks`."""
        if self._ahead:
            return self._ahead.popleft()
        try:
            piece = await self._inner.arrived()
        except BaseException:
            self._tee.abandon(INCOMPLETE)
            raise
        if piece:
            await self._tee.feed(piece)
        elif piece is not None:
            await self._tee.finish()
        return piece

    async def aclose(self) -> None:
        """Give the connection back; an unread body is kept first where it has arrived."""
        taken = 0
        try:
            while not self._tee.done and taken < TAKE_AT_CLOSE:
                piece = await self.arrived()
                if not piece:
                    break
                taken += len(piece)
        except TransportError:
            pass  # the broken rest was not asked for
        finally:
            self._tee.abandon()
            await self._inner.aclose()

    def abort(self) -> None:
        """Drop the body and its connection at once."""
        self._tee.abandon()
        self._inner.abort()

    def __del__(self) -> None:
        self._tee.drop()


class HopTransfer:
    """Sends one request, with the validators that the core adds, over a pool."""

    def __init__(
        self, request: OutgoingRequest, send: Callable[[OutgoingRequest], Awaitable[Hop]], pool: object
    ) -> None:
        self._pool = pool
        self._request = request
        self._send = send

    async def send(self, request: Request, /) -> NativeResponse[Hop]:
        """See :class:`~sansio_cache_adapters.cache.exchange.Transfer`."""
        authenticated.sends(self._pool, request)
        hop = await self._send(replace(self._request, headers=list(request.headers.items)))
        headers = Headers(hop.headers)
        refusal = authenticated.why_not_kept(self._pool, request, hop.status, headers)
        return NativeResponse(hop.status, hop.reason, headers, hop, refusal, version_of(hop.version))

    async def discard(self, native: Hop, /) -> None:
        """See :class:`~sansio_cache_adapters.cache.exchange.Transfer`."""
        await native.aclose()

    def abort(self, native: Hop, /) -> None:
        """See :class:`~sansio_cache_adapters.cache.exchange.Transfer`."""
        native.abort()

    async def drain(self, native: Hop, tee: Tee | None, /) -> None:
        """See :class:`~sansio_cache_adapters.cache.exchange.Transfer`."""
        try:
            if tee is not None:
                async for _ in TeeChunks(native.chunks, tee):
                    pass
        finally:
            await native.aclose()

    def detached(self) -> HopTransfer:
        """See :class:`~sansio_cache_adapters.cache.exchange.Transfer`: what cannot change is sent, and only that."""
        return self
