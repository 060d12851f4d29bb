"""Bodies under aiohttp: those from the network, stored on their way, and stored ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Final
from weakref import WeakMethod

from aiohttp import ClientPayloadError, StreamReader

from sansio_cache.errors import StoreError
from sansio_cache.messages import Headers
from sansio_cache_adapters.cache.decoding import BrokenCoding, Decoder, decode, decoders
from sansio_cache_adapters.cache.events import logger
from sansio_cache_adapters.cache.stored_body import StoredBody
from sansio_cache_adapters.cache.tee import INCOMPLETE, UNREAD, Tee

from .private import coding_complaint
from .private_reader import PulledBody, is_drained, peeked, pulled

__all__ = ["ARRIVED_LIMIT", "NO_DECODING", "Decoding", "NetworkBody", "StoredContent", "coding_of", "keep_arrived"]

ARRIVED_LIMIT: Final = 65_536
"""Bytes that are taken, without waiting, of a body that is given up unread."""
_PAUSE_AFTER: Final = 8
_READERS_JUDGE: Final = frozenset({"br", "zstd"})
_CODINGS: Final = frozenset({"gzip", "deflate", "br", "zstd"})

Keep = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


def coding_of(headers: Headers) -> str:
    """The content coding that aiohttp takes off a response, ``""`` for none: a list of codings it leaves alone."""
    lines = headers.lines("content-encoding")
    coding = lines[-1].lower() if lines and lines[-1].isascii() else ""
    return coding if coding in _CODINGS else ""


class Decoding:
    """Takes a content coding off a body as aiohttp does, but in bounded steps.

    :param coding: see :func:`coding_of`.
    :ivar possible: whether the codec for it is there.
    """

    __slots__ = ("_chain", "_coding", "possible")

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._chain: list[Decoder] = decoders(coding) if coding else []
        self.possible = not coding or bool(self._chain)

    def __bool__(self) -> bool:
        return bool(self._chain)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The content in ``data``, in pieces of at most 64 KiB; raises ClientPayloadError where it is none."""
        if not self._chain:
            return iter((data,) if data else ())
        return self._decoded(data)

    def _decoded(self, data: bytes) -> Iterator[bytes]:
        try:
            yield from decode(self._chain, data)
        except BrokenCoding as error:
            raise ClientPayloadError(coding_complaint(self._coding)) from error

    def finish(self) -> None:
        """At the end of the body; raises ClientPayloadError where aiohttp minds that the coding has not ended."""
        if self._coding != "deflate":
            return
        try:
            for each in self._chain:
                each.finish()
        except BrokenCoding as error:
            raise ClientPayloadError(coding_complaint(self._coding)) from error


NO_DECODING: Final = Decoding("")


