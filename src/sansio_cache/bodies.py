"""Bodies on their way: cut into chunks, hashed, and checked for being whole, in bounded memory.

Only complete messages are stored (RFC 9111 §3.3): the length that Content-Length states, and for gzip and deflate the
end of the coding too, since a client library may not notice that a coded body was cut short.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final, Protocol

from .cache_control import parse_delta
from .digests import SHA256, BodyDigest, Digest, digest_named
from .lists import members
from .messages import Headers
from .records import CHUNK_SIZE, INLINE_LIMIT, Flaw, Head, body_digest, chunk_hashes, digest_for

__all__ = [
    "Chunker",
    "CodingCheck",
    "HashList",
    "Intake",
    "OpenedBody",
    "expected_length",
    "hashes_at_once",
    "open_body",
]

_SMALL: Final = 1024
"""Bytes below which pieces are held as one: as objects of their own they would take a multiple of their size."""
_SLICE: Final = 16_384
"""Bytes of a coded body that are decoded at once: what zlib leaves over of them is copied each time."""
_OUTPUT: Final = 65_536
"""Bytes that are decoded at once."""
_STEP_OUTPUT: Final = 524_288
_STEP_CALLS: Final = 64
"""The cost of a step of a check, about a millisecond. A bomb costs by its output, empty members by their number."""


def expected_length(method: str, status: int, headers: Headers) -> int | None:
    """The length in bytes that a response's framing promises (RFC 9112 §6.3), or None where it promises none."""
    if method == "HEAD" or status in (204, 304) or 100 <= status < 200:
        return 0
    if "transfer-encoding" in headers:
        return None
    lines = headers.lines("content-length")
    if not lines:
        return None
    text = lines[0]
    if len(lines) == 1 and len(text) <= 18 and text.isascii() and text.isdigit():
        return int(text)  # as nearly all spell it
    lengths = members(lines)
    if lengths is None or len(set(lengths)) > 1:
        return None
    text = lengths[0]
    return int(text) if parse_delta(text) is not None and len(text) <= 18 else None


