"""The cache as a client middleware of aiohttp."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, Never, Self, Unpack

from aiohttp import (
    ClientConnectorError,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ServerDisconnectedError,
)
from aiohttp.client_middlewares import ClientHandlerType
from aiohttp.hdrs import ACCEPT_ENCODING
from msgspec.structs import replace

from sansio_cache.cache_status import CacheStatus
from sansio_cache.decisions import Answer, Given
from sansio_cache.drivers import Paused
from sansio_cache.messages import EMPTY, IDEMPOTENT_METHODS, REDIRECTS, Options, Request
from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey
from sansio_cache.settings import Settings
from sansio_cache_adapters.cache.asynchronous import AsyncCache
from sansio_cache_adapters.cache.decoding import default_accept_encoding, not_offered
from sansio_cache_adapters.cache.engine import CLOSE_SECONDS, Engine
from sansio_cache_adapters.cache.events import Event
from sansio_cache_adapters.cache.keywords import FixedSettings, refuse_more, refuse_unknown
from sansio_cache_adapters.cache.notices import warn_once
from sansio_cache_adapters.cache.opening import CacheLocation
from sansio_cache_adapters.cache.options import CacheOptions, current_options, take_options
from sansio_cache_adapters.cache.setup import Setup, checked_name, set_up, split_policy
from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses
from sansio_cache_adapters.cache.tee import Tee
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven

from .lookup import given_response, plain_request_maker
from .private import complete, leave_coded, request_traces, session_part
from .private_reader import PulledReader
from .response import AskedFor, adopt, cached_class, stored_response
from .tasks import Tasks
from .transfer import Sending, core_request

__all__ = ["AiohttpCache", "CacheMiddleware", "Wish"]

REDIRECT_LIMIT: Final = 65_536
"""Bytes that are read of a redirect's body, which the client throws away unread."""
_THEIR_CODINGS: Final = ClientRequest.DEFAULT_HEADERS[ACCEPT_ENCODING]
_DECODED: Final = (
    "CacheMiddleware cannot store compressed answers here: aiohttp decodes them before they come to it. Put it last in "
    "middlewares=[…], or give the session auto_decompress=False"
)


class Wish:
    """The arguments of one request that aiohttp does not pass on to middlewares.

    :param decode: whether the user wants content codings taken off.
    :param raw: aiohttp is known to leave them on.
    :param follows: whether aiohttp follows redirects.
    :param bufsize: ``read_bufsize``; None for the session's.
    :param retries: whether aiohttp sends the request again if a kept connection turns out to be closed.
    :ivar codings: what Accept-Encoding is to be in the place of aiohttp's own default, or None.
    :ivar seen: the request that came through last, as aiohttp and as the core have it.
    :ivar hops: how many came through.
    :ivar paused: what a look into the store has shown, before aiohttp was asked.
    """

    __slots__ = ("bufsize", "codings", "decode", "follows", "hops", "options", "paused", "raw", "retries", "seen")

    def __init__(
        self,
        options: Options,
        *,
        decode: bool = True,
        raw: bool = False,
        follows: bool = True,
        bufsize: int | None = None,
        retries: bool = False,
    ) -> None:
        self.options: Options = options
        self.decode: bool = decode
        self.raw: bool = raw
        self.follows: bool = follows
        self.bufsize: int | None = bufsize
        self.retries: bool = retries
        self.codings: str | None = None
        self.seen: tuple[ClientRequest, Request] | None = None
        self.hops: int = 0
        self.paused: PausedClientRequest | None = None

    def take_paused(self, request: ClientRequest) -> PausedClientRequest | None:
        """The paused exchange of this very request; it can be resumed once."""
        looked, self.paused = self.paused, None
        return looked if looked is not None and looked.goes_with(request) else None


class PausedClientRequest:
    """A request that was looked for and goes on, with as much of its exchange as is done.

    :param asked: the request as the core sees it.
    :param begun: its exchange, paused, or its answer where that does not end it (a redirect).
    :param known: the request as aiohttp made it before.
    """

    __slots__ = ("_known", "asked", "begun")

    def __init__(self, asked: Request, begun: Answer | Paused[Answer], known: AskedFor) -> None:
        self.asked: Request = asked
        self.begun: Answer | Paused[Answer] = begun
        self._known = known

    def goes_with(self, request: ClientRequest) -> bool:
        """Whether it is this one that aiohttp has made."""
        known = self._known
        return request.method == known.method and request.url == known.url and request.headers == known.fields