class NetworkBody(PulledBody):
    """A body on its way to the reader: every byte, as received, also goes to the store.

    Pulls what the reader asks for and no more; errors of the network pass as they are.

    :param raw: aiohttp's own reader.
    :param tee: None where nothing is stored.
    :param keep: starts the work that is left when the reader goes away.
    :param check: the body's coding (:func:`coding_of`): of some the reader's decoder is the judge, and who does not
        read has none.
    :param patience: seconds after which those who wait for this body are set free (``wait_for_body``), whether or not
        anyone reads: aiohttp keeps a forgotten response alive as long as its connection.
    """

    def __init__(
        self,
        raw: StreamReader,
        tee: Tee | None,
        decoding: Decoding,
        keep: Keep,
        *,
        chunked: bool,
        patience: float,
        check: str = "",
    ) -> None:
        self.chunked = chunked
        self.coded = bool(decoding)
        self._raw = raw
        self._tee = tee
        self._decoding = decoding
        self._keep = keep
        self._check = check
        self._begun = False
        self._left: asyncio.Task[None] | None = None
        self._timer = None if tee is None or tee.done else asyncio.get_running_loop().call_later(patience, tee.set_free)

    @property
    def at_end(self) -> bool:
        # The end may come while others have their turn: then it is still to be told to the tee, by one more pull.
        tee = self._tee
        return is_drained(self._raw) and (tee is None or tee.done or self._left is not None)

    async def pull(self) -> tuple[bytes, Sequence[int]]:
        self._begun = True
        try:
            return await pulled(self._raw, coded=self.coded)
        except Exception:
            self.abandon(INCOMPLETE)
            raise

    async def taken(self, data: bytes) -> None:
        tee = self._tee
        if tee is None or tee.done or self._left is not None:
            return
        await tee.feed(data)
        if is_drained(self._raw):
            await self.finish()

    async def finish(self) -> None:
        """The body has come to a clean end: keep it."""
        if self._tee is not None:
            await self._tee.finish()
            self._settled()

    def abandon(self, why: str = UNREAD) -> None:
        """Do nothing: nothing is stored."""
        if self._tee is not None:
            self._tee.abandon(why)
            self._settled()

    def keep_unread(self) -> None:
        """Keep an unread body once all of it is here; nothing is read for that."""
        if self._tee is not None and not self._tee.done and not self._raw.is_eof():
            came = WeakMethod(self._came)
            self._raw.on_eof(lambda: method() if (method := came()) is not None else None)

    def _came(self) -> None:
        tee, raw = self._tee, self._raw
        unread = not self._begun and self._left is None and raw.exception() is None
        if tee is not None and not tee.done and unread and len(data := peeked(raw)) <= ARRIVED_LIMIT:
            self._left = self._rest(data, tee)

    async def _keep_rest(self, data: bytes, tee: Tee) -> None:
        try:
            await _keep(data, tee, self._check)
        finally:
            self._settled()

    def _settled(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def decoded(self, data: bytes) -> Iterator[bytes]:
        try:
            yield from self._decoding.pieces(data)
        except ClientPayloadError:
            self.abandon(INCOMPLETE)
            raise

    def finish_decoding(self) -> None:
        self._decoding.finish()

    def arrived(self) -> bytes:
        data = self._raw.read_nowait()
        self._begun = True
        tee = self._tee
        if tee is not None and not tee.done and self._left is None:
            # Most bytes are only held; bytes that would have to be written now cannot be.
            tee.hold(data)
            if tee.done:
                self._settled()
            elif is_drained(self._raw):
                self._left = self._rest(b"", tee)
        return data

    def leave(self, *, reading: bool) -> asyncio.Task[None] | None:
        tee, raw = self._tee, self._raw
        if tee is None or tee.done or self._left is not None:
            return self._left
        if not reading and raw.is_eof() and raw.exception() is None:
            try:
                data = raw.read_nowait()
            except Exception:  # the total timeout is over
                data = None
            if data is not None and len(data) <= ARRIVED_LIMIT:
                self._left = self._rest(data, tee)
                return self._left
        self.abandon()
        return None

    def _rest(self, data: bytes, tee: Tee) -> asyncio.Task[None] | None:
        work = self._keep_rest(data, tee)
        try:
            return self._keep(work)
        except RuntimeError:  # given up after the loop has ended
            work.close()
            self.abandon()
            return None

    def exception(self) -> BaseException | None:
        return self._raw.exception()

    def set_exception(self, exc: BaseException, exc_cause: BaseException) -> None:
        self._raw.set_exception(exc, exc_cause)

    def is_eof(self) -> bool:
        return self._raw.is_eof()

    def on_eof(self, callback: Callable[[], None]) -> None:
        self._raw.on_eof(callback)

    async def wait_eof(self) -> None:
        await self._raw.wait_eof()

    def __del__(self) -> None:
        # In whatever thread: the timer is left to run out.
        if self._tee is not None and self._left is None:
            self._tee.drop()


async def keep_arrived(raw: StreamReader, tee: Tee, check: str) -> None:
    """Keep a body that is here as a whole before anyone reads it: anyone who reads finds all of it.

    :param check: see :class:`NetworkBody`.
    """
    if raw.is_eof() and raw.exception() is None and len(data := peeked(raw)) <= ARRIVED_LIMIT:
        await _keep(data, tee, check)


async def _keep(data: bytes, tee: Tee, check: str) -> None:
    try:
        await tee.feed(data)
        if check not in _READERS_JUDGE or await _is_coded_so(check, data):
            await tee.finish()
            return
    except BaseException:
        tee.abandon(INCOMPLETE)
        raise
    tee.abandon(INCOMPLETE)


async def _is_coded_so(coding: str, data: bytes) -> bool:
    """Whether an unread body comes to the end of its coding, as its reader's decoder would have found."""
    if not data:
        return True
    pieces = 0
    try:
        chain = decoders(coding)
        for _ in decode(chain, data):
            pieces += 1
            if pieces % _PAUSE_AFTER == 0:
                await asyncio.sleep(0)
        for each in chain:
            each.finish()
    except BrokenCoding:
        return False
    return True


class StoredContent(PulledBody):
    """The content of a response from a store: bytes at hand, or a body that is read in chunks as it is asked for.

    :param length: bytes of the content, as far as they are known before it is decoded.
    """

    def __init__(self, body: StoredBody | bytes, decoding: Decoding, length: int) -> None:
        self.coded = bool(decoding)
        self.length = length
        self._body = body
        self._decoding = decoding

    @property
    def at_end(self) -> bool:
        return not self._body if isinstance(self._body, bytes) else self._body.at_end

    async def pull(self) -> tuple[bytes, Sequence[int]]:
        if isinstance(self._body, bytes):
            return self.arrived(), ()
        try:
            # A coded one is decoded piece by piece, whatever it expands to.
            at_once = self.at_once and not self.coded
            return await (self._body.rest() if at_once else self._body.read()), ()
        except StoreError as error:
            raise ClientPayloadError(f"the stored body is gone: {error}") from error

    def decoded(self, data: bytes) -> Iterator[bytes]:
        return self._decoding.pieces(data)

    def finish_decoding(self) -> None:
        self._decoding.finish()

    def arrived(self) -> bytes:
        data = self._body
        if not isinstance(data, bytes):
            return b""
        self._body = b""
        return data

    def on_eof(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:  # as aiohttp does
            logger.exception("a callback at the end of a body failed")