class Chunker:
    """Cuts a body into chunks of CHUNK_SIZE as it comes, and hashes each.

    ``length`` counts the bytes so far, ``hashes`` holds the hashes of the chunks cut so far.

    :param wish: what a large body is hashed with.
    """

    __slots__ = ("_pending", "_size", "_wish", "hashes", "length")

    def __init__(self, wish: BodyDigest = "sha256") -> None:
        self._wish: BodyDigest = wish
        self.length: int = 0
        self.hashes: bytearray = bytearray()
        self._pending: list[bytes | bytearray] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take more of the body; the chunks that are now whole."""
        self.length += len(data)
        self._size += len(data)
        if len(data) >= _SMALL:
            self._pending.append(data)
        elif self._pending and isinstance(self._pending[-1], bytearray):
            self._pending[-1] += data
        else:
            self._pending.append(bytearray(data))
        if self._size < CHUNK_SIZE:
            return []
        whole = b"".join(self._pending)
        cut = len(whole) - len(whole) % CHUNK_SIZE
        pending: list[bytes | bytearray] = [whole[cut:]]
        self._pending, self._size = pending, len(whole) - cut
        return [self._hashed(whole[at : at + CHUNK_SIZE]) for at in range(0, cut, CHUNK_SIZE)]

    def rest(self) -> bytes:
        """The last chunk, which may be empty, at the end of the body. Called once."""
        data, self._pending = b"".join(self._pending), []
        return self._hashed(data) if data else data

    def _hashed(self, chunk: bytes) -> bytes:
        self.hashes += digest_for(self._wish, self.length).of(chunk)
        return chunk


class CodingCheck:
    """Whether a coded body has come to the end of its coding.

    gzip and deflate are decoded in steps and the output discarded; other codings pass unchecked here, the client's
    own decoder being the judge of them. Give it bytes, then let it step until there is no more to do.
    """

    __slots__ = ("_at", "_broken", "_decoder", "_empty", "_fresh", "_held", "_rest")

    def __init__(self, headers: Headers) -> None:
        self._fresh = _decoder_of(headers)
        self._decoder = None if self._fresh is None else self._fresh()
        self._broken = False
        self._empty = True
        self._held = b""  # not sliced yet from ``_at`` on
        self._at = 0
        self._rest = b""  # of the slice in hand

    def feed(self, data: bytes) -> None:
        """Take more of the body, and check it to its end, whatever that costs."""
        self.take(data)
        while self.step():
            pass

    def take(self, data: bytes) -> None:
        """Take more of the body, to be checked in steps."""
        self._empty = self._empty and not data
        if self._decoder is not None and not self._broken and data:
            left = self._held[self._at :]
            self._held, self._at = left + data if left else data, 0

    def step(self) -> bool:
        """Check on for about a millisecond; whether there is more to check of what was taken."""
        output = calls = 0
        while output < _STEP_OUTPUT and calls < _STEP_CALLS:
            if not self._rest:
                self._rest = self._held[self._at : self._at + _SLICE]
                self._at += len(self._rest)
            if not self._rest or self._decoder is None or self._fresh is None or self._broken:
                self._held = self._rest = b""
                return False
            if self._decoder.eof:
                # A gzip file may be several members one after the other (RFC 1952 §2.2).
                self._decoder = self._fresh()
            output += self._decode(self._decoder, self._rest)
            calls += 1
            self._rest = self._decoder.unconsumed_tail or self._decoder.unused_data
        return True

    def complete(self) -> bool:
        """Whether what has been fed is whole, as far as can be told; no content at all (HEAD, 204) is."""
        if self._decoder is None or self._empty:
            return True
        # All has been taken in, but not all need have come out: the end of a raw deflate stream is the last to do so.
        while not (self._broken or self._decoder.eof):
            if not self._decode(self._decoder, b""):
                return False
        return not self._broken

    def _decode(self, decoder: _Decoder, data: bytes) -> int:
        """Decode on; how many bytes came out."""
        try:
            return len(decoder.decompress(data, _OUTPUT))
        except zlib.error:
            self._broken = True
            return 0


class _Decoder(Protocol):
    """The interface of zlib's decompression objects, and of ours."""

    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, limit: int, /) -> bytes: ...


def _gzip() -> _Decoder:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


class _Deflate:
    """RFC 9110 §8.4.1.2 means the zlib format; some origins send raw deflate, and clients take both."""

    __slots__ = ("_inner",)

    def __init__(self) -> None:
        self._inner: _Decoder | None = None

    @property
    def eof(self) -> bool:
        return self._inner is not None and self._inner.eof

    @property
    def unconsumed_tail(self) -> bytes:
        return b"" if self._inner is None else self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return b"" if self._inner is None else self._inner.unused_data

    def decompress(self, data: bytes, limit: int) -> bytes:
        if self._inner is None:
            # The zlib header is CM = 8 in the low bits of its first byte (RFC 1950 §2.2).
            wrapped = data[0] & 0x0F == 8
            self._inner = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        return self._inner.decompress(data, limit)


def _decoder_of(headers: Headers) -> Callable[[], _Decoder] | None:
    lines = headers.lines("content-encoding")
    if not lines:
        return None
    codings = members(lines) or ()
    match [each for each in codings if each not in ("", "identity")]:
        case ["gzip" | "x-gzip"]:
            return _gzip
        case ["deflate"]:
            return _Deflate
        case _:
            return None


