"""Requests that name a stored response, made as a client of httpx2 would send them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import httpx2

from sansio_cache.messages import Request, headers_of
from sansio_cache_adapters.cache.lookup import RequestMaker, as_url, request_like
from sansio_cache_adapters.cache.putting import GivenResponse, decoded, no_response
from sansio_cache_adapters.stores.work import awaited

from .common import core_request
from .peers import Peer

__all__ = ["given_response", "plain_client", "request_maker"]


@cache
def plain_client() -> httpx2.Client:
    """A client without settings of its own, to make requests with and send none."""
    return httpx2.Client(transport=httpx2.BaseTransport())


def request_maker(peer: Peer) -> RequestMaker:
    """Makes requests as a client without settings of its own would: a transport does not know its client."""

    def asked(thing: Any, method: str, keywords: dict[str, Any]) -> Request:
        if isinstance(thing, Request):
            return thing
        if isinstance(thing, httpx2.Response):
            thing = thing.request
        url = as_url(thing)
        if url is not None:
            thing = plain_client().build_request(method, url, **keywords)
        return core_request(thing, peer) if isinstance(thing, httpx2.Request) else request_like(thing, keywords)

    return asked


async def given_response(
    read: Callable[[httpx2.Response], bytes | Awaitable[bytes]], response: object
) -> GivenResponse:
    """A response of httpx2 as it is put in.

    :param read: how its body is read.
    :raises SettingError: it is none.
    """
    if not isinstance(response, httpx2.Response):
        raise no_response("an httpx2.Response", response)
    body = await awaited(read(response))
    return decoded(response.status_code, response.reason_phrase, headers_of(response.headers.raw), body)
