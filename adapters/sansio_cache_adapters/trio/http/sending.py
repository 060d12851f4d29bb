"""Requests of a session on their way: put together, sent from hop to hop, with cookies, and their bodies read.

All of it comes with the first request: a session is made without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from http.cookiejar import CookieJar
from typing import Any, TypedDict, TypeVar

import anyio

from sansio_cache_adapters.cache.decoding import default_accept_encoding

from .checks import credentials, flag, pairs, text
from .content import Content, OutgoingRequest, ParamsIn, add_params, encode_content
from .errors import TransportError
from .fields import FieldsIn, merge_fields
from .hop import Drained, Hop
from .limits import Timeout
from .redirects import drain, location, redirected
from .response import Response, TooManyRedirects
from .suffixes import load_suffixes
from .url import basic, join, parse

__all__ = ["OPTIONS", "RequestOptions", "followed", "prepared", "sent", "whole", "with_cookies"]

USER_AGENT = "sansio-cache"

R = TypeVar("R", bound=Response)


class RequestOptions(TypedDict, total=False):
    """The keywords of one request; where one is missing, the session's own setting holds."""

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


OPTIONS = RequestOptions.__optional_keys__


def prepared(session: Any, method: str, url: str, options: RequestOptions) -> OutgoingRequest:
    """The first hop of a request: what the session and the options say, put together.

    :raises InvalidURL: the URL is not one of http or https.
    :raises SettingError: an option has a wrong type or value; TypeError and ValueError likewise.
    """
    if unknown := options.keys() - OPTIONS:
        raise TypeError(
            f"a request takes no {', '.join(sorted(unknown))}; there are {', '.join(session._option_names())}"
        )
    text("url", url, "; give str(…) of an object that is one")
    url = join(session.base_url, url) if session.base_url else url
    target = parse(add_params(url, session.params, options.get("params")))
    body, kind = encode_content(options.get("content"), options.get("data"), options.get("json"))
    own = pairs("headers", options.get("headers"))
    defaults = [
        ("User-Agent", USER_AGENT),
        ("Accept", "*/*"),
        ("Accept-Encoding", default_accept_encoding()),
    ]
    fields = merge_fields(defaults, kind, session.headers, own)
    if "auth" in options:
        auth = credentials(options["auth"])
    elif target.userinfo is not None:
        auth = target.userinfo
    else:
        auth = None if _has(own, "authorization") else session.auth
    if auth is not None:
        fields = merge_fields(fields, [("Authorization", basic(*auth))])
    timeout = Timeout.of(options["timeout"]) if "timeout" in options else session.timeout
    return OutgoingRequest(text("method", method).upper(), target.text, fields, body, timeout)


async def followed(session: Any, method: str, url: str, options: RequestOptions) -> Response:
    """The response to a request, its body unread."""
    options = options.copy()
    follow = flag("follow_redirects", options.pop("follow_redirects", session.follow_redirects))
    return await sent(session, session.prepare(method, url, options), follow=follow)


async def sent(session: Any, request: OutgoingRequest, *, follow: bool) -> Response:
    """The last response to a request, its body unread."""
    history: tuple[Response, ...] = ()
    while True:
        out = with_cookies(session, request)
        started = anyio.current_time()
        hop = await session.hop(out)
        elapsed = anyio.current_time() - started
        try:
            cookies = await _take_cookies(session, out.url, hop)
            target = location(hop) if follow else None
            if target is None:
                response: Response = session.respond(hop, out, history, cookies, elapsed)
                return response
            if len(history) >= session.max_redirects:
                raise TooManyRedirects(f"more than {session.max_redirects} redirects", history)
            request = redirected(request, hop.status, target, session.stays_with_origin)
            body = await drain(hop)
        except BaseException as exc:
            await hop.aclose()
            if isinstance(exc, TransportError):
                exc.url = exc.url or out.url
            raise
        kept = hop.with_chunks(Drained(body))
        history += (session.respond(kept, out, history, cookies, elapsed),)


async def whole(response: R) -> R:
    """The same response, its body read."""
    try:
        await response.read()
    except TransportError as exc:
        exc.url = response.url
        raise
    finally:
        await response.aclose()
    return response


# Cookies


def with_cookies(session: Any, request: OutgoingRequest) -> OutgoingRequest:
    """A request with what the jar adds; the same object where that is nothing."""
    # A Cookie field that the caller gave is left alone.
    if next(iter(session.cookies), None) is None or _has(request.headers, "cookie"):
        return request
    from urllib.request import Request as CookieRequest

    carrier = CookieRequest(request.url)  # noqa: S310 - nothing is opened
    session.cookies.add_cookie_header(carrier)
    value = carrier.get_header("Cookie")
    return replace(request, headers=[*request.headers, ("Cookie", value)]) if value else request


async def _take_cookies(session: Any, url: str, hop: Hop) -> dict[str, str]:
    lines = [value for name, value in hop.headers if name.lower() == "set-cookie"]
    if not lines:
        return {}
    from .cookies import names_a_domain

    if names_a_domain(lines):
        await load_suffixes()
    return _extract(session.cookies, url, lines)


def _extract(jar: CookieJar, url: str, lines: Sequence[str]) -> dict[str, str]:
    from .cookies import extract  # the standard library's cookies come with the first of them

    return extract(jar, url, lines)


def _has(fields: Iterable[tuple[str, str | None]], name: str) -> bool:
    return any(given.lower() == name for given, _ in fields)
