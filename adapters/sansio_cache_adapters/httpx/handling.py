"""What a transport of httpx2 does with its requests: everything that it needs from the first one on."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import anyio.lowlevel
import httpx2

from sansio_cache_adapters.cache.asynchronous import AsyncCache
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.connection_auth import authenticated
from sansio_cache_adapters.cache.decoding import not_offered
from sansio_cache_adapters.cache.engine import CLOSE_SECONDS
from sansio_cache_adapters.cache.exchange import Delivered
from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses, StoredResponses
from sansio_cache_adapters.cache.switches import is_off
from sansio_cache_adapters.stores.work import awaited

from .bodies import AsyncStoredStream, AsyncTeeStream, StoredStream, TeeStream, stored_stream, tee_into
from .common import bypassed, core_request, follow, known, stored_response
from .lookup import given_response, plain_client, request_maker
from .peers import Peer
from .tasks import Tasks
from .transfers import AsyncSending, Sending

__all__ = ["CLOSE_SECONDS", "UNDECODABLE", "AsyncHandler", "Bypassing", "Handler", "Tasks"]

UNDECODABLE: Final = not_offered(plain_client().headers["Accept-Encoding"])
"""The codings that httpx2 would hand to its reader undecoded."""


class Handler:
    """Handles the requests of one transport.

    It is told the transport with each request and does not hold it, so that one that is dropped is gone at once.

    :param inner: the transport below.
    :param named: what the user says of it (``peer=``).
    :param own: it was made by us, without settings.
    """

    _awaits = False
    _sending: type[Sending] = Sending
    _stored: type[StoredStream | AsyncStoredStream] = StoredStream
    _tee: type[TeeStream | AsyncTeeStream] = TeeStream

    def __init__(self, cache: BlockingCache | AsyncCache, inner: object, named: str | None, *, own: bool) -> None:
        self._cache: Any = cache
        self._peer = Peer(inner, named, own=own)

    def stored_responses(self) -> Any:
        """The ``transport.cache``: finds, deletes, verifies and counts stored responses."""
        return StoredResponses(self._cache, request_maker(self._peer), partial(given_response, httpx2.Response.read))

    async def answer(self, transport: Any, request: httpx2.Request) -> httpx2.Response:
        """The response to a request, stored or from the network."""
        if is_off(transport):
            authenticated.bypassed(transport.inner, str(request.url), request.headers.multi_items())
            return bypassed(await awaited(transport._ask_network(request)))
        if transport._left:
            await awaited(transport._close_left())
        asked = core_request(request, self._peer)
        transfer = self._sending(transport.inner, request, asked, transport._aborted)
        delivered: Delivered[httpx2.Response] = await self._cache.answering(asked, transfer)
        answer, native, tee = delivered
        engine = self._cache.engine
        if native is None:
            if self._awaits:
                # A hit waits for nothing else: other tasks get their turn, and cancellation its chance.
                await anyio.lowlevel.checkpoint()
            return stored_response(answer, engine, stored_stream(answer, engine, self._stored))
        native.extensions.update(known(answer, engine))
        if tee is not None:
            await tee_into(native, tee, transport._left, self._tee)
            follow(native.extensions, tee)
        return native


class AsyncHandler(Handler):
    """The same for tasks."""

    _awaits = True
    _sending = AsyncSending
    _stored = AsyncStoredStream
    _tee = AsyncTeeStream

    def stored_responses(self) -> Any:
        """See :meth:`Handler.stored_responses`."""
        take = partial(given_response, httpx2.Response.aread)
        return AsyncStoredResponses(self._cache, request_maker(self._peer), take)

    async def answer(self, transport: Any, request: httpx2.Request) -> httpx2.Response:
        """See :meth:`Handler.answer`."""
        try:
            return await super().answer(transport, request)
        except BaseException:
            await transport._close_aborted()
            raise


class Bypassing(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """A transport beside a cache that is switched off: its responses say so."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response of the transport below."""
        return bypassed(self._inner.handle_request(request))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response of the transport below."""
        return bypassed(await self._inner.handle_async_request(request))