class AiohttpCache:
    """An :class:`AsyncCache` that answers requests of aiohttp: for a session, a middleware or a whole script.

    :param peer: what the user says of whom the session talks to (:func:`~.peers.peer_of`).
    """

    def __init__(self, told: Setup, peer: str | None) -> None:
        self._peer = peer
        self.tasks: Tasks = Tasks()
        self._made_store = told.owned
        self._lately = EMPTY
        self.inner: AsyncCache = AsyncCache.of(told, self.tasks.spawn, not_offered(default_accept_encoding()))
        self.engine: Engine = self.inner.engine

    async def hop(self, wish: Wish, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """The response to one request: with a wish, a middleware."""
        if not isinstance(request, ClientRequest):
            # A request class of the user's own that only looks like one.
            return await handler(request)
        asked, begun = self._seen(wish, request)
        sending = Sending(request, handler, asked, self.tasks, decode=wish.decode, raw=wish.raw)
        delivered = await self.inner.answering(asked, sending, begun)
        answer, native, tee = delivered
        if native is None:
            if sending.error is not None and _will_retry(wish, request, sending.error):
                # Before a stale response stands in for an error, the client makes its own second try.
                raise sending.error
            return self._stored(answer, wish, request, sending.cookies if answer.revalidated else ())
        try:
            await self._passed(answer, native, tee, wish, sending)
        except BaseException:
            native.close()
            if tee is not None:
                tee.abandon("cancelled")
            raise
        return native

    def _seen(self, wish: Wish, request: ClientRequest) -> tuple[Request, Answer | Paused[Answer] | None]:
        """A request as the core sees it, and what a look into the store has shown of it, if there was one."""
        if wish.codings is not None and request.headers.get(ACCEPT_ENCODING) == _THEIR_CODINGS:
            request.headers[ACCEPT_ENCODING] = wish.codings
        looked = wish.take_paused(request)
        if looked is None:
            asked = core_request(request, wish.options, self._peer, self._lately)
            self._lately = asked.headers
        else:
            asked = looked.asked
        wish.seen = request, asked
        wish.hops += 1
        return asked, None if looked is None else looked.begun

    async def look(self, wish: Wish, request: ClientRequest, _: ClientHandlerType) -> ClientResponse:
        """See what a request is and send nothing, as a middleware; the response is an empty one."""
        self._seen(wish, request)
        nothing = Answer(204, "No Content", EMPTY, Given(b""), CacheStatus())
        return self._stored(nothing, wish, request, ())

    def _stored(self, answer: Answer, wish: Wish, request: ClientRequest, cookies: tuple[str, ...]) -> ClientResponse:
        asked = AskedFor(
            request.session,
            cached_class(request.response_class),
            request.method,
            request.url,
            request.original_url,
            request.headers,
            decode=wish.decode,
            bufsize=_bufsize(wish, request),
        )
        response = stored_response(answer, asked, self.engine)
        # Cookies that come with a confirmation are this exchange's own: aiohttp's jar takes them from the response.
        complete(response, request_traces(request), cookies)
        return response

    async def _passed(
        self, answer: Answer, native: ClientResponse, tee: Tee | None, wish: Wish, sending: Sending
    ) -> None:
        engine, decode = self.engine, wish.decode
        if sending.was_decoded(native):
            decode = False
            if tee is not None:
                tee.abandon("decoded")
                warn_once(_DECODED)
                answer = replace(answer, keeping=None, expires=None, cache_status=tee.status)
                tee = None
        bufsize = partial(_bufsize, wish, sending)
        await adopt(native, answer, tee, decode=decode, bufsize=bufsize, keep=self.tasks.keep, engine=engine)
        if wish.follows and native.status in REDIRECTS and isinstance(native.content, PulledReader):
            await _read_redirect(native.content, engine.policy.wait_for_body)

    async def close(self) -> None:
        """Wait for background validation (at most 5 s) and for what is still to be written."""
        await self.tasks.close(CLOSE_SECONDS)
        if self._made_store:
            await self.inner.close()
        else:
            await self.inner.flush()


def _bufsize(wish: Wish, of: ClientRequest | Sending) -> int:
    bufsize: int = session_part(of.session, "read_bufsize") if wish.bufsize is None else wish.bufsize
    return bufsize


def _will_retry(wish: Wish, request: ClientRequest, error: Exception) -> bool:
    """Whether aiohttp will send the request again after this error, once."""
    if not wish.retries or request.method not in IDEMPOTENT_METHODS or isinstance(error, ClientConnectorError):
        return False
    wish.retries = not isinstance(error, ClientOSError | ServerDisconnectedError)
    return not wish.retries


async def _read_redirect(content: PulledReader, seconds: float) -> None:
    """Read the body of a redirect, which the client is about to throw away, for a moment and up to a limit."""
    # Whatever is wrong with it shows itself to anyone who reads it.
    with suppress(Exception):
        async with asyncio.timeout(seconds):
            await content.read_ahead(REDIRECT_LIMIT)


class CacheMiddleware(FixedSettings):
    """A client middleware that answers from a cache: for a session of aiohttp that is not ours.

    ``ClientSession(middlewares=[..., CacheMiddleware(cache="cache.sqlite")])``: it belongs innermost, and takes content
    codings off by itself where aiohttp would: a session or a request with ``auto_decompress=False`` gets bytes as they
    came. Where another middleware stands below it, coded responses pass through unstored, with the reason ``decoded``
    and one warning, unless the session has ``auto_decompress=False``. Close it after the session, or use it in
    ``async with``.

    :param cache: a path or a store; left out, ``default.sqlite`` in the user's cache folder.
    :param secret_key: signs what is stored: str, bytes or a list of them, oldest first.
    :param policy: the settings (:class:`~sansio_cache.policy.Policy`), or each of them as a keyword.
    :param on_event: is told every decision (:class:`~sansio_cache_adapters.cache.events.Event`).
    :param peer: names whom the session talks to, and as whom: what differs in it shares no entries. Without one, what
        came through a TLS context that would show a client certificate is kept for that context alone.
    :param clock: POSIX seconds; for tests.
    :raises SettingError: for a setting of wrong type or value.
    """

    def __init__(
        self,
        cache: CacheLocation = None,
        *more: Never,
        secret_key: SecretKey | Ungiven = UNGIVEN,
        policy: Policy | None = None,
        on_event: Callable[[Event], object] | None = None,
        peer: str | None = None,
        clock: Callable[[], float] = time.time,
        **settings: Unpack[Settings],
    ) -> None:
        refuse_more(type(self).__name__, more)
        keywords: dict[str, Any] = {**settings}
        policy = split_policy(keywords, policy)
        refuse_unknown(type(self).__name__, keywords)
        self._cache = AiohttpCache(set_up(cache, secret_key, policy, on_event, clock), checked_name(peer))
        self._options: Options | None = None
        self._made = True

    def with_options(self, **options: Unpack[CacheOptions]) -> CacheMiddleware:
        """The same for single requests that say more: ``session.get(url, middlewares=[cache.with_options(…)])``.

        :raises SettingError: for an option of wrong type or value.
        :raises TypeError: for an unknown one.
        """
        given: dict[str, Any] = {**options}
        taken = take_options(given)
        if given:
            raise TypeError(f"with_options() got an unexpected keyword argument {next(iter(given))!r}")
        other = copy.copy(self)
        other._options = taken
        return other

    @property
    def cache(self) -> AsyncStoredResponses:
        """Finds, deletes, verifies and counts what is stored; ``.store`` is the store."""
        return AsyncStoredResponses(self._cache.inner, plain_request_maker(), given_response)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """The response to a request, stored or from the network.

        :raises KeyRequired: the store is signed, and no secret was given.
        :raises BadSignature: see ``docs/topics/security.md``.
        :raises NotCached: ``offline``, and nothing stored answers.
        :raises aiohttp.ClientError: as without a cache.
        """
        if not isinstance(request, ClientRequest):
            # A request class of the user's own that only looks like one.
            return await handler(request)
        options = current_options.get() if self._options is None else self._options
        codings = leave_coded(request.session, handler)
        wish = Wish(options, decode=codings.decode, raw=codings.left)
        return await self._cache.hop(wish, request, handler)

    async def __aenter__(self) -> Self:
        await self._cache.inner.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait for background validation (at most 5 s), write what is queued."""
        await self._cache.close()
