"""A session of several classes: stored answers come before the ``send`` of those behind the cache, a limiter's say."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import requests.utils

from sansio_cache.decisions import Answer
from sansio_cache.messages import REDIRECTS, Request
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.options import current_options

from .adapter import CacheAdapter
from .bodies import BodyGone
from .common import core_request
from .paused import PausedRequest, paused_request
from .response import AnswerFacts, CachedResponse, stored_response

__all__ = ["StoredFirst"]

_MOST_HOSTS: Final = 10_000


class StoredFirst:
    """Answers requests that are about to be sent by a class behind the cache.

    That class may change them, sign them for one: its answers then lie under other keys than what is looked for here,
    where there may be those of strangers. So a host's requests are answered here only after one of them has come
    through unchanged, and the session has been as it was since (no token was set); never again once one has not.

    :param adapter_over: the cache above the adapter that the session has for a URL, or None.
    """

    def __init__(
        self,
        session: requests.Session,
        adapter_over: Callable[[str], CacheAdapter | None],
        cache: BlockingCache,
    ) -> None:
        self._session = session
        self._adapter_over = adapter_over
        self._cache = cache
        self._unchanged: dict[str, bool] = {}
        self._state: dict[str, object] = {}

    def asked(self, native: requests.PreparedRequest, keywords: dict[str, Any]) -> PausedRequest | None:
        """A request before it is sent, nothing being looked for yet; None where its adapter has a cache of its own."""
        try:
            adapter = self._adapter_over(native.url or "")
        except requests.exceptions.InvalidSchema:
            return None  # sending says so
        if adapter is None:
            return None
        verify, cert = keywords.get("verify", self._session.verify), keywords.get("cert", self._session.cert)
        proxies: Any = keywords.get("proxies")
        if "proxies" not in keywords:
            # As Session.send merges them.
            proxies = _resolve_proxies(native, self._session.proxies, self._session.trust_env)
        asked = core_request(native, adapter.way(verify, cert, proxies), current_options.get())
        return PausedRequest(asked, None, adapter)

    def look(
        self, before: PausedRequest, native: requests.PreparedRequest, keywords: dict[str, Any]
    ) -> CachedResponse | None:
        """The response if a stored one answers; None to go on.

        :raises Exception: as :meth:`CacheAdapter.send`.
        """
        if any(native.hooks.values()) or not self._comes_through(_host(before.asked)):
            return None
        started = time.perf_counter()
        answer = self._cache.look(before.asked)
        if not isinstance(answer, Answer) or answer.status in REDIRECTS:
            before.begun = answer
            return None
        engine = self._cache.engine
        engine.answered(before.asked, answer)
        facts = AnswerFacts(answer, engine, lambda: native, lambda: self._adapter_over(native.url or ""), started)
        try:
            return stored_response(facts, stream=keywords.get("stream", self._session.stream))
        except BodyGone:
            return None

    def _comes_through(self, host: str) -> bool:
        state = _state_of(self._session)
        if state != self._state:
            self._state = state
            self._unchanged = {host: False for host, same in self._unchanged.items() if not same}
        return self._unchanged.get(host, False)

    @contextmanager
    def watched(self, before: PausedRequest) -> Generator[None]:
        """See whether a request that is sent within comes through as it was: then it goes on where the look ended."""
        asked = before.asked
        came = before.came = []
        token = paused_request.set(before)
        try:
            yield
        finally:
            paused_request.reset(token)
            if came:
                if len(self._unchanged) >= _MOST_HOSTS:
                    self._unchanged.clear()
                host = _host(asked)
                same = all(each == asked for each in came)
                self._unchanged[host] = same and self._unchanged.get(host, True)


_resolve_proxies: Final[Any] = vars(requests.utils)["resolve_proxies"]


def _state_of(session: requests.Session) -> dict[str, object]:
    """The attributes of a session, to be compared; without numbers, which count what is sent."""
    return {
        name: value if isinstance(value, str | bytes | bool) else id(value)
        for name, value in vars(session).items()
        if isinstance(value, bool) or not isinstance(value, int | float)
    }


def _host(asked: Request) -> str:
    return urlsplit(asked.url).netloc
