"""A small HTTP/1.1 client for nurseries: ``HTTPSession``, on trio and, through anyio, on asyncio.

Above the seam ``HTTPSession.hop`` lie redirects, cookies, credentials and content codings; below it the pool and
h11. A cache answers there: it overrides ``hop``.

Not here, and not planned: HTTP/2, proxies, SOCKS, multipart. Use httpx2 for these.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, Self, TypeVar, Unpack

# Every request needs it: that it is not installed is said here.
import h11  # noqa: F401 # pyright: ignore[reportUnusedImport]

from sansio_cache.credentials import stays_with_origin

from .checks import credentials, flag, jar_or_mapping, pairs, text, tls, whole
from .fields import merge_fields
from .limits import Limits, Timeout, limits_of

if TYPE_CHECKING:
    # Modules that send requests are imported with the first one.
    from http.cookiejar import CookieJar

    from .content import OutgoingRequest, ParamsIn
    from .hop import Hop
    from .pool import Pool
    from .response import Response
    from .sending import RequestOptions

    P = ParamSpec("P")
    R = TypeVar("R", bound=Response)
    R_co = TypeVar("R_co", covariant=True)

    class Asks(Protocol[P, R_co]):
        """A session, by its ``request``: the other methods take the same options and give the same response."""

        def request(self, method: str, url: str, *args: P.args, **options: P.kwargs) -> Coroutine[Any, Any, R_co]: ...


__all__ = ["HTTPSession", "Hop", "Limits", "OutgoingRequest", "RequestOptions", "Response", "Timeout"]


class HTTPSession:
    """A client with connections, cookies and defaults of its own, for one event loop.

    :ivar base_url: what relative URLs are relative to (RFC 3986 §5: end it with a slash).
    :ivar params: parameters added to every URL.
    :ivar headers: fields added to every request; None as value removes a default one.
    :ivar cookies: the jar; a mapping is turned into cookies of the base URL's host.
    :ivar auth: user and password, sent with every request that brings no credentials of its own.
    :ivar timeout: waits of a request, in seconds.
    :ivar pool: the connections; ``pool.counts`` tells their number.

    TLS is verified against the system's trust store, or as ``ssl_context`` says. Leaving the ``async with`` block
    closes every connection.

    :raises SettingError: for a setting of wrong type or value.
    :raises InvalidURL: for a base URL that is not one of http or https.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        params: ParamsIn | None = None,
        headers: Mapping[str, str | None] | None = None,
        cookies: CookieJar | Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: Timeout | float | None = Timeout(),  # noqa: B008 - it is frozen
        limits: Limits | None = None,
        ssl_context: ssl.SSLContext | None = None,
        verify: bool = True,
        follow_redirects: bool = True,
        max_redirects: int = 20,
    ) -> None:
        tls(ssl_context, verify)
        jar_or_mapping(cookies)
        whole("max_redirects", max_redirects, 0)
        self.base_url: str | None = None if base_url is None else text("base_url", base_url)
        self.params = params
        self.headers: dict[str, str | None] = dict(pairs("headers", headers))
        self.auth: tuple[str, str] | None = credentials(auth)
        self.timeout: Timeout = Timeout.of(timeout)
        self.follow_redirects: bool = flag("follow_redirects", follow_redirects)
        self.max_redirects = max_redirects
        self._try_out()
        if cookies is not None:
            from .cookies import jar_of

            self.cookies = jar_of(cookies, base_url)
        self._connecting = limits_of(limits), ssl_context, verify

    def _try_out(self) -> None:
        """Put together once what every request will be made of, to see whether that can be done."""
        merge_fields(self.headers)
        if self.base_url is not None:
            from .url import parse

            parse(self.base_url)
        if self.params is not None:
            from .content import add_params

            add_params("http://any/", self.params)
        if self.auth is not None:
            from .url import basic

            basic(*self.auth)

    @cached_property
    def cookies(self) -> CookieJar:
        """The jar."""
        from .cookies import new_jar

        return new_jar()

    @cached_property
    def pool(self) -> Pool:
        """The connections."""
        from .pool import Pool

        limits, context, verify = self._connecting
        return Pool(limits, context=context, verify=verify)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection, those of streams that are still open too. Idempotent."""
        await self.pool.aclose()

    # The seams

    async def hop(self, request: OutgoingRequest) -> Hop:
        """The answer to one request, from the network; the one place to answer it from elsewhere.

        :raises TransportError: the request failed.
        """
        return await self.pool.send(request)

    def prepare(self, method: str, url: str, options: RequestOptions) -> OutgoingRequest:
        """The first hop of a request: what the session and the options say, put together.

        A subclass with options of its own takes them out first and carries them in ``extra``.

        :raises InvalidURL: the URL is not one of http or https.
        :raises SettingError: an option has a wrong type or value; TypeError and ValueError likewise.
        """
        from .sending import prepared

        return prepared(self, method, url, options)

    def _option_names(self) -> list[str]:
        """The keywords of a request."""
        from .sending import OPTIONS

        return sorted(OPTIONS)

    def stays_with_origin(self, field: str) -> bool:
        """Whether a field of this name does not go along when a redirect leads to another origin.

        Those that carry credentials by their name do not.
        """
        return stays_with_origin(field)

    def respond(
        self,
        hop: Hop,
        request: OutgoingRequest,
        history: tuple[Response, ...],
        cookies: Mapping[str, str],
        elapsed: float,
    ) -> Response:
        """The response object for a hop; ``elapsed`` in seconds."""
        from .response import Response

        return Response(hop, request, history=history, cookies=cookies, elapsed=elapsed)

    # Requests

    async def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> Response:
        """The response to a request, its body read.

        :raises TransportError: the request failed; any but HTTPStatusError.
        :raises SettingError: an option has a wrong type or value; TypeError and ValueError likewise.
        :raises Exception: an error of the content's iterator.
        """
        from .sending import followed, whole

        return await whole(await followed(self, method, url, options))

    @asynccontextmanager
    async def stream(self, method: str, url: str, **options: Unpack[RequestOptions]) -> AsyncGenerator[Response]:
        """The response to a request, its body still to come; leaving the block gives the connection back.

        :raises TransportError: as ``request``, and its other errors.
        """
        from .sending import followed

        response = await followed(self, method, url, options)
        try:
            yield response
        finally:
            await response.aclose()

    async def get(self: Asks[P, R], url: str, *args: P.args, **options: P.kwargs) -> R:
        """``request("GET", url, …)``."""
        return await self.request("GET", url, *args, **options)

    async def head(self: Asks[P, R], url: str, *args: P.args, **options: P.kwargs) -> R:
        """``request("HEAD", url, …)``."""
        return await self.request("HEAD", url, *args, **options)

    async def options(self: Asks[P, R], url: str, *args: P.args, **options: P.kwargs) -> R:
        """``request("OPTIONS", url, …)``."""
        return await self.request("OPTIONS", url, *args, **options)

    async def post(self: Asks[P, R], url: str, *args: P.args, **options: P.kwargs) -> R:
        """``request("POST", url, …)``."""
        return await self.request("POST", url, *args, **options)

    async def put(self: Asks[P, R], url: str, *args: P.args, **options: P.kwargs) -> R:
        """``request("PUT", url, …)``."""
        return await self.request("PUT", url, *args, **options)

    async def patch(self: Asks[P, R], url: str, *args: P.args, **options: P.kwargs) -> R:
        """``request("PATCH", url, …)``."""
        return await self.request("PATCH", url, *args, **options)

    async def delete(self: Asks[P, R], url: str, *args: P.args, **options: P.kwargs) -> R:
        """``request("DELETE", url, …)``."""
        return await self.request("DELETE", url, *args, **options)


_LATER: Final = {
    "Hop": "hop",
    "OutgoingRequest": "content",
    "RequestOptions": "sending",
    "Response": "response",
    "_extract": "sending",  # programs took it from here
}

if not TYPE_CHECKING:  # else checkers would take any name for one of ours

    def __getattr__(name: str) -> object:
        """Names that users of the client may want, and that a session does not need."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__package__}.{_LATER[name]}"), name)
