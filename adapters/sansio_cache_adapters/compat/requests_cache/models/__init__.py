"""Requests and responses, under the names of requests-cache."""

from typing import Any

from requests import PreparedRequest, Request

from .base import RichMixin
from .raw_response import CachedHTTPResponse
from .request import CachedRequest
from .response import BaseResponse, CachedResponse, OriginalResponse

AnyResponse = OriginalResponse | CachedResponse
AnyRequest = Request | PreparedRequest | CachedRequest
AnyPreparedRequest = PreparedRequest | CachedRequest
DecodedContent = dict[str, Any] | list[Any] | str | bool | int | float | None

__all__ = [
    "AnyPreparedRequest",
    "AnyRequest",
    "AnyResponse",
    "BaseResponse",
    "CachedHTTPResponse",
    "CachedRequest",
    "CachedResponse",
    "DecodedContent",
    "OriginalResponse",
    "RichMixin",
]
