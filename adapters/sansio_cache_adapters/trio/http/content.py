"""A request on its way out: parameters, fields, the content in all its forms, framing and timeouts."""

from __future__ import annotations

import json as jsonlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import IO, Any, TypeAlias
from urllib.parse import urlencode

import h11
from anyio import to_thread

from sansio_cache.errors import SettingError
from sansio_cache_adapters.cache.decoding import default_accept_encoding

from .checks import pairs
from .errors import WRITE, LocalProtocolError, StreamConsumed
from .fields import Fields
from .limits import Timeout
from .url import parse

__all__ = [
    "Content", "OutgoingRequest", "ParamsIn", "StreamBody", "Timeout",
    "add_params", "default_accept_encoding", "encode_content", "request_event",
]  # fmt: skip

PIECE = 64 * 1024
"""Bytes that are read from a file at once."""

Scalar: TypeAlias = str | int | float | bool | None
ParamsIn: TypeAlias = Mapping[str, Scalar | Iterable[Scalar]] | Iterable[tuple[str, Scalar]]
Content: TypeAlias = bytes | bytearray | str | IO[bytes] | AsyncIterable[bytes]

_NO_SCALAR: tuple[type[Any], ...] = (bytes, bytearray, Mapping)
"""Types that have a length but are no list of values: iterating them would send their numbers, or their keys."""
_SINGLE: tuple[type[Any], ...] = (str, *_NO_SCALAR)


# Parameters


def add_params(url: str, *layers: ParamsIn | None) -> str:
    """The URL with the parameters of all layers after its own query.

    A later layer replaces the names of an earlier one; None leaves a parameter out. Order and repeats stay.

    :raises SettingError: for other types.
    """
    merged: list[tuple[str, str]] = []
    for layer in layers:
        params = list(_scalars("params", layer))
        named = {name for name, _ in params}
        merged = [param for param in merged if param[0] not in named]
        merged += [(name, _text(value)) for name, value in params if value is not None]
    if not merged:
        return url
    head, hash_, fragment = url.partition("#")
    glue = "?" if "?" not in head else "" if head.endswith(("?", "&")) else "&"
    return head + glue + urlencode(merged) + hash_ + fragment


def _scalars(argument: str, params: ParamsIn | None) -> Iterator[tuple[str, Scalar]]:
    given: Any = params
    items: list[tuple[str, Any]] = pairs(argument, given)
    for name, value in items:
        single = isinstance(value, _SINGLE) or not hasattr(value, "__iter__")
        for item in [value] if single else value:
            if isinstance(item, _NO_SCALAR):
                kind = type(item).__name__
                raise SettingError(f"{argument}[{name!r}] takes text, numbers or lists of them, not {kind}")
            yield name, item


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# Request contents


class StreamBody:
    """A content that is not at hand: called, it gives the iterator over its pieces.

    :ivar length: bytes, or None where it is not known (the chunked coding is used then).
    :ivar replayable: whether it can be sent a second time, for a retry or a redirect.
    :ivar begun: whether it has been asked for.
    """

    def __init__(
        self,
        start: Callable[[], AsyncIterator[bytes]],
        *,
        length: int | None = None,
        replayable: bool = False,
    ) -> None:
        self._start = start
        self.length = length
        self.replayable = replayable
        self.begun: bool = False

    @property
    def ready(self) -> bool:
        """Whether calling it gives the content from its beginning."""
        return self.replayable or not self.begun

    def __call__(self) -> AsyncIterator[bytes]:
        """The pieces, from the beginning.

        :raises StreamConsumed: it has been asked for before and is not replayable.
        """
        if not self.ready:
            raise StreamConsumed("the content of this request can be read once only, and it has been")
        self.begun = True
        return self._start()


async def _file_pieces(file: IO[bytes], start: int | None) -> AsyncIterator[bytes]:
    """The rest of an open file, read in worker threads: a disk may be slow."""
    if start is not None:
        await to_thread.run_sync(file.seek, start)
    while piece := await to_thread.run_sync(file.read, PIECE):
        yield piece