class HashList:
    """The hashes of a stored body's chunks, once found to be those that its head vouches for."""

    __slots__ = ("_digest", "_hashes")

    def __init__(self, hashes: bytes, digest: Digest = SHA256) -> None:
        self._hashes = hashes
        self._digest = digest

    @staticmethod
    def checked(hashes: bytes, head: Head) -> HashList | Flaw:
        """The list, or BODY where it is not the one that was signed, or DIGEST where that cannot be told."""
        digest = digest_named(head.hashed_with)
        if digest is None:
            return Flaw.DIGEST
        count = -(-head.length // head.chunk_size)
        if len(hashes) != 32 * count or body_digest(hashes, digest) != head.digest:
            return Flaw.BODY
        return HashList(hashes, digest)

    def holds(self, index: int, chunk: bytes) -> bool:
        """Whether a chunk is the one that was signed."""
        return self._digest.of(chunk) == self._hashes[32 * index : 32 * index + 32]


class OpenedBody:
    """A stored body that was found to be there: the hashes of its chunks, and one chunk, until that is taken.

    :ivar hashes: what each chunk must hash to.
    """

    __slots__ = ("_chunk", "_index", "hashes")

    def __init__(self, hashes: HashList, index: int, chunk: bytes) -> None:
        self.hashes: HashList = hashes
        self._index = index
        self._chunk: bytes | None = chunk

    def take(self, index: int) -> bytes | None:
        """The chunk that was verified, if it is this one and was not taken yet: it is held no longer."""
        if index != self._index:
            return None
        chunk, self._chunk = self._chunk, None
        return chunk


def open_body(head: Head, hashes: object, index: int, chunk: object) -> OpenedBody | Flaw:
    """A body from its list of hashes and one of its chunks, or its flaw: BODY, or DIGEST where that cannot be told.

    :param hashes: for a body of more than one chunk; a lone one is vouched for by the head itself.
    """
    # A store that others can write to may hold values of any type.
    if not isinstance(chunk, bytes):
        return Flaw.BODY
    digest = digest_named(head.hashed_with)
    if digest is None:
        return Flaw.DIGEST
    alone = head.length <= head.chunk_size
    listed = chunk_hashes(chunk, digest) if alone else hashes
    checked = HashList.checked(listed, head) if isinstance(listed, bytes) else Flaw.BODY
    if isinstance(checked, Flaw) or not (alone or checked.holds(index, chunk)):
        return Flaw.BODY
    return OpenedBody(checked, index, chunk)


def hashes_at_once(body: bytes, headers: Headers, expected: int | None, limit: int) -> bytes | None:
    """The hashes of a body that is here as a whole and lies beside its head; None where an :class:`Intake` takes it.

    Most are such: small, not coded, and come with their heads.
    """
    length = len(body)
    if length > INLINE_LIMIT or length > limit or expected not in (None, length) or headers.has("content-encoding"):
        return None
    return chunk_hashes(body)


class Intake:
    """A body on its way into the store: what to write, and whether at the end it is whole.

    :param headers: the response's.
    :param expected: what :func:`expected_length` says of it.
    :param limit: bytes that are taken at most.
    :param wish: what a large body is hashed with.
    :ivar coded: it has a coding to be checked.
    :ivar refused: it will not be kept; nothing more need be fed.
    """

    __slots__ = ("_check", "_expected", "_limit", "chunker", "coded", "refused")

    def __init__(self, headers: Headers, expected: int | None, limit: int, wish: BodyDigest = "sha256") -> None:
        self._expected = expected
        # Most bodies are not coded, and there is nothing to check.
        self.coded: bool = headers.has("content-encoding")
        self._check = CodingCheck(headers) if self.coded else None
        self._limit = limit
        self.chunker: Chunker = Chunker(wish)
        self.refused: bool = expected is not None and expected > limit

    def feed(self, data: bytes) -> list[bytes]:
        """Take more of the body; the chunks to write now. Let :meth:`check` follow until it has done."""
        if self.refused:
            return []
        if self.chunker.length + len(data) > self._limit:
            self.refused = True
            return []
        if self._check is not None:
            self._check.take(data)
        return self.chunker.feed(data)

    def check(self) -> bool:
        """Check the coding of what was taken, for about a millisecond; whether there is more to check."""
        return self._check is not None and self._check.step()

    def whole(self) -> bool:
        """Whether the body has come to its end: the length promised, the coding finished."""
        if self.refused:
            return False
        if self._expected not in (None, self.chunker.length):
            return False
        return self._check is None or self._check.complete()
