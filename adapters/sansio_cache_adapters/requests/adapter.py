"""The cache as a transport adapter of requests."""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.structures import CaseInsensitiveDict

from sansio_cache.errors import CacheError, SettingError
from sansio_cache.messages import Headers, Options, Request
from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey
from sansio_cache_adapters.cache.background import ALARMS
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.events import Event
from sansio_cache_adapters.cache.keywords import FixedSettings, refuse_unknown
from sansio_cache_adapters.cache.opening import resolve
from sansio_cache_adapters.cache.options import current_options, split_policy, take_options
from sansio_cache_adapters.cache.tee import Tee
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven

from .bodies import BodyGone, Left, is_a_miss
from .response import CachedResponse, Facts, adopt, stored_response, take_cookies
from .transfer import Sending, tee_into

__all__ = ["CacheAdapter", "core_request", "items_of", "make_cache", "passing"]

passing: ContextVar[list[Request] | None] = ContextVar("sansio_cache_passing", default=None)
"""Where the requests that come to the adapters are noted, if anywhere."""


def make_cache(
    cache: Any,
    secret_key: SecretKey | Ungiven,
    policy: Policy,
    on_event: Callable[[Event], object] | None,
    clock: Callable[[], float],
) -> BlockingCache:
    """The cache of a session or an adapter.

    :raises SettingError: see :func:`~sansio_cache_adapters.cache.opening.resolve`.
    """
    store, sealer = resolve(cache, secret_key)
    return BlockingCache(policy, store, sealer, on_event=on_event, clock=clock, undecodable=_undecodable())


def _undecodable() -> frozenset[str]:
    from urllib3.util.request import ACCEPT_ENCODING

    return frozenset({"br", "zstd"}) - frozenset(ACCEPT_ENCODING.split(","))


def peer_of(url: str, verify: object, cert: object, adapter: BaseAdapter | None) -> str:
    """What decides whom requests talks to, where it is not the default: it is part of the key."""
    if not url[:6].lower().startswith("https:"):
        return ""
    parts: list[str] = []
    # requests verifies nothing for whatever is false, None included.
    if not verify:
        parts.append("unverified")
    elif verify is not True:
        parts.append(f"ca={verify}")
    if cert:
        parts.append(f"cert={cert}")
    manager = getattr(adapter, "poolmanager", None)
    pool: Mapping[str, object] = getattr(manager, "connection_pool_kw", _NOTHING)
    parts += [f"{name}={pool[name]}" for name in _TLS_SETTINGS if pool.get(name) is not None]
    context = pool.get("ssl_context")
    if isinstance(context, ssl.SSLContext):
        parts.append(_context(context))
    return ";".join(parts)


_NOTHING: Final[Mapping[str, object]] = {}
_TLS_SETTINGS: Final = (
    *("cert_reqs", "ca_certs", "ca_cert_dir", "ca_cert_data", "cert_file", "key_file"),
    *("assert_hostname", "assert_fingerprint", "server_hostname"),
)


_contexts: WeakKeyDictionary[ssl.SSLContext, str] = WeakKeyDictionary()


def _context(context: ssl.SSLContext) -> str:
    """What an adapter's own TLS context decides, as first seen: urllib3 adds to it as it connects.

    A client certificate that was loaded into it cannot be seen.
    """
    known = _contexts.get(context)
    if known is None:
        known = _contexts[context] = _describe(context)
    return known


def _describe(context: ssl.SSLContext) -> str:
    if context.verify_mode is not ssl.CERT_REQUIRED:
        return "context=unverified"
    try:
        authorities = sorted(context.get_ca_certs(binary_form=True))
    except NotImplementedError:
        # A look-alike that leaves verifying to the system (truststore).
        return "context=system"
    hashed = hashlib.sha256(b"".join(authorities)).hexdigest()
    return f"context={hashed}{'' if context.check_hostname else ',any-host'}"


