"""How a request of httpx2 goes to the network: by the transport below the cache."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, Self

import anyio
import httpx2

from sansio_cache.messages import Request
from sansio_cache_adapters.cache.connection_auth import authenticated
from sansio_cache_adapters.cache.exchange import NativeResponse
from sansio_cache_adapters.cache.tee import Tee
from sansio_cache_adapters.stores.loops import loops
from sansio_cache_adapters.stores.work import awaited, do

from .bodies import AsyncTeeStream, TeeStream, tee_into
from .common import core_response, outgoing
from .connections import transports

__all__ = ["AsyncSending", "Sending"]


class Sending:
    """A request on its way to the network, with the validators that the core adds; see :class:`.exchange.Transfer`.

    :param request: the user's.
    :param asked: the same as the core has it.
    :param aborted: takes the responses that must be closed where that is not done without waiting.
    """

    def __init__(self, inner: Any, request: httpx2.Request, asked: Request, aborted: list[httpx2.Response]) -> None:
        self._inner = inner
        self._request = request
        self._asked = asked
        self._aborted = aborted

    async def send(self, request: Request, /) -> NativeResponse[httpx2.Response]:
        sent = outgoing(self._request, self._asked, request)
        loops.use()
        refusal = transports.use(self._inner)
        authenticated.sends(self._inner, request)
        native = await awaited(self._handle(sent))
        native.request = sent
        return core_response(native, self._inner, request, refusal)

    def _handle(self, sent: httpx2.Request) -> httpx2.Response | Awaitable[httpx2.Response]:
        response: httpx2.Response = self._inner.handle_request(sent)
        return response

    def discard(self, native: httpx2.Response, /) -> Awaitable[None] | None:
        if native.status_code == 304:
            # It has no content, and read to this end its connection can be used again.
            with suppress(Exception):
                for _ in native.iter_raw():
                    pass
        self.abort(native)
        return None

    def abort(self, native: httpx2.Response, /) -> None:
        with suppress(Exception):
            native.close()

    def drain(self, native: httpx2.Response, tee: Tee | None, /) -> Awaitable[None] | None:
        try:
            if tee is not None:
                do(tee_into(native, tee, deque(), TeeStream))
                with suppress(httpx2.StreamConsumed):
                    for _ in native.iter_raw():
                        pass
        finally:
            native.close()
        return None

    def detached(self) -> Self:
        sent = outgoing(self._request, self._asked, self._asked)
        return type(self)(self._inner, sent, self._asked, self._aborted)


class AsyncSending(Sending):
    """The same for tasks."""

    def _handle(self, sent: httpx2.Request) -> Awaitable[httpx2.Response]:
        response: Awaitable[httpx2.Response] = self._inner.handle_async_request(sent)
        return response

    async def discard(self, native: httpx2.Response, /) -> None:
        try:
            if native.status_code == 304:
                with suppress(Exception):
                    async for _ in native.aiter_raw():
                        pass
        finally:
            with anyio.CancelScope(shield=True), suppress(Exception):
                await native.aclose()

    def abort(self, native: httpx2.Response, /) -> None:
        self._aborted.append(native)

    async def drain(self, native: httpx2.Response, tee: Tee | None, /) -> None:
        try:
            if tee is not None:
                await tee_into(native, tee, deque(), AsyncTeeStream)
                with suppress(httpx2.StreamConsumed):
                    async for _ in native.aiter_raw():
                        pass
        finally:
            with anyio.CancelScope(shield=True):
                await native.aclose()
