"""The cache as a transport adapter of requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

from sansio_cache.messages import Headers, Request
from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey

from .blocking import BlockingCache
from .events import Event
from .hop import Response
from .opening import resolve
from .options import current_options, split_policy, take_options
from .requests_bodies import TeeReader, raw_response
from .requests_response import CachedResponse, Facts, adopt, stored_response, take_cookies
from .stores.settings import UNGIVEN, Ungiven
from .tee import Tee

__all__ = ["CacheAdapter", "core_request", "make_cache", "peer_of"]


def make_cache(
    cache: Any,
    secret_key: SecretKey | Ungiven,
    policy: Policy,
    on_event: Callable[[Event], object] | None,
    clock: Callable[[], float],
) -> BlockingCache:
    """The cache of a session or an adapter.

    :raises SettingError: see :func:`~sansio_cache_adapters.opening.resolve`.
    """
    store, sealer = resolve(cache, secret_key)
    return BlockingCache(policy, store, sealer, on_event=on_event, clock=clock, undecodable=_undecodable())


def _undecodable() -> frozenset[str]:
    from urllib3.util.request import ACCEPT_ENCODING

    return frozenset({"br", "zstd"}) - frozenset(ACCEPT_ENCODING.split(","))


def peer_of(url: str, verify: object, cert: object) -> str:
    """What decides whom requests talks to, where it is not the default: it is part of the key."""
    if not url[:6].lower().startswith("https:"):
        return ""
    parts: list[str] = []
    if verify is False:
        parts.append("unverified")
    elif verify not in (True, None):
        parts.append(f"ca={verify}")
    if cert:
        parts.append(f"cert={cert}")
    return ";".join(parts)


def core_request(prepared: requests.PreparedRequest, verify: object, cert: object) -> Request:
    """A prepared request as the core sees it; it is not touched, and its body not consumed."""
    body: Any = prepared.body
    if body is None:
        known: bytes | None = b""
    elif isinstance(body, str):
        known = body.encode()
    else:
        known = body if isinstance(body, bytes) else None
    url = prepared.url or ""
    fields = Headers([(_text(name), _text(value)) for name, value in prepared.headers.items()])
    peer = peer_of(url, verify, cert)
    return Request(prepared.method or "GET", url, fields, known, peer, current_options.get())


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


class CacheAdapter(BaseAdapter):
    """A transport adapter that answers from a cache, or from the adapter below it.

    ``session.mount("https://", CacheAdapter(cache="cache.sqlite"))`` gives an existing session a cache.

    :param inner: the adapter that goes to the network; an ``HTTPAdapter`` if left out.
    :param cache: a path or a store; left out, the user's default cache.
    :param secret_key: signs what is stored.
    :param policy: the settings, or each of them as a keyword.
    :param on_event: is told every decision.
    :raises SettingError: for a setting of wrong type or value.
    """

    def __init__(
        self,
        inner: BaseAdapter | None = None,
        cache: Any = None,
        *,
        secret_key: SecretKey | Ungiven = UNGIVEN,
        policy: Policy | None = None,
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] = time.time,
        **settings: Any,
    ) -> None:
        super().__init__()
        policy = split_policy(settings, policy)
        if settings:
            raise TypeError(f"CacheAdapter() got an unexpected keyword argument {next(iter(settings))!r}")
        self.inner = HTTPAdapter() if inner is None else inner
        self._owns = True
        self._cache = make_cache(cache, secret_key, policy, on_event, clock)

    @classmethod
    def over(cls, cache: BlockingCache, inner: BaseAdapter) -> CacheAdapter:
        """An adapter on a cache that belongs to a session."""
        adapter = cls.__new__(cls)
        BaseAdapter.__init__(adapter)
        adapter.inner = inner
        adapter._owns = False
        adapter._cache = cache
        return adapter

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
        started = time.perf_counter()
        if options:
            current = take_options(options)
            if options:
                raise TypeError(f"send() got an unexpected keyword argument {next(iter(options))!r}")
            token = current_options.set(current)
            try:
                return self.send(request, stream, timeout, verify, cert, proxies)
            finally:
                current_options.reset(token)
        sending = {"timeout": timeout, "verify": verify, "cert": cert, "proxies": proxies}
        transfer = _Transfer(self.inner, request, sending)
        delivered = self._cache.answer(core_request(request, verify, cert), transfer)
        answer, response, tee = delivered
        facts = Facts(answer, self._cache.engine, lambda: request, lambda: self, started)
        if response is None:
            return self._stored(facts, transfer, stream=stream)
        if tee is not None:
            _tee_into(response, tee)
        return adopt(response, facts)

    def _stored(self, facts: Facts, transfer: _Transfer, *, stream: bool) -> CachedResponse:
        response = stored_response(facts, stream=stream)
        response.request = facts.request()
        vars(response)["connection"] = self
        if facts.answer.revalidated and transfer.confirmed is not None:
            take_cookies(response, transfer.confirmed)
        return response

    def close(self) -> None:
        """Close the adapter below, and the cache unless it is a session's."""
        self.inner.close()
        if self._owns:
            self._cache.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"inner": self.inner, "owns": self._owns, "cache": self._cache}

    def __setstate__(self, state: dict[str, Any]) -> None:
        BaseAdapter.__init__(self)
        self.inner, self._owns, self._cache = state["inner"], state["owns"], state["cache"]


