"""The cache as a transport adapter of requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Unpack

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.util.request import ACCEPT_ENCODING

from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused
from sansio_cache.errors import CacheError, SettingError
from sansio_cache.messages import Request
from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey
from sansio_cache.settings import Settings
from sansio_cache_adapters.cache.background import ALARMS
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.decoding import not_offered
from sansio_cache_adapters.cache.events import Event
from sansio_cache_adapters.cache.keywords import FixedSettings, refuse_unknown
from sansio_cache_adapters.cache.opening import CacheLocation
from sansio_cache_adapters.cache.options import current_options, take_options
from sansio_cache_adapters.cache.setup import Setup, checked_name, set_up, split_policy
from sansio_cache_adapters.cache.stored_responses import StoredResponses
from sansio_cache_adapters.cache.tee import Tee
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven

from .bodies import BodyGone, Left, is_a_miss
from .common import core_request
from .following import sets_cookies
from .lookup import given_response, request_maker
from .paused import paused_request
from .peers import OuterAdapter, Way
from .plain import PLAIN
from .response import AnswerFacts, CachedResponse, adopt, stored_response, take_cookies
from .transfer import Sending, tee_into

__all__ = ["CacheAdapter", "cache_of"]


def cache_of(told: Setup) -> BlockingCache:
    """The cache that a session or an adapter was told to have."""
    return BlockingCache.of(told, not_offered(ACCEPT_ENCODING))


class CacheAdapter(FixedSettings, OuterAdapter):
    """A transport adapter that answers from a cache, or from the adapter below it.

    ``session.mount("https://", CacheAdapter(cache="cache.sqlite"))`` gives an existing session a cache.

    :param inner: the adapter that goes to the network; an ``HTTPAdapter`` if left out.
    :param cache: a path or a store; left out, the user's default cache.
    :param secret_key: signs what is stored.
    :param policy: the settings, or each of them as a keyword.
    :param on_event: is told every decision.
    :param peer: names whom ``inner`` talks to, and as whom: what differs in it shares no entries. Without one, what
        came through a TLS context that would show a client certificate is kept for that context alone.
    :raises SettingError: for a setting of wrong type or value.
    """

    def __init__(
        self,
        inner: BaseAdapter | None = None,
        cache: CacheLocation = None,
        *,
        secret_key: SecretKey | Ungiven = UNGIVEN,
        policy: Policy | None = None,
        on_event: Callable[[Event], object] | None = None,
        peer: str | None = None,
        clock: Callable[[], float] = time.time,
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__()
        keywords: dict[str, Any] = {**settings}
        policy = split_policy(keywords, policy)
        refuse_unknown(
            type(self).__name__,
            keywords,
            "it takes the settings of Policy; what concerns the network is said to inner=HTTPAdapter(…)",
        )
        if inner is not None and not isinstance(inner, BaseAdapter):
            raise SettingError(
                f"inner takes an adapter of requests, such as HTTPAdapter(), not {inner!r}; "
                "the place of the cache is cache=…"
            )
        self.inner: BaseAdapter = HTTPAdapter() if inner is None else inner
        self._owns = True
        self._left = Left()
        self._peer = checked_name(peer)
        self._cache = cache_of(set_up(cache, secret_key, policy, on_event, clock))
        self._made = True

    @classmethod
    def over(cls, cache: BlockingCache, inner: BaseAdapter, peer: str | None = None) -> CacheAdapter:
        """An adapter on a cache that belongs to a session."""
        adapter = cls.__new__(cls)
        BaseAdapter.__init__(adapter)
        adapter.inner = inner
        adapter._owns = False
        adapter._left = Left()
        adapter._peer = peer
        adapter._cache = cache
        return adapter

    @property
    def cache(self) -> StoredResponses:
        """Finds, deletes, verifies and counts what is stored; ``.store`` is the store."""
        # An adapter does not know its session: a URL stands for what a plain one asks for.
        session = PLAIN()
        for prefix in ("https://", "http://"):
            session.mount(prefix, self)
        return StoredResponses(self._cache, request_maker(session, self._peer), given_response)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
        **options: Any,
    ) -> requests.Response:
        """The response to a request, stored or from the network.

        :raises BadSignature: see ``docs/topics/security.md``.
        :raises requests.RequestException: as without a cache.
        """
        current = take_options(options) if options else current_options.get()
        if options:
            raise TypeError(f"send() got an unexpected keyword argument {next(iter(options))!r}")
        token = current_options.set(current)
        try:
            asked, begun = self._asked(request, verify, cert, proxies)
            sending = {"stream": stream, "timeout": timeout, "verify": verify, "cert": cert, "proxies": proxies}
            return self.go_on(request, asked, begun, sending)
        finally:
            current_options.reset(token)

    def way(self, verify: object, cert: object, proxies: Mapping[str, str] | None) -> Way:
        return Way(self.inner, self._peer, verify, cert, proxies)

    def go_on(
        self,
        request: requests.PreparedRequest,
        asked: Request,
        begun: Answer | Paused[Answer] | None,
        sending: Mapping[str, Any],
    ) -> requests.Response:
        """The response to a request for which a look into the store has begun.

        :param asked: the request as the core sees it.
        :param begun: its exchange, paused, or its answer where that does not end it (a redirect); None for neither.
        :param sending: what :meth:`send` takes.
        """
        started = time.perf_counter()
        if self._left.bodies:
            self._left.take()
        stream = sending["stream"]
        transfer = Sending(self.inner, request, asked, sending)
        for last in (False, True):
            delivered = self._cache.answer(asked, transfer, begun)
            answer, response, tee = delivered
            begun = None
            facts = AnswerFacts(answer, self._cache.engine, lambda: request, lambda: self, started, tee)
            if response is not None:
                if tee is not None:
                    tee_into(response, tee, answer.headers, self._left if stream else None)
                    if stream and not tee.done:
                        # A reader that streams may rest. Else the body is read as fast as it comes.
                        ALARMS.after(self._cache.engine.policy.wait_for_body, partial(self._rest, tee))
                return adopt(response, facts, self)
            try:
                return self._stored(facts, transfer, stream=stream)
            except (BodyGone, CacheError) as error:
                # Its record is dropped by now: the next look finds another, or asks the origin.
                if isinstance(error, BodyGone) and last:
                    raise requests.exceptions.ChunkedEncodingError(error, request=request) from error
                if last or not is_a_miss(error, self._cache.engine.policy):
                    raise
        raise AssertionError("unreachable: the last round returns or raises")

    def _asked(
        self, request: requests.PreparedRequest, verify: object, cert: object, proxies: Any
    ) -> tuple[Request, Answer | Paused[Answer] | None]:
        """A request as the core sees it, and what a look into the store has shown of it, if there was one."""
        before = paused_request.get()
        asked = core_request(request, self.way(verify, cert, proxies), current_options.get())
        if before is None:
            return asked, None
        if before.came is not None:
            before.came.append(asked)
        return asked, before.take() if before.adapter is self and before.asked == asked else None

    def _rest(self, tee: Tee) -> None:
        tee.set_free()
        self._left.take()

    def _stored(self, facts: AnswerFacts, transfer: Sending, *, stream: bool) -> CachedResponse:
        response = stored_response(facts, stream=stream)
        response.request = facts.request()
        vars(response)["connection"] = self
        confirmed = transfer.confirmed
        if facts.answer.revalidated and confirmed is not None and sets_cookies(map(str.lower, confirmed.headers)):
            take_cookies(response, confirmed)
        return response

    def __getattr__(self, name: str) -> Any:
        # Attributes of the adapter that the user mounted: max_retries, poolmanager, proxy_manager_for…
        if name == "settings":
            raise AttributeError(self._missing(name))
        if name in ("inner", "_cache", "_left", "_owns", "_peer") or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.inner, name)

    def close(self) -> None:
        """Close the adapter below, and the cache unless it is a session's."""
        self._left.take()
        self.inner.close()
        if self._owns:
            self._cache.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"inner": self.inner, "owns": self._owns, "cache": self._cache, "peer": self._peer}

    def __setstate__(self, state: dict[str, Any]) -> None:
        BaseAdapter.__init__(self)
        self._left = Left()
        self.inner, self._owns, self._cache = state["inner"], state["owns"], state["cache"]
        self._peer = state["peer"]
