"""A small HTTP/1.1 client for nurseries: ``HTTPSession``, on trio and, through anyio, on asyncio.

Above the seam ``HTTPSession.hop`` lie redirects, cookies, credentials and content codings; below it the pool and
h11. A cache answers there: it overrides ``hop``.

Not here, and not planned: HTTP/2, proxies, SOCKS, multipart. Use httpx2 for these.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypedDict, TypeVar, Unpack

import anyio

from sansio_cache.credentials import stays_with_origin
from sansio_cache.errors import SettingError

from .checks import credentials, flag, jar_or_mapping, pairs, text, tls, whole
from .content import (
    Content,
    FieldsIn,
    OutgoingRequest,
    ParamsIn,
    Timeout,
    add_params,
    default_accept_encoding,
    encode_content,
    merge_fields,
)
from .errors import TransportError
from .hop import Drained, Hop
from .limits import Limits, limits_of
from .redirects import drain, location, redirected
from .response import Response, TooManyRedirects
from .suffixes import load_suffixes
from .url import basic, join, parse

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

    # Connections and the standard library's cookies come with the first request.
    from .pool import Pool

__all__ = ["HTTPSession", "Hop", "Limits", "OutgoingRequest", "RequestOptions", "Response", "Timeout"]

USER_AGENT = "sansio-cache"

P = ParamSpec("P")
R = TypeVar("R", bound=Response)
R_co = TypeVar("R_co", covariant=True)


class Asks(Protocol[P, R_co]):
    """A session, by its ``request``: the other methods take the same options and give the same response."""

    def request(self, method: str, url: str, *args: P.args, **options: P.kwargs) -> Coroutine[Any, Any, R_co]: ...


class RequestOptions(TypedDict, total=False):
    """What one request may say; where it says nothing, the session's own setting holds."""

    params: ParamsIn | None
    """Added to the query; replaces the session's parameters of the same name."""
    headers: FieldsIn | None
    """Replaces the session's fields of the same name; None as value removes one."""
    content: Content | None
    """bytes, str, a binary file or an async iterator of bytes."""
    data: ParamsIn | None
    """Form fields, sent as application/x-www-form-urlencoded."""
    json: Any
    """Anything that JSON can say but null."""
    auth: tuple[str, str] | None
    """User and password for the Basic scheme; None sends none."""
    timeout: Timeout | float | None
    """Seconds; a number stands for every kind of wait, None for no limit."""
    follow_redirects: bool


