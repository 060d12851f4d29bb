"""How a request of aiohttp goes to the network: through the handlers below the cache."""

from __future__ import annotations

import copy
from typing import Final

from aiohttp import ClientRequest, ClientResponse, ClientResponseError, ClientSession
from aiohttp.client_middlewares import ClientHandlerType
from aiohttp.hdrs import CONTENT_ENCODING, SET_COOKIE

from sansio_cache.messages import CONDITIONAL, HTTP_1_1, Headers, Options, Request
from sansio_cache_adapters.cache.connection_auth import authenticated
from sansio_cache_adapters.cache.exchange import NativeResponse
from sansio_cache_adapters.cache.tee import INCOMPLETE, Tee
from sansio_cache_adapters.stores.loops import loops

from .bodies import Decoding, coding_of
from .connections import connectors
from .peers import peer_of
from .private import coding_complaint, is_decoded, known_body
from .response import cached_class, received_fields
from .tasks import Tasks

__all__ = ["Sending", "core_request"]

_EMPTY: Final = frozenset({204, 304})


def core_request(request: ClientRequest, options: Options, peer: str | None, like: Headers) -> Request:
    """A request as the core sees it; it is not touched, and its body not consumed.

    :param peer: what the user says of whom the session talks to.
    :param like: the fields of another request: where they are the same, what is known of them is used again.
    """
    items = tuple(request.headers.items())
    fields = like.again() if items == like.items else Headers([(str(name), value) for name, value in items])
    body = known_body(request)
    return Request(request.method, str(request.url), fields, body, peer_of(request, peer), options)


class Sending:
    """Sends one request, with the validators that the core adds, through a handler of aiohttp.

    :param decode: whether the user wants content codings taken off.
    :param raw: aiohttp is known to leave them on.
    :param tasks: owns what is left to do when a body is given up.
    :ivar error: the client's own error, where the network gave no response.
    :ivar cookies: those of the response that was given up last.
    """

    def __init__(
        self,
        request: ClientRequest,
        handler: ClientHandlerType,
        asked: Request,
        tasks: Tasks,
        *,
        decode: bool,
        raw: bool,
    ) -> None:
        self._request = request
        self._handler = handler
        self._asked = asked
        self._tasks = tasks
        self._decode = decode
        self._raw = raw
        self.error: Exception | None = None
        self.cookies: tuple[str, ...] = ()

    async def send(self, request: Request, /) -> NativeResponse[ClientResponse]:
        native = self._request
        pool = native.session.connector
        loops.use()
        refusal = "" if pool is None else connectors.use(pool)
        authenticated.sends(pool, request)
        native.response_class = cached_class(native.response_class)
        changed = _changed(self._asked.headers, request.headers)
        before = {name: native.headers.popall(name, []) for name in changed}
        for name in changed:
            value = _written(request.headers.get(name))
            if value is not None:
                native.headers[CONDITIONAL[name]] = value
        try:
            response = await self._handler(native)
        except Exception as error:
            self.error = error
            raise
        finally:
            # The request is the user's, and is what the response reports.
            for name, values in before.items():
                native.headers.popall(name, None)
                for value in values:
                    native.headers.add(name, value)
        self.error = None
        fields = received_fields(response)
        if self._decode and CONTENT_ENCODING in response.headers and not self.was_decoded(response):
            _check_coding(native, response, coding_of(fields))
        refusal = refusal or authenticated.why_not_kept(pool, request, response.status, fields)
        reason = response.reason or ""
        if not reason.isascii():
            reason = reason.encode("utf-8", "surrogateescape").decode("latin-1")
        version = response.version
        tenths = HTTP_1_1 if version is None else 10 * version.major + version.minor
        return NativeResponse(response.status, reason, fields, response, refusal, tenths)

    async def discard(self, native: ClientResponse, /) -> None:
        self.cookies = tuple(native.headers.getall(SET_COOKIE, ()))
        native.release()

    def abort(self, native: ClientResponse, /) -> None:
        native.close()

    async def drain(self, native: ClientResponse, tee: Tee | None, /) -> None:
        if tee is not None and self.was_decoded(native):
            tee.abandon("decoded")
        elif tee is not None:
            raw = native.content
            try:
                while not raw.at_eof() and not tee.done:
                    data, _ = await raw.readchunk()
                    await tee.feed(data)
                await tee.finish()
            finally:
                tee.abandon(INCOMPLETE)
        native.release()

    @property
    def session(self) -> ClientSession:
        """The session of the request."""
        return self._request.session

    def was_decoded(self, native: ClientResponse) -> bool:
        """Whether what is read of a response are not the bytes that came: aiohttp has taken a coding off."""
        if self._raw or CONTENT_ENCODING not in native.headers or not coding_of(received_fields(native)):
            return False
        # Before aiohttp 3.14 the argument of one request is seen nowhere else.
        return self._decode or is_decoded(self.session, native.content)

    def detached(self) -> Sending:
        """See :class:`~sansio_cache_adapters.cache.exchange.Transfer`."""
        request = copy.copy(self._request)
        request.headers = request.headers.copy()
        return Sending(request, self._handler, self._asked, self._tasks, decode=self._decode, raw=self._raw)


def _changed(before: Headers, after: Headers) -> list[str]:
    """The preconditions that the core has added, changed or removed, in lower case."""
    if before is after:
        return []
    names = before.names() | after.names()
    return [name for name in CONDITIONAL if name in names and before.lines(name) != after.lines(name)]


def _written(value: str | None) -> str | None:
    """The text that aiohttp, which writes UTF-8, sends as these bytes; None where there is none."""
    try:
        return None if value is None else value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return None


def _check_coding(request: ClientRequest, response: ClientResponse, coding: str) -> None:
    """Raises what aiohttp raises for a coding whose codec is not installed."""
    empty = request.method == "HEAD" or response.status in _EMPTY or 100 <= response.status < 200
    if empty or not coding or Decoding(coding).possible:
        return
    response.close()
    raise ClientResponseError(
        response.request_info, response.history, status=400, message=coding_complaint(coding), headers=response.headers
    )
