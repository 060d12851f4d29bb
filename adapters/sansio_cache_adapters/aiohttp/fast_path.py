"""The fast path of ``AsyncCachedSession``: a stored answer without what aiohttp does for the network.

The request that aiohttp itself made of a plain GET is remembered, and is used again as long as all that went into it is
the same. Any other request takes the long way.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final

from aiohttp import ClientRequest, ClientResponse, ClientSession, ClientTimeout, CookieJar, DummyCookieJar
from aiohttp.hdrs import COOKIE
from aiohttp.typedefs import StrOrURL
from msgspec.structs import replace
from multidict import CIMultiDict, getversion
from yarl import URL

from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused
from sansio_cache.memo import Memo
from sansio_cache.messages import NO_OPTIONS, REDIRECTS, Options, Request
from sansio_cache_adapters.cache.prepared import PREPARED_BYTES, bytes_of

from .middleware import AiohttpCache, PausedClientRequest, Wish
from .plain import sends_plainly
from .private import makes_requests_plainly, session_part
from .response import AskedFor, CachedClientResponse, cached_class, is_kept, stored_response

__all__ = ["FastPath"]

_KNOWN: Final = frozenset({"allow_redirects", "headers", "params", "raise_for_status", "timeout"})
_PLAIN: Final = frozenset({"allow_redirects"})

Found = CachedClientResponse | PausedClientRequest
"""The result of a look into the store: a response, or a request that goes on."""


class _Remembered(AskedFor):
    """The request that aiohttp made of a GET: one object, of which thousands are remembered.

    :ivar version: that of the session's default headers.
    :ivar request: as the core sees it.
    """

    __slots__ = ("request", "version")

    version: int
    request: Request


class FastPath:
    """Answers of one session that need no network.

    :param alone: no other class has to do with what the session sends.
    """

    def __init__(self, session: ClientSession, cache: AiohttpCache, *, alone: bool) -> None:
        self._session = session
        self._engine = cache.engine
        self._cache = cache.inner
        self._jar = session.cookie_jar
        self._defaults: Any = session.headers
        self._traced = session.trace_configs
        self._auto = ClientRequest.DEFAULT_HEADERS.copy()
        self._applies = alone and _is_plain(session)
        self._remembered = Memo[object, _Remembered](PREPARED_BYTES)
        self._lately: _Remembered | None = None

    def key(self, method: str, url: StrOrURL, keywords: dict[str, Any]) -> object | None:
        """The key of a plain GET among those of its session, or None where it takes the long way."""
        if method != "GET" or not self._applies or not _KNOWN.issuperset(keywords):
            return None
        kind = type(url)
        if kind is not str and kind is not URL:
            return None
        if self._traced or self._session.closed or self._auto != ClientRequest.DEFAULT_HEADERS:
            return None
        if not sends_plainly():
            return None  # who asks may be said there
        if _PLAIN.issuperset(keywords):
            return url
        return _key(url, keywords)

    def answer(self, key: object, keywords: dict[str, Any], options: Options) -> Found | Awaitable[Found] | None:
        """The response if a stored one answers; else what the long way goes on with.

        To be awaited where its body does not lie beside its head. None where the store was not looked into.

        :raises BadSignature: see ``docs/topics/security.md``.
        :raises NotCached: ``offline``, and nothing stored answers.
        :raises aiohttp.ClientResponseError: ``raise_for_status``.
        """
        known = self._remembered.get(key)
        if known is None or known.version != getversion(self._defaults):
            return None
        if len(self._jar) and self._jar.filter_cookies(known.url):
            return None
        request = known.request if options is NO_OPTIONS else replace(known.request, options=options)
        found = self._cache.look(request)
        if found is None:
            return None
        if isinstance(found, Answer | Paused):
            return self._response(request, found, known, keywords)
        return self._awaited(request, found, known, keywords)

    async def _awaited(
        self, request: Request, found: Awaitable[Answer | Paused[Answer]], known: _Remembered, keywords: dict[str, Any]
    ) -> Found:
        return self._response(request, await found, known, keywords)

    def _response(
        self, request: Request, found: Answer | Paused[Answer], known: _Remembered, keywords: dict[str, Any]
    ) -> Found:
        if isinstance(found, Paused) or (found.status in REDIRECTS and keywords.get("allow_redirects", True)):
            return PausedClientRequest(request, found, known)
        answer = found
        self._engine.answered(request, answer)
        response = stored_response(answer, known, self._engine)
        if answer.status >= 400:
            raising = keywords.get("raise_for_status")
            if self._session.raise_for_status if raising is None else raising:
                response.raise_for_status()
        return response

    def learn(self, key: object, wish: Wish, response: ClientResponse) -> None:
        """Remember what a request that took the long way became, where the response to it may be had again."""
        if wish.seen is None or wish.hops != 1 or not isinstance(response, CachedClientResponse):
            return
        known = self._remembered.get(key)
        version = getversion(self._defaults)
        if known is None or known.version != version:
            if not is_kept(response):
                return
            known = _made(self._session, version, wish, self._lately)
            if known is not None:
                self._lately = known
                self._remembered.put(key, known, bytes_of(known.request))


def _made(session: ClientSession, version: int, wish: Wish, like: _Remembered | None) -> _Remembered | None:
    """The request that was made, or None where that depends on more than its key.

    :param like: another one, whose fields it shares where they are the same: thousands are remembered, none is changed.
    """
    assert wish.seen is not None  # noqa: S101 - the caller has looked
    native, request = wish.seen
    if native.method != "GET" or request.body != b"" or COOKIE in native.headers:
        return None
    made = _Remembered(
        session,
        cached_class(native.response_class),
        native.method,
        native.url,
        native.original_url,
        like.fields if like is not None and _same(like.fields, native.headers) else native.headers.copy(),
        decode=wish.decode,
        bufsize=session_part(session, "read_bufsize"),
    )
    made.version = version
    made.request = request if request.options is NO_OPTIONS else replace(request, options=NO_OPTIONS)
    return made


def _same(fields: CIMultiDict[str], others: CIMultiDict[str]) -> bool:
    """Whether fields are the same in spelling and order, too."""
    return [*fields.items()] == [*others.items()]


def _is_plain(session: ClientSession) -> bool:
    """Whether a session makes requests of nothing but their arguments, its default headers and its cookies."""
    jar = session.cookie_jar
    return (
        not session_part(session, "middlewares")
        and not session.trace_configs
        and not session.trust_env
        and session.auth is None
        and not callable(session.raise_for_status)
        and session_part(session, "request_class") is ClientRequest
        and type(jar) in (CookieJar, DummyCookieJar)
        and makes_requests_plainly(session)
    )


def _key(url: object, keywords: dict[str, Any]) -> object | None:
    if callable(keywords.get("raise_for_status")):
        return None
    if not isinstance(keywords.get("timeout", _NO_TIMEOUT), ClientTimeout):
        return None
    pairs = [_pairs(keywords.get(name)) for name in ("headers", "params")]
    return None if None in pairs else (url, *pairs)


_NO_TIMEOUT: Final = ClientTimeout()


def _pairs(given: Any) -> tuple[tuple[str, str], ...] | None:
    """The fields of a plain dict of texts; None for anything else."""
    if given is None:
        return ()
    if given.__class__ is not dict:
        return None
    pairs: tuple[tuple[Any, Any], ...] = tuple(given.items())
    return pairs if all(type(name) is str and type(value) is str for name, value in pairs) else None
