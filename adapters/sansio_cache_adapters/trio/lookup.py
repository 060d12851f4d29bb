"""Requests that name a stored response, made as the trio session would send them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sansio_cache.messages import Request
from sansio_cache_adapters.cache.lookup import RequestMaker, as_url, request_like
from sansio_cache_adapters.cache.putting import GivenResponse, decoded, no_response
from sansio_cache_adapters.trio.http.content import OutgoingRequest
from sansio_cache_adapters.trio.http.response import Response

__all__ = ["given_response", "request_maker"]


def request_maker(
    prepare: Callable[[str, str, dict[str, Any]], OutgoingRequest], see: Callable[[OutgoingRequest], Request]
) -> RequestMaker:
    """Makes requests as a session would.

    :param prepare: the request of a method, a URL and options, cookies included.
    :param see: a request as the core sees it.
    """

    async def asked(thing: Any, method: str, keywords: dict[str, Any]) -> Request:
        if isinstance(thing, Request):
            return thing
        url = as_url(thing)
        if url is not None:
            return see(prepare(method, url, keywords))
        request = getattr(thing, "request", thing)
        return see(request) if isinstance(request, OutgoingRequest) else request_like(request, keywords)

    return asked


async def given_response(response: object) -> GivenResponse:
    """A response of the trio client, read, as it is put in.

    :raises SettingError: it is none.
    """
    if not isinstance(response, Response):
        raise no_response("a response of the session", response)
    body = await response.read()
    fields = [(name, value) for name in response.headers for value in response.headers.get_list(name)]
    return decoded(response.status, response.reason, fields, body)
