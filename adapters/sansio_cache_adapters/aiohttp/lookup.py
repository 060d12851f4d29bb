"""Requests that name a stored response, made as the session of aiohttp would send them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
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

    async def of_url(method: str, url: str, keywords: dict[str, Any]) -> Request:
        request = await look(method, url, keywords)
        if request is None:
            raise SettingError("a middleware of the session answers this request itself: the cache never sees it")
        return request

    return partial(_asked, of_url)


def plain_request_maker() -> RequestMaker:
    """Makes requests as a session without settings of its own would: a middleware does not know its session."""

    async def of_url(method: str, url: str, keywords: dict[str, Any]) -> Request:
        headers = {**ClientRequest.DEFAULT_HEADERS, "User-Agent": SERVER_SOFTWARE, **keywords.pop("headers", {})}
        if keywords:
            raise SettingError(
                f"{min(keywords)} cannot be given here: a middleware does not make its session's requests. "
                "Give a request, such as response.request_info"
            )
        return Request(method.upper(), str(URL(url)), Headers(headers.items()))

    return partial(_asked, of_url)


async def _asked(
    of_url: Callable[[str, str, dict[str, Any]], Awaitable[Request]], thing: Any, method: str, keywords: dict[str, Any]
) -> Request:
    if isinstance(thing, Request):
        return thing
    url = as_url(thing)
    if url is not None:
        return await of_url(method, url, keywords)
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
