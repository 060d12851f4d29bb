"""Requests that name a stored response, made as the session of aiohttp would send them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientRequest, ClientResponse
from aiohttp.http import SERVER_SOFTWARE
from yarl import URL

from sansio_cache.errors import SettingError
from sansio_cache.messages import Headers, Request
from sansio_cache_adapters.cache.lookup import RequestMaker, as_url, request_like
from sansio_cache_adapters.cache.putting import BODY_GONE, GivenResponse, decoded, no_response

from .private_reader import whole_body

__all__ = ["given_response", "plain_request_maker", "session_request_maker"]

Look = Callable[[str, str, dict[str, Any]], Awaitable[Request | None]]
"""The request that a session makes of a method, a URL and keywords, not sent; None where the cache is not asked."""


def session_request_maker(look: Look) -> RequestMaker:
    """Makes requests as a session would, its middlewares, cookies and credentials included."""

    async def asked(thing: Any, method: str, keywords: dict[str, Any]) -> Request:
        url = as_url(thing)
        if url is None:
            return _given(thing, keywords)
        request = await look(method, url, keywords)
        if request is None:
            raise SettingError("a middleware of the session answers this request itself: the cache never sees it")
        return request

    return asked


def plain_request_maker() -> RequestMaker:
    """Makes requests as a session without settings of its own would: a middleware does not know its session."""

    async def asked(thing: Any, method: str, keywords: dict[str, Any]) -> Request:
        url = as_url(thing)
        if url is None:
            return _given(thing, keywords)
        headers = {**ClientRequest.DEFAULT_HEADERS, "User-Agent": SERVER_SOFTWARE, **keywords.pop("headers", {})}
        if keywords:
            raise SettingError(
                f"{min(keywords)} cannot be given here: a middleware does not make its session's requests. "
                "Give a request, such as response.request_info"
            )
        return Request(method.upper(), str(URL(url)), Headers(headers.items()))

    return asked


def _given(thing: Any, keywords: dict[str, Any]) -> Request:
    if isinstance(thing, Request):
        return thing
    return request_like(thing.request_info if isinstance(thing, ClientResponse) else thing, keywords)


async def given_response(response: object) -> GivenResponse:
    """A response of aiohttp, read, as it is put in.

    :raises SettingError: it is none, or its body is gone.
    """
    if not isinstance(response, ClientResponse):
        raise no_response("an aiohttp.ClientResponse", response)
    body = await whole_body(response)
    if body is None:
        raise SettingError(BODY_GONE)
    fields = [(str(name), value) for name, value in response.headers.items()]
    return decoded(response.status, response.reason, fields, body)
