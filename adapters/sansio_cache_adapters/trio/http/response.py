"""The response that a user of the trio client holds: a head, and a body read whole or streamed once."""

from __future__ import annotations

import codecs
import json as jsonlib
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from functools import cached_property
from io import IncrementalNewlineDecoder
from typing import Any, Self

from anyio.lowlevel import checkpoint

from sansio_cache_adapters.cache.decoding import BrokenCoding, Decoder, decode, decoders, undecodable

from .content import OutgoingRequest
from .errors import DecodingError, ResponseNotRead, StreamClosed, StreamConsumed, TransportError
from .fields import Fields
from .hop import Drained, Hop

__all__ = ["FieldMap", "HTTPStatusError", "Response", "TooManyRedirects"]

# Codecs that refuse errors="replace" or are no charset of the web: a server could make ``text`` raise with them.
_NO_CHARSETS = {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"}


class TooManyRedirects(TransportError):
    """More redirects than ``max_redirects``; ``history`` holds the responses that were followed."""

    def __init__(self, message: str, history: tuple[Response, ...] = ()) -> None:
        super().__init__(message)
        self.history = history


class HTTPStatusError(TransportError):
    """A status of 400 to 599, raised by ``Response.raise_for_status()``; ``response`` is the evidence."""

    def __init__(self, message: str, response: Response) -> None:
        super().__init__(message)
        self.response = response
        self.url = response.url


class FieldMap(Mapping[str, str]):
    """The fields of a message: found without regard to case, repeats joined by ", " (RFC 9110 §5.3).

    :ivar items_as_received: every line, in order and spelling.
    """

    def __init__(self, fields: Fields) -> None:
        self.items_as_received = tuple(fields)
        self._names: dict[str, str] = {}
        for name, _ in fields:
            self._names.setdefault(name.lower(), name)

    def get_list(self, name: str) -> list[str]:
        """The value of every line of one field; Set-Cookie is usable in this form only."""
        wanted = name.lower()
        return [value for given, value in self.items_as_received if given.lower() == wanted]

    def __getitem__(self, name: str) -> str:
        values = self.get_list(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names.values())

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        from sansio_cache.messages import shown_fields  # the core, for those who look

        return f"FieldMap({shown_fields(self.items_as_received)!r})"


class Response:
    """One response, content codings taken off.

    :ivar status: the status code.
    :ivar reason: the reason phrase as received, possibly empty.
    :ivar http_version: ``HTTP/1.1``, or ``HTTP/1.0``.
    :ivar url: the URL that answered, after redirects, without userinfo.
    :ivar history: the responses that redirected here, oldest first.
    :ivar cookies: names and values that this response set and the session's jar took.
    """

    def __init__(
        self,
        hop: Hop,
        request: OutgoingRequest,
        *,
        history: tuple[Response, ...] = (),
        cookies: Mapping[str, str] | None = None,
        elapsed: float = 0.0,
    ) -> None:
        self.status: int = hop.status
        self.reason: str = hop.reason
        self.http_version: str = hop.version
        self.url: str = request.url
        self.history = history
        self.cookies: dict[str, str] = dict(cookies) if cookies else {}
        self._request = request
        self._elapsed = elapsed
        self._hop = hop
        self._content: bytes | None = None
        self._encoding: str | None = None
        self._begun = False
        self._closed = False

    @cached_property
    def request(self) -> OutgoingRequest:
        """The request as it went out, of the last hop."""
        return self._request

    @cached_property
    def headers(self) -> FieldMap:
        """The fields; ``headers.get_list(name)`` gives each line."""
        return FieldMap(self._hop.headers)

    @cached_property
    def elapsed(self) -> timedelta:
        """From the sending of the last hop until its head had come."""
        return timedelta(seconds=self._elapsed)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} [{self.status} {self.reason}]>"

    # The body, whole

    @property
    def content(self) -> bytes:
        """The body, content codings taken off where that can be.

        :raises ResponseNotRead: it has not been read yet.
        """
        if self._content is None:
            raise ResponseNotRead("the body has not been read: await response.read() first")
        return self._content

    @property
    def encoding(self) -> str:
        """The character encoding of ``text``: of Content-Type where Python knows it, else UTF-8. It can be set."""
        if self._encoding is None:
            from email.message import Message  # it came with the cookies, for which the standard library needs it

            header = Message()
            header["Content-Type"] = self.headers.get("Content-Type", "")
            charset = header.get_content_charset()
            self._encoding = charset if charset and _is_charset(charset) else "utf-8"
        return self._encoding

    @encoding.setter
    def encoding(self, name: str) -> None:
        codecs.lookup(name)
        self._encoding = name

    @property
    def text(self) -> str:
        """The body as text; bytes that are none become U+FFFD.

        :raises ResponseNotRead: it has not been read yet.
        :raises DecodingError: the codec of its content coding is not installed.
        """
        return self._uncoded().decode(self.encoding, "replace")

    def json(self) -> Any:
        """The body as JSON, in UTF-8, -16 or -32 (RFC 8259).

        :raises ValueError: it is not JSON; else as ``text``.
        """
        return jsonlib.loads(self._uncoded())

    def _uncoded(self) -> bytes:
        """The content, for anyone who takes it for text: bytes that are still coded would be nonsense to them."""
        if self.content and (complaint := self._complaint()):
            raise DecodingError(complaint)
        return self.content

    def _complaint(self) -> str:
        coding = self._hop.coding
        complaint = undecodable(coding) if coding else ""
        return complaint and f"{complaint}; read it as bytes to have it as it came"

    def raise_for_status(self) -> Self:
        """The response itself.

        :raises HTTPStatusError: for a status of 400 to 599.
        """
        if 400 <= self.status <= 599:
            raise HTTPStatusError(f"{self.status} {self.reason} for {self.url}", self)
        return self

    async def read(self) -> bytes:
        """The body, which is kept as ``content``; a second call returns that.

        :raises TransportError: as ``iter_bytes``.
        """
        if self._content is None:
            unread = not self._begun and not self._closed
            if unread and (at_hand := self._hop.at_hand()) is not None:
                self._begun = True
                pieces = await _decoded(self._hop.coding, at_hand)
            elif unread and (as_one := self._hop.as_one()) is not None:
                self._begun = True
                pieces = [await as_one]
            else:
                pieces = [piece async for piece in self.iter_bytes()]
            self._content = b"".join(pieces)
        return self._content

    # The body, streamed

    def iter_raw(self) -> AsyncIterator[bytes]:
        """The body as received, content codings on, in pieces as they come.

        :raises StreamConsumed: the body was read before; StreamClosed: the response is closed.
        :raises TransportError: from the iterator: a ReadError, ReadTimeout or RemoteProtocolError.
        """
        if self._begun:
            raise StreamConsumed("the body streams once, and it has: await response.read() keeps it instead")
        if self._closed:
            raise StreamClosed("the response was closed before its body had been read: read it inside the block")
        self._begun = True
        return aiter(self._hop.chunks)

    def iter_bytes(self) -> AsyncIterator[bytes]:
        """The body, content codings taken off, in pieces of at most 64 KiB where there was one.

        :raises DecodingError: from the iterator; else as ``iter_raw``.
        """
        if self._content is not None:
            return Drained(self._content)
        raw = self.iter_raw()
        with _CODINGS:
            chain = decoders(self._hop.coding)
        return _Decoded(raw, chain) if chain else raw

    def iter_lines(self) -> AsyncIterator[str]:
        r"""The body as lines of text without their ends, which are \n, \r\n and \r.

        :raises DecodingError: as ``text``; else as ``iter_bytes``.
        """
        return _Lines(self.iter_bytes(), self.encoding, self._complaint())

    async def aclose(self) -> None:
        """Give back the connection; unread parts of the body are lost. Idempotent."""
        self._closed = True
        await self._hop.aclose()


