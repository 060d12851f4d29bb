"""The fast path of ``AsyncCachedSession``: a stored answer without what aiohttp does for the network.

What a plain GET makes of its arguments is remembered from the first time, when aiohttp itself did it, and holds as
long as all that went into it is the same. Whatever is not provably so takes the long way.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable
from typing import Any, Final

from aiohttp import ClientRequest, ClientResponse, ClientSession, ClientTimeout, CookieJar, DummyCookieJar
from aiohttp.hdrs import COOKIE
from aiohttp.typedefs import StrOrURL
from msgspec.structs import replace
from multidict import getversion
from yarl import URL

from sansio_cache.decisions import Answer
from sansio_cache.memo import Memo
from sansio_cache.messages import NO_OPTIONS, Options, Request
from sansio_cache_adapters.cache.prepared import PREPARED_BYTES, bytes_of

from .middleware import REDIRECTS, AiohttpCache, Wish
from .private import makes_requests_plainly, session_part
from .response import Asked, CachedClientResponse, cached_class, stale_at, stored_response

__all__ = ["FastPath"]

_KNOWN: Final = frozenset({"allow_redirects", "headers", "params", "raise_for_status", "timeout"})
_PLAIN: Final = frozenset({"allow_redirects"})


class _Known:
    """What a GET became.

    :ivar version: that of the session's default headers.
    :ivar fresh_until: until when it is worth a look whether a stored response answers at once: what must be validated
        would be looked up twice.
    """

    __slots__ = ("asked", "fresh_until", "request", "version")

    def __init__(self, version: int, request: Request, asked: Asked) -> None:
        self.version = version
        self.request = request
        self.asked = asked
        self.fresh_until = 0.0


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
        self._remembered = Memo[object, _Known](PREPARED_BYTES)

    def key(self, method: str, url: StrOrURL, keywords: dict[str, Any]) -> object | None:
        """What names a plain GET among those of its session, or None where it takes the long way."""
        if method != "GET" or not self._applies or not _KNOWN.issuperset(keywords):
            return None
        kind = type(url)
        if kind is not str and kind is not URL:
            return None
        if self._traced or self._session.closed or self._auto != ClientRequest.DEFAULT_HEADERS:
            return None
        if _PLAIN.issuperset(keywords):
            return url
        return _key(url, keywords)

    def answer(
        self, key: object, keywords: dict[str, Any], options: Options
    ) -> CachedClientResponse | Awaitable[CachedClientResponse | None] | None:
        """The response if a stored one answers; None to take the long way, nothing having happened.

        To be awaited where its body does not lie beside its head.

        :raises BadSignature: see ``docs/topics/security.md``.
        :raises NotCached: ``offline``, and nothing stored answers.
        :raises aiohttp.ClientResponseError: ``raise_for_status``.
        """
        known = self._remembered.get(key)
        if known is None or known.version != getversion(self._defaults) or self._engine.clock() >= known.fresh_until:
            return None
        if len(self._jar) and self._jar.filter_cookies(known.asked.url):
            return None
        request = known.request if options is NO_OPTIONS else replace(known.request, options=options)
        usable = _is_final if keywords.get("allow_redirects", True) else None
        answer = self._cache.stored_answer(request, usable)
        if answer is None:
            return None
        if isinstance(answer, Answer):
            return self._response(answer, known, keywords)
        return self._awaited(answer, known, keywords)

    async def _awaited(
        self, found: Awaitable[Answer | None], known: _Known, keywords: dict[str, Any]
    ) -> CachedClientResponse | None:
        answer = await found
        return None if answer is None else self._response(answer, known, keywords)

    def _response(self, answer: Answer, known: _Known, keywords: dict[str, Any]) -> CachedClientResponse:
        response = stored_response(answer, known.asked, self._engine)
        if answer.status >= 400:
            raising = keywords.get("raise_for_status")
            if self._session.raise_for_status if raising is None else raising:
                response.raise_for_status()
        return response

    def learn(self, key: object, wish: Wish, response: ClientResponse) -> None:
        """Remember what a request that took the long way became, and for how long the response to it is fresh."""
        if wish.seen is None or wish.hops != 1 or not isinstance(response, CachedClientResponse):
            return
        known = self._remembered.get(key)
        version = getversion(self._defaults)
        fresh_until = math.inf if self._engine.policy.offline else stale_at(response)
        if known is None or known.version != version:
            if not fresh_until:
                return
            known = _made(self._session, version, wish)
            if known is None:
                return
            self._remembered.put(key, known, bytes_of(known.request))
        known.fresh_until = fresh_until


def _made(session: ClientSession, version: int, wish: Wish) -> _Known | None:
    """What a request became, or None where that depends on more than what names it."""
    assert wish.seen is not None  # noqa: S101 - the caller has looked
    native, request = wish.seen
    if native.method != "GET" or request.body != b"" or COOKIE in native.headers:
        return None
    asked = Asked(
        session,
        cached_class(native.response_class),
        native.method,
        native.url,
        native.original_url,
        native.headers.copy(),
        decode=wish.decode,
        bufsize=session_part(session, "read_bufsize"),
    )
    return _Known(version, replace(request, options=NO_OPTIONS), asked)


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


def _is_final(answer: Answer) -> bool:
    """Whether an answer is one that aiohttp gives as it is: no redirect."""
    return answer.status not in REDIRECTS