def encode_content(
    content: Content | None = None, data: ParamsIn | None = None, json: Any = None
) -> tuple[bytes | StreamBody, Fields]:
    """The body of a request, and the Content-Type that goes with it; at most one argument is not None.

    Files must be binary and are read from where they stand; iterators give bytes.

    :raises TypeError: for other types and for more than one argument.
    :raises SettingError: for a form of other types.
    :raises ValueError: for values that JSON does not have.
    """
    if sum(given is not None for given in (content, data, json)) > 1:
        raise TypeError("give one of content=, data= and json=")
    if json is not None:
        text = jsonlib.dumps(json, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode(), [("Content-Type", "application/json")]
    if data is not None:
        if isinstance(data, (str, bytes)):
            raise TypeError("data= takes form fields; give text and bytes as content=")
        form = urlencode([(name, _text(value)) for name, value in _scalars("data", data) if value is not None])
        return form.encode("ascii"), [("Content-Type", "application/x-www-form-urlencoded")]
    if isinstance(content, str):
        return content.encode(), [("Content-Type", "text/plain; charset=utf-8")]
    return _body(content), []


def _body(content: bytes | bytearray | IO[bytes] | AsyncIterable[bytes] | None) -> bytes | StreamBody:
    if content is None:
        return b""
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    if isinstance(content, BytesIO):
        return content.read()
    if isinstance(content, AsyncIterable):
        # An iterator is its own iterator and runs once; any other iterable begins anew each time.
        return StreamBody(content.__aiter__, replayable=not isinstance(content, AsyncIterator))
    if hasattr(content, "read"):
        return _file_body(content)
    kind = type(content).__name__
    raise TypeError(f"content= takes bytes, str, a binary file or an async iterator, not {kind}")


def _file_body(file: IO[bytes]) -> StreamBody:
    if isinstance(file.read(0), str):
        raise TypeError("content= takes files opened in binary mode")
    start = length = None
    if file.seekable():
        start = file.tell()
        length = max(file.seek(0, os.SEEK_END) - start, 0)
        file.seek(start)
    return StreamBody(partial(_file_pieces, file, start), length=length, replayable=start is not None)


# The request


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """One hop as it goes out: an absolute URL without userinfo, every field but Host and the framing.

    Field values are str by latin-1. ``body`` is bytes, or what gives an iterator over its pieces.
    """

    method: str
    url: str
    headers: Fields
    body: bytes | StreamBody
    timeout: Timeout
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Values that a subclass of the session carries down to its own ``hop``; kept over redirects, never sent."""

    def __repr__(self) -> str:
        # It ends up in logs and tracebacks.
        body = self.body
        length = "stream" if not isinstance(body, bytes) else f"{len(body)} bytes"
        from sansio_cache.messages import shown_fields  # the core, for those who look
        from sansio_cache.urls import redact

        shown = f"{self.method!r}, {redact(self.url)!r}, {shown_fields(self.headers)!r}"
        return f"OutgoingRequest({shown}, body of {length})" if body != b"" else f"OutgoingRequest({shown})"


def request_event(request: OutgoingRequest) -> h11.Request:
    """The request line and fields of a request, Host and framing added (RFC 9112 §3, §6).

    :raises LocalProtocolError: the request cannot be sent as it was given.
    :raises InvalidURL: the URL is not one of http or https.
    """
    method, body = request.method, request.body
    if method == "CONNECT":
        raise LocalProtocolError("CONNECT asks for a tunnel, which this client does not open")
    url = parse(request.url)
    given = {name.lower(): value for name, value in request.headers}
    fields = list(request.headers)
    length = len(body) if isinstance(body, bytes) else body.length
    if "host" not in given:
        # RFC 9110 §7.2: it SHOULD be the first field.
        fields.insert(0, ("Host", url.origin.authority))
    if "transfer-encoding" in given:
        if "content-length" in given:
            raise LocalProtocolError("Content-Length and Transfer-Encoding exclude each other")
    elif "content-length" in given:
        if length is not None and given["content-length"].strip() != str(length):
            raise LocalProtocolError(f"Content-Length is not the {length} bytes that the content has")
    elif length is None:
        fields.append(("Transfer-Encoding", "chunked"))
    elif length or method in ("POST", "PUT", "PATCH"):
        # RFC 9110 §8.6: where the method gives meaning to a content, say also that there is none.
        fields.append(("Content-Length", str(length)))
    try:
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
    except UnicodeEncodeError as exc:
        raise LocalProtocolError(f"a field outside latin-1, at character {exc.start} of its name or value") from None
    try:
        return h11.Request(method=method.encode("ascii", "replace"), target=url.target, headers=encoded)
    except h11.LocalProtocolError as exc:
        # h11 shows the value, which may be a secret.
        what = str(exc).partition(" b'")[0].partition(' b"')[0]
        raise LocalProtocolError(f"{WRITE.doing}: {what}") from None
