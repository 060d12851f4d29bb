"""How a session of aiohttp handles its requests: all that it needs from the first one on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, cast

from aiohttp import ClientRequest, ClientResponse, ClientSession
from aiohttp.hdrs import ACCEPT_ENCODING
from aiohttp.typedefs import StrOrURL

from sansio_cache.messages import NO_OPTIONS, Options, Request
from sansio_cache_adapters.cache.connection_auth import authenticated
from sansio_cache_adapters.cache.decoding import default_accept_encoding
from sansio_cache_adapters.cache.engine import CLOSE_SECONDS
from sansio_cache_adapters.cache.keywords import overriding
from sansio_cache_adapters.cache.lookup import RequestMaker
from sansio_cache_adapters.cache.options import take_options
from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses
from sansio_cache_adapters.cache.switches import DISABLED, is_off

from .fast_path import FastPath
from .lookup import given_response, session_request_maker
from .middleware import AiohttpCache, PausedClientRequest, Wish
from .private import retries, session_part
from .response import CachedClientResponse, bypassing

__all__ = ["Handler", "upgrades", "with_cache"]


def with_cache(
    session: ClientSession, keywords: dict[str, Any], cache: AiohttpCache, options: Options
) -> tuple[dict[str, Any], Wish]:
    """The keywords of a request that goes through a cache, innermost of its middlewares, and what it wishes for."""
    decode = keywords.get("auto_decompress")
    wish = Wish(
        options,
        decode=bool(session.auto_decompress if decode is None else decode),
        raw=True,
        follows=bool(keywords.get("allow_redirects", True)),
        bufsize=keywords.get("read_bufsize"),
        retries=retries(session),
    )
    # A request's own list takes the place of the session's.
    given = keywords.get("middlewares")
    above = session_part(session, "middlewares") if given is None else given
    changed: dict[str, Any] = {"auto_decompress": False, "middlewares": (*above, partial(cache.hop, wish))}
    if not _SAME_CODINGS and not _says_codings(session, keywords):
        wish.codings = default_accept_encoding()
    return {**keywords, **changed}, wish


def upgrades(keywords: dict[str, Any]) -> bool:
    """Whether a request asks for another protocol (WebSocket handshakes are GETs): that is nothing for a cache."""
    headers = keywords.get("headers")
    return isinstance(headers, Mapping) and any(str(name).lower() == "upgrade" for name in headers)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


_NOTHING_SAID: Final = {"allow_redirects"}
_SAME_CODINGS: Final = set(default_accept_encoding().split(", ")) == set(
    ClientRequest.DEFAULT_HEADERS[ACCEPT_ENCODING].split(", ")
)
"""Whether aiohttp offers by itself what we can decode."""


def _says_codings(session: ClientSession, keywords: dict[str, Any]) -> bool:
    """Whether the user says what Accept-Encoding is, or may say so in a way that can be read only once."""
    if ACCEPT_ENCODING in session.headers:
        return True
    headers = keywords.get("headers")
    if headers is None:
        return False
    if isinstance(headers, Mapping):
        return any(str(name).lower() == "accept-encoding" for name in headers)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return True


class Handler:
    """Handles the requests of one session.

    :param part: the class of the session that is its cache; what those behind it do is asked of them.
    """

    def __init__(self, session: ClientSession, cache: AiohttpCache, part: Any) -> None:
        self._cache = cache
        self._part = part
        # A class behind that sends in its own way sees every request.
        alone = not overriding(type(session), part, ClientSession, "_request")
        self._fast = FastPath(session, cache, alone=alone)

    def stored(self, session: ClientSession) -> AsyncStoredResponses:
        """The ``session.cache``: finds, deletes, verifies and counts stored responses."""
        return AsyncStoredResponses(self._cache.inner, self.asking(session), given_response)

    def asking(self, session: ClientSession) -> RequestMaker:
        """Makes requests as the session would."""
        return session_request_maker(partial(self._look, session))

    def _behind(self, session: ClientSession) -> Any:
        """The session, as the classes behind its cache have it."""
        return cast(Any, super(self._part, session))

    async def request(
        self, session: ClientSession, method: str, str_or_url: StrOrURL, keywords: dict[str, Any]
    ) -> ClientResponse:
        """The response to a request."""
        # Most requests say nothing but what ``get()`` adds.
        says_nothing = keywords.keys() == _NOTHING_SAID
        options = NO_OPTIONS if says_nothing else take_options(keywords)
        if is_off(session) or (not says_nothing and upgrades(keywords)):
            answered = await self._behind(session)._request(method, str_or_url, **keywords)
            authenticated.bypassed(session.connector, str(answered.url), answered.request_info.headers.items())
            return bypassing(answered, DISABLED if is_off(session) else "upgrade")
        key = self._fast.key(method, str_or_url, keywords)
        looked: PausedClientRequest | None = None
        if key is not None:
            found = self._fast.answer(key, keywords, options)
            if found is not None and not isinstance(found, CachedClientResponse | PausedClientRequest):
                found = await found
            if isinstance(found, CachedClientResponse):
                return found
            looked = found
        keywords, wish = with_cache(session, keywords, self._cache, options)
        wish.paused = looked
        answered = await self._behind(session)._request(method, str_or_url, **keywords)
        if key is not None:
            self._fast.learn(key, wish, answered)
        return answered if isinstance(answered, CachedClientResponse) else bypassing(answered, "")

    async def _look(self, session: ClientSession, method: str, url: str, keywords: dict[str, Any]) -> Request | None:
        keywords, wish = with_cache(session, keywords, self._cache, NO_OPTIONS)
        keywords["middlewares"] = (*keywords["middlewares"][:-1], partial(self._cache.look, wish))
        await self._behind(session)._request(method, url, **keywords)
        return None if wish.seen is None else wish.seen[1]

    async def end_tasks(self) -> None:
        """Wait for background validation, 5 s at most."""
        await self._cache.tasks.close(CLOSE_SECONDS)