def _is_charset(name: str) -> bool:
    try:
        return codecs.lookup(name).name not in _NO_CHARSETS and isinstance(b"a".decode(name, "replace"), str)
    except (LookupError, ValueError):
        return False


class _MappedErrors:
    """Turns the decoders' error into the client's."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BrokenCoding):
            raise DecodingError(str(error)) from error


_CODINGS = _MappedErrors()


async def _decoded(coding: str, data: bytes) -> list[bytes]:
    """A body that is at hand, decoded: one checkpoint, and more for what a bomb expands to."""
    if not coding:
        await checkpoint()
        return [data]
    pieces: list[bytes] = []
    with _CODINGS:
        chain = decoders(coding)
        for piece in decode(chain, data):
            pieces.append(piece)
            await checkpoint()
        if not pieces:
            await checkpoint()
        for decoder in chain:
            decoder.finish()
    return pieces


# The iterators are classes, not async generators: one that is left in the middle needs no finalising, in no loop.


class _Decoded:
    def __init__(self, raw: AsyncIterator[bytes], chain: list[Decoder]) -> None:
        self._raw = raw
        self._chain = chain
        self._pieces: Iterator[bytes] = iter(())

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        # Reading the network has its own checkpoints; expanding a bomb must have some too.
        await checkpoint()
        with _CODINGS:
            while not (piece := next(self._pieces, None)):
                if piece is not None:
                    await checkpoint()
                    continue
                try:
                    data = await anext(self._raw)
                except StopAsyncIteration:
                    for decoder in self._chain:
                        decoder.finish()
                    raise
                self._pieces = decode(self._chain, data)
        return piece


class _Lines:
    def __init__(self, pieces: AsyncIterator[bytes], encoding: str, complaint: str) -> None:
        self._pieces = pieces
        self._complaint = complaint  # of the first byte, if it is still coded
        # It holds back a final \r, which may be the half of a \r\n.
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._decoder = IncrementalNewlineDecoder(decoder, translate=True)
        self._lines: list[str] = []  # complete, the next one last
        self._begun: list[str] = []  # pieces of the line that has no end yet
        self._ended = False

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        if self._lines:
            await checkpoint()
        while not self._lines:
            if self._ended:
                raise StopAsyncIteration
            try:
                piece = await anext(self._pieces)
                if piece and self._complaint:
                    raise DecodingError(self._complaint)
                self._take(self._decoder.decode(piece))
            except StopAsyncIteration:
                self._ended = True
                self._take(self._decoder.decode(b"", final=True))
                if rest := "".join(self._begun):
                    self._lines.insert(0, rest)
        return self._lines.pop()

    def _take(self, text: str) -> None:
        *complete, rest = text.split("\n")
        if complete:
            self._begun.append(complete[0])
            self._lines = ["".join(self._begun), *complete[1:]][::-1]
            self._begun = []
        if rest:
            self._begun.append(rest)
