"""The body of a response as urllib3 has it: read already, and to be read again."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any, Self

import requests
from urllib3 import HTTPHeaderDict, HTTPResponse

__all__ = ["CachedHTTPResponse"]


class CachedHTTPResponse(HTTPResponse):
    """A body that is there as a whole, its coding taken off.

    :param keywords: what ``urllib3.HTTPResponse`` takes; those that are None are left out.
    """

    def __init__(self, body: bytes | None = None, **keywords: Any) -> None:
        self._whole = body or b""
        given = {name: value for name, value in keywords.items() if value is not None}
        super().__init__(body=BytesIO(self._whole), preload_content=False, **given)

    @classmethod
    def from_response(cls, response: requests.Response) -> Self:
        """The body of a response, which is read for it, and can be read as a stream after that."""
        raw: Any = response.raw
        content = response.content
        url = getattr(raw, "_request_url", None)
        names = ("decode_content", "headers", "reason", "status", "version")
        given = {name: getattr(raw, name, None) for name in names}
        response.raw = cls(content, request_url=url, **given)
        return cls(content, request_url=url, **given)

    @classmethod
    def from_cached_response(cls, response: requests.Response) -> Self:
        """The body of a response that has been read."""
        return cls(
            response.content,
            headers=HTTPHeaderDict(response.headers),
            status=response.status_code,
            reason=response.reason,
            request_url=response.url,
        )

    def read(  # as a stream: nothing is decoded, nothing kept
        self, amt: int | None = None, decode_content: bool | None = None, cache_content: bool = False
    ) -> bytes:
        """So much of it, or the rest; closed at the end."""
        source: Any = self._fp
        if source.closed:
            return b""
        data: bytes = source.read(amt)
        if not data:
            source.close()
        return data

    def stream(  # type: ignore[override] # a generator there
        self, amt: int | None = 2**16, decode_content: bool | None = None
    ) -> Iterator[bytes]:
        """It piece by piece."""
        while data := self.read(amt):
            yield data

    def reset(self, body: bytes | None = None) -> None:
        """Begin anew; with another body if one is given."""
        self._whole = body or self._whole
        # urllib3 says that a connection's response is there.
        object.__setattr__(self, "_fp", BytesIO(self._whole))