def core_request(
    prepared: requests.PreparedRequest, verify: object, cert: object, adapter: BaseAdapter | None, options: Options
) -> Request:
    """A prepared request as the core sees it; it is not touched, and its body not consumed.

    :param adapter: the one that would send it.
    """
    body: Any = prepared.body
    if body is None:
        known: bytes | None = b""
    elif isinstance(body, str):
        known = body.encode()
    else:
        known = body if isinstance(body, bytes) else None
    url = prepared.url or ""
    fields = Headers(
        # Nearly all are str already.
        [
            (name if type(name) is str else _text(name), value if type(value) is str else _text(value))
            for name, value in items_of(prepared.headers)
        ]
    )
    peer = peer_of(url, verify, cert, adapter)
    return Request(prepared.method or "", url, fields, known, peer, options)


def items_of(headers: Any) -> Iterable[tuple[Any, Any]]:
    """``headers.items()``, which of requests' own mapping take ten times as long."""
    kind = cast(object, type(headers))
    found: Iterable[tuple[Any, Any]] = headers._store.values() if kind is CaseInsensitiveDict else headers.items()
    return found


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


class CacheAdapter(FixedSettings, BaseAdapter):
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
        refuse_unknown(type(self).__name__, settings)
        if inner is not None and not isinstance(inner, BaseAdapter):
            raise SettingError(
                f"inner takes an adapter of requests, such as HTTPAdapter(), not {inner!r}; "
                "the place of the cache is cache=…"
            )
        self.inner = HTTPAdapter() if inner is None else inner
        self._owns = True
        self._left = Left()
        self._cache = make_cache(cache, secret_key, policy, on_event, clock)
        self._made = True

    @classmethod
    def over(cls, cache: BlockingCache, inner: BaseAdapter) -> CacheAdapter:
        """An adapter on a cache that belongs to a session."""
        adapter = cls.__new__(cls)
        BaseAdapter.__init__(adapter)
        adapter.inner = inner
        adapter._owns = False
        adapter._left = Left()
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
        if options:
            current = take_options(options)
            if options:
                raise TypeError(f"send() got an unexpected keyword argument {next(iter(options))!r}")
            token = current_options.set(current)
            try:
                return self._send(request, stream, timeout, verify, cert, proxies)
            finally:
                current_options.reset(token)
        return self._send(request, stream, timeout, verify, cert, proxies)

    def _send(
        self, request: requests.PreparedRequest, stream: bool, timeout: Any, verify: Any, cert: Any, proxies: Any
    ) -> requests.Response:
        started = time.perf_counter()
        self._left.take()
        sending = {"timeout": timeout, "verify": verify, "cert": cert, "proxies": proxies}
        transfer = Sending(self.inner, request, sending)
        asked = core_request(request, verify, cert, self.inner, current_options.get())
        came = passing.get()
        if came is not None:
            came.append(asked)
        for last in (False, True):
            delivered = self._cache.answer(asked, transfer)
            answer, response, tee = delivered
            facts = Facts(answer, self._cache.engine, lambda: request, lambda: self, started, tee)
            if response is not None:
                if tee is not None:
                    tee_into(response, tee, self._left if stream else None)
                    if stream and not tee.done:
                        # Whoever streams may take a rest. Else the body is read as fast as it comes.
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

    def _rest(self, tee: Tee) -> None:
        tee.set_free()
        self._left.take()

    def _stored(self, facts: Facts, transfer: Sending, *, stream: bool) -> CachedResponse:
        response = stored_response(facts, stream=stream)
        response.request = facts.request()
        vars(response)["connection"] = self
        if facts.answer.revalidated and transfer.confirmed is not None:
            take_cookies(response, transfer.confirmed)
        return response

    def __getattr__(self, name: str) -> Any:
        # What users ask of the adapter that they mounted: max_retries, poolmanager, proxy_manager_for…
        if name == "settings":
            raise AttributeError(self._missing(name))
        if name in ("inner", "_cache", "_left", "_owns") or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.inner, name)

    def close(self) -> None:
        """Close the adapter below, and the cache unless it is a session's."""
        self._left.take()
        self.inner.close()
        if self._owns:
            self._cache.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"inner": self.inner, "owns": self._owns, "cache": self._cache}

    def __setstate__(self, state: dict[str, Any]) -> None:
        BaseAdapter.__init__(self)
        self._left = Left()
        self.inner, self._owns, self._cache = state["inner"], state["owns"], state["cache"]
