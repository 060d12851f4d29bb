"""The command ``get``: a request through the cache, as a program would send it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

import click

from sansio_cache.errors import CacheError
from sansio_cache.messages import Headers
from sansio_cache.policy import Policy

from .app import cli
from .errors import Trouble, WrongUse
from .options import command, request_options, setting_options
from .output import emit, note, on_terminal
from .place import PlaceOptions, pass_place
from .requests import AskedRequest
from .showing import write_body
from .stored_urls import asked_urls
from .text import plain, shown_fields, shown_url
from .units import LASTING

__all__ = ["get"]


class Came(NamedTuple):
    """A response, its body still to be read."""

    status: int
    reason: str
    headers: Headers
    cache_status: str
    pieces: Iterator[bytes]


@command(
    cli,
    "get",
    short_help="Fetch through the cache.",
    examples="""
get https://api.example.com/items/1 --cache ~/http.sqlite
get https://api.example.com/items/1 --offline
get https://api.example.com/items/1 --refresh --include
get https://example.com/logo.png -o logo.png --expire-after 7d
""",
)
@click.argument("url", shell_complete=asked_urls)
@request_options
@click.option("--offline", is_flag=True, help="Never ask the network: what is stored, of any age, or exit status 1.")
@click.option("--expire-after", type=LASTING, metavar="TIME", help="Keep the answer fresh for so long: 90s, 7d, never.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Store the answer with this tag.")
@click.option("-i", "--include", is_flag=True, help="Show the head of the answer, too.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), metavar="FILE", help="Write the body to a new file.")
@click.option("--raw", is_flag=True, help="The body as it came, its Content-Encoding not taken off.")
@click.option("-f", "--fail", is_flag=True, help="Exit status 1 for an answer of 400 and above, and no body.")
@click.option("-v", "--verbose", is_flag=True, help="Say what the cache did; a terminal is told anyway.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the origin.",
)
@setting_options
@pass_place
def get(
    place: PlaceOptions,
    url: str,
    asked: AskedRequest,
    offline: bool,
    expire_after: float | None,
    tags: tuple[str, ...],
    include: bool,
    output: str | None,
    raw: bool,
    fail: bool,
    verbose: bool,
    timeout: float,
) -> None:
    """Fetch a URL through the cache, and give the body.

    What may be stored is stored, in a cache that is made where there is none. It takes requests or httpx2, whichever is
    installed: sansio-cache[cli,requests].
    """
    if "://" not in url:
        raise WrongUse(f"{plain(url)} is no URL: it begins with http:// or https://")
    if offline:
        place.settings = {**place.settings, "offline": True}
    opened = place.open(makes=not offline, checks=False)
    options = {name: True for name in ("refresh", "force_refresh", "only_if_cached") if getattr(asked.options, name)}
    more = {"expire_after": expire_after} if expire_after is not None else {}
    keywords: dict[str, Any] = {**options, **more, **({"tags": tags} if tags else {})}
    with ExitStack() as stack:
        came = _fetch(stack, _Wish(opened.store, opened.rules.policy, url, asked, keywords, timeout, raw, place.clock))
        if verbose or on_terminal():
            note(plain(f"Cache-Status: {came.cache_status}"))
        if came.status == 504 and asked.options.only_if_cached and "only-if-cached" in came.cache_status:
            raise Trouble("nothing that is fresh is stored, and --only-if-cached forbids to fetch it", Trouble.FOUND)
        if fail and came.status >= 400:
            raise Trouble(plain(f"the answer is {came.status} {came.reason}"), Trouble.FOUND)
        if include:
            _show_head(came)
        write_body(came.pieces, output)


def _show_head(came: Came) -> None:
    emit(plain(f"HTTP {came.status} {came.reason}"))
    for name, value in shown_fields(came.headers, secrets=True):
        emit(f"{name}: {value}")
    emit()


_OBJECT: Final = re.compile(r"^<?[A-Za-z.]+[( ][^:>]*[)>]: ")
"""What some errors say first: the object that raised them."""


class _Wish(NamedTuple):
    """The requests to be made, and how."""

    store: Any
    policy: Policy
    url: str
    asked: AskedRequest
    keywords: dict[str, Any]
    timeout: float
    raw: bool
    clock: Callable[[], float]


def _fetch(stack: ExitStack, wish: _Wish) -> Came:
    if find_spec("requests") is not None:
        return _guarded(stack, wish, _by_requests, import_module("requests.exceptions").RequestException)
    if find_spec("httpx2") is not None:
        httpx2: Any = import_module("httpx2")
        return _guarded(stack, wish, _by_httpx, (httpx2.HTTPError, httpx2.InvalidURL))
    raise WrongUse("get needs an HTTP client: pip install 'sansio-cache[cli,requests]'")


def _guarded(stack: ExitStack, wish: _Wish, fetch: Callable[[ExitStack, _Wish], Came], errors: Any) -> Came:
    try:
        came = fetch(stack, wish)
    except CacheError:
        raise
    except ValueError as error:  # what the clients say of URLs and fields
        raise WrongUse(f"{type(error).__name__}: {error}") from None
    except errors as error:
        raise _network(error, wish.url) from None
    return came._replace(pieces=_reading(came.pieces, errors, wish.url))


def _reading(pieces: Iterator[bytes], errors: Any, url: str) -> Iterator[bytes]:
    try:
        yield from pieces
    except errors as error:
        raise _network(error, url) from None


def _network(error: Exception, url: str) -> Trouble:
    # The client's own words name pools and retries, and what was asked for, with its secrets.
    said = _OBJECT.sub("", str(_cause(error)) or type(error).__name__)
    _, mark, query = url.partition("?")
    said = said.replace(mark + query, "?…") if mark else said
    return Trouble(f"{shown_url(url)} could not be fetched: {plain(said)}", Trouble.NETWORK)


def _cause(error: BaseException) -> BaseException:
    """The innermost of errors that carry each other as their reason."""
    inner = [getattr(error, "reason", None), *error.args[:1]]
    return next((_cause(each) for each in inner if isinstance(each, BaseException)), error)


def _by_requests(stack: ExitStack, wish: _Wish) -> Came:
    from sansio_cache_adapters.requests.session import CachedSession

    session = stack.enter_context(CachedSession(wish.store, policy=wish.policy, clock=wish.clock))
    given: dict[str, Any] = {"headers": dict(wish.asked.fields), "stream": True, "timeout": wish.timeout}
    response: Any = session.request(wish.asked.method, wish.url, **given, **wish.keywords)
    stack.callback(response.close)
    raw = response.raw
    pieces = raw.stream(65536, decode_content=False) if wish.raw else response.iter_content(65536)
    fields = Headers(raw.headers.items())
    return Came(response.status_code, response.reason or "", fields, str(response.cache_status), pieces)


def _by_httpx(stack: ExitStack, wish: _Wish) -> Came:
    import httpx2

    from sansio_cache_adapters.httpx.transports import CacheTransport

    transport = CacheTransport(cache=wish.store, policy=wish.policy, clock=wish.clock)
    client = stack.enter_context(httpx2.Client(transport=transport, follow_redirects=True, timeout=wish.timeout))
    given: dict[str, Any] = {"headers": dict(wish.asked.fields), "extensions": {"sansio_cache": wish.keywords}}
    response: Any = stack.enter_context(client.stream(wish.asked.method, wish.url, **given))
    pieces = response.iter_raw() if wish.raw else response.iter_bytes()
    status = str(response.extensions.get("cache_status", ""))
    return Came(response.status_code, response.reason_phrase, Headers(response.headers.multi_items()), status, pieces)