class _Transfer:
    """Sends one prepared request, with the validators that the core adds, through an adapter."""

    def __init__(self, inner: BaseAdapter, prepared: requests.PreparedRequest, sending: dict[str, Any]) -> None:
        self._inner = inner
        self._prepared = prepared
        self._sending = sending
        self.confirmed: requests.Response | None = None

    def send(self, request: Request, /) -> Response[requests.Response]:
        prepared = self._prepared
        changed = _added_fields(prepared, request)
        if changed:
            prepared = prepared.copy()
            prepared.headers.update(changed)
        response = self._inner.send(prepared, stream=True, **self._sending)
        response.request = self._prepared
        raw: Any = response.raw
        fields = getattr(raw, "headers", None) or response.headers
        headers = Headers([(_text(name), _text(value)) for name, value in fields.items()])
        return Response(response.status_code, response.reason or "", headers, response)

    def discard(self, native: requests.Response, /) -> None:
        self.confirmed = native
        drain = getattr(native.raw, "drain_conn", None)
        if native.status_code == 304 and drain is not None:
            drain()
        native.close()

    def abort(self, native: requests.Response, /) -> None:
        native.close()

    def drain(self, native: requests.Response, tee: Tee | None, /) -> None:
        if tee is not None:
            _tee_into(native, tee)
            for _ in native.iter_content(65_536):
                pass
        native.close()


def _added_fields(prepared: requests.PreparedRequest, request: Request) -> dict[str, str]:
    """The validators that the core added to the user's request."""
    added: dict[str, str] = {}
    for name in ("If-None-Match", "If-Modified-Since"):
        value = request.headers.get(name.lower())
        if value is not None and _text(prepared.headers.get(name, "")) != value:
            added[name] = value
    return added


def _tee_into(response: requests.Response, tee: Tee) -> None:
    """Put a tee below the decoder of a response; one that is not urllib3's passes unstored."""
    inner: Any = response.raw
    if not isinstance(inner, HTTPResponse):
        tee.abandon()
        return
    outer: Any = raw_response(
        TeeReader(inner, tee),
        headers=inner.headers,
        status=inner.status,
        reason=inner.reason,
        request_method=response.request.method,
        request_url=response.request.url,
        retries=inner.retries,
    )
    outer.version = inner.version
    outer._original_response = getattr(inner, "_original_response", None)
    response.raw = outer
