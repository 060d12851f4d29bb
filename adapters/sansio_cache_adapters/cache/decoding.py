"""Content codings: how a response's body is decoded (RFC 9110 §8.4.1).

Decoding is done in steps of at most 64 KiB of output, however much the input would expand to: a bomb costs its
reader time, never memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import import_module
from typing import Any, Protocol

__all__ = [
    "BrokenCoding",
    "Decoder",
    "decode",
    "decoders",
    "default_accept_encoding",
    "not_offered",
    "taken_off",
    "undecodable",
]

PIECE = 64 * 1024
"""Bytes that a decoder hands out at once, at most."""


class BrokenCoding(ValueError):
    """A body is not what its Content-Encoding says, or ends in the middle of it; each client has an error for it."""


_SLICE = 16 * 1024
"""Bytes that are given to a codec at once: those that it leaves over are copied each time."""
_MEMBERS = 64
"""Members (of gzip, zstd's frames) after which an empty piece shows that time has passed: they may all be empty."""


class Decoder(Protocol):
    """Takes one content coding off a body."""

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Pieces of at most 64 KiB; exhaust it before the next call.

        An empty piece is a pause: much was taken in, and nothing came out.

        :raises BrokenCoding: the body is not coded as it says.
        """
        ...

    def finish(self) -> None:
        """To be called at the end of the body.

        :raises BrokenCoding: the coding has not ended.
        """
        ...


class _Zlib:
    """gzip (RFC 1952), and deflate in zlib's frame (RFC 1950) or raw (RFC 1951), as some servers send it."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._inflater: Any = None
        self._held = b""
        self._state = "begin"  # then "inside" a member, "between" two, "over"

    def decode(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _SLICE):
            yield from self._decoded(data[start : start + _SLICE])

    def _decoded(self, data: bytes) -> Iterator[bytes]:
        data = self._held + data
        self._held = b""
        members = 0
        while self._state != "over":
            if self._state != "inside":
                if len(data) < 2:
                    self._held = data
                    return
                self._open(data)
                members += 1
                if members % _MEMBERS == 0:
                    yield b""
                continue
            try:
                piece: bytes = self._inflater.decompress(data, PIECE)
            except zlib.error as exc:
                raise BrokenCoding(f"the body is no {self._coding}: {exc}") from exc
            if piece:
                yield piece
            if self._inflater.eof:
                data = self._inflater.unused_data
                self._state = "between" if self._coding == "gzip" else "over"
            elif len(piece) == PIECE:
                # A full piece may have left more behind, in the input or in zlib's own state.
                data = self._inflater.unconsumed_tail
            else:
                return

    def _open(self, head: bytes) -> None:
        if self._coding == "gzip":
            # RFC 1952 §2.2: members follow each other; what follows and is none is padding.
            if self._state == "between" and not head.startswith(b"\x1f\x8b"):
                self._state = "over"
                return
            wbits = 16 + zlib.MAX_WBITS
        else:
            framed = head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0
            wbits = zlib.MAX_WBITS if framed else -zlib.MAX_WBITS
        self._inflater = zlib.decompressobj(wbits)
        self._state = "inside"

    def finish(self) -> None:
        if self._state == "inside" or (self._state == "begin" and self._held):
            raise BrokenCoding(f"the body ends in the middle of its {self._coding} coding")


class _Brotli:
    """br (RFC 7932)."""

    def __init__(self, module: Any) -> None:
        self._error: type[Exception] = module.error
        self._decoder = module.Decompressor()
        # brotlicffi says decompress where brotli says process.
        name = "process" if hasattr(self._decoder, "process") else "decompress"
        self._process: Callable[..., bytes] = getattr(self._decoder, name)
        self._begun = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        self._begun = self._begun or bool(data)
        # ``can_accept_more_data()`` says nothing about output: only an empty answer shows that all of it is out.
        while not self._decoder.is_finished():
            try:
                output = self._process(data, output_buffer_limit=PIECE)
            except self._error as exc:
                raise BrokenCoding("the body is no br") from exc
            if not output:
                return
            yield from _pieces(output)
            data = b""

    def finish(self) -> None:
        if self._begun and not self._decoder.is_finished():
            raise BrokenCoding("the body ends in the middle of its br coding")


class _Zstd:
    """zstd (RFC 8878): frames that follow each other, with windows of at most 8 MiB (RFC 9659 §3)."""

    def __init__(self, new: Callable[[], Any], error: type[Exception], step: int | None) -> None:
        self._new = new
        self._error = error
        self._step = step
        self._frame: Any = None

    def decode(self, data: bytes) -> Iterator[bytes]:
        step = self._step or _SLICE
        frames = 0
        for start in range(0, len(data), step):
            rest = data[start : start + step]
            while rest:
                if self._frame is None:
                    self._frame = self._new()
                    frames += 1
                    if frames % _MEMBERS == 0:
                        yield b""
                try:
                    yield from _pieces(self._output(rest))
                    while self._step is None and not (self._frame.needs_input or self._frame.eof):
                        yield from _pieces(self._output(b""))
                except self._error as exc:
                    raise BrokenCoding("the body is no zstd") from exc
                rest = b""
                if self._frame.eof:
                    rest, self._frame = self._frame.unused_data, None

    def _output(self, data: bytes) -> bytes:
        output: bytes = self._frame.decompress(data) if self._step else self._frame.decompress(data, PIECE)
        return output

    def finish(self) -> None:
        if self._frame is not None:
            raise BrokenCoding("the body ends in the middle of its zstd coding")


def _pieces(output: bytes) -> Iterator[bytes]:
    for start in range(0, len(output), PIECE):
        yield output[start : start + PIECE]


_PACKAGES = {"br": "brotli", "zstd": "backports.zstd"}


def _installed(*names: str) -> Iterator[Any]:
    for name in names:
        try:
            yield import_module(name)
        except ImportError:
            continue


@cache
def _codings() -> dict[str, Callable[[], Decoder]]:
    """The codings that can be taken off here, in the order in which they are offered."""
    found: dict[str, Callable[[], Decoder]] = {
        "gzip": partial(_Zlib, "gzip"),
        "deflate": partial(_Zlib, "deflate"),
    }
    for module in _installed("brotli", "brotlicffi"):
        # Before 1.2 neither package can bound its output: such a one counts as not installed.
        if hasattr(module.Decompressor, "can_accept_more_data"):
            found.setdefault("br", partial(_Brotli, module))
    for module in _installed("compression.zstd", "backports.zstd"):
        options = {module.DecompressionParameter.window_log_max: 23}
        new = partial(module.ZstdDecompressor, options=options)
        found.setdefault("zstd", partial(_Zstd, new, module.ZstdError, None))
    for module in _installed("zstandard"):
        # It cannot bound its output, so its input is bounded: 128 bytes hold at most 32 blocks, which give at
        # most 128 KiB each (RFC 8878 §3.1.1.2.4).
        new = module.ZstdDecompressor(max_window_size=2**23).decompressobj
        found.setdefault("zstd", partial(_Zstd, new, module.ZstdError, 128))
    return found


def default_accept_encoding() -> str:
    """The value of Accept-Encoding that our sessions send: the codings that can be decoded here."""
    return ", ".join(_codings())


def not_offered(accept_encoding: str) -> frozenset[str]:
    """The codings that some clients of a kind decode, and this one, which offers these, leaves to its reader."""
    return frozenset({"br", "zstd"}).difference(map(str.strip, accept_encoding.split(",")))


def decoders(content_encoding: str) -> list[Decoder]:
    """The decoders for a Content-Encoding, in order: the coding that was applied last comes first.

    Empty where there is nothing to take off, or something that cannot be: the body then stays as it came.

    :raises BrokenCoding: there are more than five codings, which no honest origin applies.
    """
    if not content_encoding:
        return []
    names = [name.strip().lower() for name in content_encoding.split(",")]
    names = [name.removeprefix("x-") for name in names if name not in ("", "identity")]
    if len(names) > 5:
        raise BrokenCoding(f"{len(names)} content codings on one body")
    known = _codings()
    if any(name not in known for name in names):
        return []
    return [known[name]() for name in reversed(names)]


def undecodable(content_encoding: str) -> str:
    """The message for the first of these codings that cannot be decoded here; ``""`` where all can be."""
    for name in map(str.strip, content_encoding.lower().split(",")):
        if name.removeprefix("x-") not in ("", "identity", *_codings()):
            package = _PACKAGES.get(name)
            advice = f": pip install {package}" if package else ""
            return f"the body is coded with {name}, which cannot be taken off here{advice}"
    return ""


def decode(chain: list[Decoder], data: bytes) -> Iterator[bytes]:
    """``data`` with every coding of the chain taken off, in pieces of at most 64 KiB.

    No piece takes long to come: some are empty, so that an event loop can have its turn.

    :raises BrokenCoding: the body is not coded as it says.
    """
    if not chain:
        yield data
        return
    for piece in chain[0].decode(data):
        came = False
        for inner in decode(chain[1:], piece) if piece else ():
            came = True
            yield inner
        if not came:
            yield b""


def taken_off(content_encoding: str, data: bytes) -> Iterator[bytes]:
    """A whole body with all its codings taken off, in pieces.

    :raises BrokenCoding: one cannot be taken off, or has not ended.
    """
    chain = decoders(content_encoding)
    if not chain and (why := undecodable(content_encoding)):
        raise BrokenCoding(why)
    yield from decode(chain, data)
    for decoder in chain:
        decoder.finish()