_KNOWN = RequestOptions.__optional_keys__


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

    Raises: SettingError for a setting of wrong type or value, InvalidURL for a base URL that is none.
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
        # What every request will be made of, put together once to see whether that can be done.
        add_params(parse("http://any/" if base_url is None else base_url).text, params)
        merge_fields(self.headers)
        if self.auth is not None:
            basic(*self.auth)
        if cookies is not None:
            self.cookies = _jar(cookies, base_url)
        self._connecting = limits_of(limits), ssl_context, verify

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

        Raises: TransportError.
        """
        return await self.pool.send(request)

    def prepare(self, method: str, url: str, options: RequestOptions) -> OutgoingRequest:
        """The first hop of a request: what the session and the options say, put together.

        A subclass with options of its own takes them out first and carries them in ``extra``.

        Raises: InvalidURL, TypeError, ValueError, SettingError.
        """
        if unknown := options.keys() - _KNOWN:
            raise TypeError(
                f"a request takes no {', '.join(sorted(unknown))}; there are {', '.join(self._option_names())}"
            )
        text("url", url, "; give str(…) of an object that is one")
        url = join(self.base_url, url) if self.base_url else url
        target = parse(add_params(url, self.params, options.get("params")))
        body, kind = encode_content(options.get("content"), options.get("data"), options.get("json"))
        own = pairs("headers", options.get("headers"))
        defaults = [
            ("User-Agent", USER_AGENT),
            ("Accept", "*/*"),
            ("Accept-Encoding", default_accept_encoding()),
        ]
        fields = merge_fields(defaults, kind, self.headers, own)
        if "auth" in options:
            auth = credentials(options["auth"])
        elif target.userinfo is not None:
            auth = target.userinfo
        else:
            auth = None if _has(own, "authorization") else self.auth
        if auth is not None:
            fields = merge_fields(fields, [("Authorization", basic(*auth))])
        timeout = Timeout.of(options["timeout"]) if "timeout" in options else self.timeout
        return OutgoingRequest(text("method", method).upper(), target.text, fields, body, timeout)

    def _option_names(self) -> list[str]:
        """What a request takes, by name."""
        return sorted(_KNOWN)

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
        return Response(hop, request, history=history, cookies=cookies, elapsed=elapsed)

    # Requests

    async def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> Response:
        """The response to a request, its body read.

        Raises: any TransportError but HTTPStatusError; TypeError, ValueError and SettingError for options that make no
        request; what the content's iterator raises.
        """
        return await self._whole(await self._follow(method, url, options))

    @asynccontextmanager
    async def stream(self, method: str, url: str, **options: Unpack[RequestOptions]) -> AsyncGenerator[Response]:
        """The response to a request, its body still to come; leaving the block gives the connection back.

        Raises: as ``request``.
        """
        response = await self._follow(method, url, options)
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

    async def _whole(self, response: R) -> R:
        """The same response, its body read."""
        try:
            await response.read()
        except TransportError as exc:
            exc.url = response.url
            raise
        finally:
            await response.aclose()
        return response

    async def _follow(self, method: str, url: str, options: RequestOptions) -> Response:
        options = options.copy()
        follow = flag("follow_redirects", options.pop("follow_redirects", self.follow_redirects))
        return await self._send(self.prepare(method, url, options), follow=follow)

    async def _send(self, request: OutgoingRequest, *, follow: bool) -> Response:
        """The last response to a request, its body unread."""
        history: tuple[Response, ...] = ()
        while True:
            sent = self._with_cookies(request)
            started = anyio.current_time()
            hop = await self.hop(sent)
            elapsed = anyio.current_time() - started
            try:
                cookies = await self._take_cookies(sent.url, hop)
                target = location(hop) if follow else None
                if target is None:
                    return self.respond(hop, sent, history, cookies, elapsed)
                if len(history) >= self.max_redirects:
                    raise TooManyRedirects(f"more than {self.max_redirects} redirects", history)
                request = redirected(request, hop.status, target, self.stays_with_origin)
                body = await drain(hop)
            except BaseException as exc:
                await hop.aclose()
                if isinstance(exc, TransportError):
                    exc.url = exc.url or sent.url
                raise
            kept = hop.with_chunks(Drained(body))
            history += (self.respond(kept, sent, history, cookies, elapsed),)

    # Cookies

    def _with_cookies(self, request: OutgoingRequest) -> OutgoingRequest:
        # A Cookie field that the caller gave is left alone.
        if next(iter(self.cookies), None) is None or _has(request.headers, "cookie"):
            return request
        from urllib.request import Request as CookieRequest

        carrier = CookieRequest(request.url)  # noqa: S310 - nothing is opened
        self.cookies.add_cookie_header(carrier)
        value = carrier.get_header("Cookie")
        return replace(request, headers=[*request.headers, ("Cookie", value)]) if value else request

    async def _take_cookies(self, url: str, hop: Hop) -> dict[str, str]:
        lines = [value for name, value in hop.headers if name.lower() == "set-cookie"]
        if not lines:
            return {}
        from .cookies import names_a_domain

        if names_a_domain(lines):
            await load_suffixes()
        return _extract(self.cookies, url, lines)


def _extract(jar: CookieJar, url: str, lines: Sequence[str]) -> dict[str, str]:
    from .cookies import extract  # the standard library's cookies come with the first of them

    return extract(jar, url, lines)


def _has(fields: Iterable[tuple[str, str | None]], name: str) -> bool:
    return any(given.lower() == name for given, _ in fields)


def _jar(cookies: CookieJar | Mapping[str, str], base_url: str | None) -> CookieJar:
    from http.cookiejar import CookieJar

    from .cookies import cookie_of, new_jar

    if isinstance(cookies, CookieJar):
        return cookies
    jar = new_jar()
    if cookies and base_url is None:
        # Without a host they would go to every origin that a redirect names.
        raise SettingError("cookies need a host to go to: give base_url= too, or a CookieJar")
    for name, value in cookies.items():
        if {";", "\r", "\n"} & {*name, *value}:
            raise SettingError(f"no cookie can be called, or hold, what has a ; or a line end: {name!r}")
        jar.set_cookie(cookie_of(parse(base_url or ""), name, value))
    return jar
