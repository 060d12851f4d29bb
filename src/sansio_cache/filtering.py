"""``filter_fn``: the view of a response that the user's function gets before the response is stored."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from .functions import plain_result
from .messages import Headers, Kept, Request

__all__ = ["Decode", "FilteredResponse", "passes_filter", "text_of"]

Decode = Callable[[str, bytes], Iterable[bytes]]
"""A body with the codings of a Content-Encoding taken off, in pieces; raises ValueError where that cannot be done."""

_MOST_DECODED: Final = 2_097_152
"""Bytes: what a filter may look at is bounded, since 64 KiB may stand for a thousand times as much."""
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([^\s";]+)', re.IGNORECASE)


def passes_filter(
    keep: Callable[..., Any], arguments: int, request: Request, kept: Kept, decode: Decode | None = None
) -> bool:
    """Whether a ``filter_fn`` wants a response to be kept.

    :param keep: the function.
    :param arguments: how many it takes: the response, or the request and the response.
    :param decode: takes content codings off for a filter of one argument; without it a coded body cannot be looked at.
    :raises Exception: whatever ``filter_fn`` raises.
    """
    if arguments == 1:
        return bool(plain_result(keep(FilteredResponse(request, kept, decode)), "filter_fn"))
    return bool(plain_result(keep(request, kept), "filter_fn"))


def text_of(content: bytes, content_type: str) -> str:
    """Content as text, by the charset that its Content-Type names, else UTF-8."""
    named = _CHARSET.search(content_type)
    try:
        return content.decode(named[1] if named else "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")


class FilteredResponse:
    """A response as a ``filter_fn`` of one argument sees it, under the names that the clients have for it.

    :ivar body: the content as received, its coding kept; None above 64 KiB.
    """

    from_cache: Final = False

    def __init__(self, request: Request, kept: Kept, decode: Decode | None) -> None:
        self.request = request
        self.status: int = kept.status
        self.status_code: int = kept.status
        self.reason: str = kept.reason
        self.body: bytes | None = kept.body
        self.headers: Mapping[str, str] = _Fields(kept.headers)
        self._decode = decode

    @property
    def url(self) -> str:
        """The URL that was asked for."""
        return self.request.url

    @property
    def method(self) -> str:
        """The request's method."""
        return self.request.method

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400

    @cached_property
    def content(self) -> bytes:
        """The content, its coding taken off.

        :raises ValueError: it is longer than 64 KiB, or its coding cannot be taken off.
        """
        if self.body is None:
            raise ValueError("filter_fn cannot see this body: it is longer than 64 KiB")
        coding = self.headers.get("content-encoding", "")
        if not self.body or coding.strip().lower() in ("", "identity"):
            return self.body
        if self._decode is None:
            raise ValueError(f"filter_fn cannot see this body: it is coded with {coding}")
        content = bytearray()
        for piece in self._decode(coding, self.body):
            content += piece
            if len(content) > _MOST_DECODED:
                raise ValueError("filter_fn cannot see this body: it is longer than 2 MiB once its coding is off")
        return bytes(content)

    @property
    def text(self) -> str:
        """The content as text, by the charset that Content-Type names, else UTF-8."""
        return text_of(self.content, self.headers.get("content-type", ""))

    def json(self) -> Any:
        """The content, read as JSON.

        :raises ValueError: it is none.
        """
        return json.loads(self.content)


class _Fields(Mapping[str, str]):
    """Header fields by their names in any case; lines of one name are joined by commas."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        return self._headers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers.names())

    def __len__(self) -> int:
        return len(list(self._headers.names()))
