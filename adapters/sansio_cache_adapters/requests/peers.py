"""The peer of a request of requests: whom an adapter and the arguments of ``send`` have it talk to, and how."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from operator import is_
from typing import Any, Final

import requests
import requests.sessions
import requests.utils
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.utils import select_proxy

from sansio_cache_adapters.cache.environment import watching
from sansio_cache_adapters.cache.peers import described, hashed, part, proxied
from sansio_cache_adapters.cache.tls import (
    Authorities,
    SeenContext,
    alone,
    authorities_of_path,
    authorities_of_pem,
    content_of_path,
    seen,
    state_of_path,
    trusting,
)
from sansio_cache_adapters.cache.within import within

__all__ = ["OuterAdapter", "Way", "state_of_environment", "state_of_files"]


class Way:
    """How a request would go to the network.

    :param adapter: the one that would send it; None where that is not known.
    :param named: what the user says of whom it talks to, and as whom (``peer=``).
    :param verify: this and the following as ``HTTPAdapter.send`` takes them.
    """

    __slots__ = ("_adapter", "_cert", "_named", "_proxies", "_verify")

    def __init__(
        self,
        adapter: BaseAdapter | None,
        named: str | None,
        verify: object,
        cert: object,
        proxies: Mapping[str, str] | None,
    ) -> None:
        self._adapter = adapter
        self._named = named
        self._verify = verify
        self._cert = cert
        self._proxies = proxies

    def peer(self, prepared: requests.PreparedRequest) -> str:
        """The description of a request's peer; ``""`` for the default one."""
        url = prepared.url or ""
        start = url[:6].lower()
        if start == "https:":
            return described([part("named", self._named), *self._tls(prepared)])
        if start.startswith("http:"):
            way = self._way(url)
            return described([part("named", self._named), *way]) if way or self._named else ""
        return part("named", self._named)

    def _way(self, url: str) -> list[str]:
        """The proxy, or what may be one."""
        adapters = _within(self._adapter)
        way: list[str] = []
        if self._named is None:
            way += [alone(each) for each in adapters if _is_changed(each, _CONNECTING)]
        proxy = self._proxy(url)
        for each in adapters:
            way += _given_proxy(proxy, each) if proxy else _own_proxy(_manager(each))
        return way

    def _proxy(self, url: str) -> str | None:
        return select_proxy(url, self._proxies) if self._proxies else None

    def _tls(self, prepared: requests.PreparedRequest) -> Iterator[str]:
        if not self._verify:
            # requests verifies nothing for whatever is false, None included.
            yield "unverified"
        for name, path in zip(_CERTIFICATE, _paths(self._cert), strict=False):
            yield part(name, content_of_path(path))
        for each in _within(self._adapter):
            yield from self._tls_of(each, prepared)

    def _tls_of(self, adapter: BaseAdapter | None, prepared: requests.PreparedRequest) -> Iterator[str]:
        manager = _manager(adapter, self._proxy(prepared.url or ""))
        pool: Mapping[str, Any] = getattr(manager, "connection_pool_kw", _NOTHING)
        if _is_changed(adapter, _CHOOSING):
            pool = {**pool, **self._chosen(adapter, prepared)}
        if self._named is None and _is_changed(adapter, _HIDING):
            yield alone(adapter)
        context: object = pool.get("ssl_context")
        known = seen(context, first=True) if isinstance(context, ssl.SSLContext) else None
        named = list(self._authorities(pool))
        if self._verify:
            yield trusting(*named, *([] if known is None else [known.authorities]))
            yield from [] if known is None else known.flags
        if context is not None and self._named is None and (known is None or self._hides(known, adapter)):
            yield alone(context)
        for name, path in _files(pool):
            yield part(name, content_of_path(path))
        for name in _NAMES:
            if pool.get(name) is not None:
                yield _said(name, pool[name])

    def _chosen(self, adapter: Any, prepared: requests.PreparedRequest) -> dict[str, Any]:
        """The TLS settings in an adapter's own choice of a pool."""
        try:
            _, chosen = adapter.build_connection_pool_key_attributes(prepared, self._verify, self._cert)
            return dict(chosen)
        except Exception:
            return {}  # sending will say what is wrong

    def _authorities(self, pool: Mapping[str, Any]) -> Iterator[Authorities]:
        for path in (self._verify, pool.get("ca_certs"), pool.get("ca_cert_dir")):
            if path and path is not True:
                yield authorities_of_path(str(path))
        data = pool.get("ca_cert_data")
        if data:
            yield authorities_of_pem(data.encode() if isinstance(data, str) else data)

    def _hides(self, known: SeenContext, adapter: BaseAdapter | None) -> bool:
        if known.certificate:
            return True
        # To one that holds nothing, requests adds its own authorities, or those of ``verify=``, as it connects.
        filled = known.bare and isinstance(adapter, HTTPAdapter) and not _is_changed(adapter, ("cert_verify",))
        return known.unseen and bool(self._verify) and not filled


class OuterAdapter(BaseAdapter):
    """An adapter above another: it knows how a request goes to the network."""

    def way(self, verify: object, cert: object, proxies: Mapping[str, str] | None) -> Way:
        """How a request with these arguments of ``send`` would go to the network."""
        raise NotImplementedError


def _within(adapter: BaseAdapter | None) -> list[BaseAdapter | None]:
    """An adapter and those that it holds, where it is a wrapper around others or chooses among them."""
    return [adapter] if type(adapter) is HTTPAdapter else within(adapter, BaseAdapter)


def _manager(adapter: Any, proxy: str | None = None) -> object:
    """The pools of an adapter, or those that it makes in a way of its own for a proxy."""
    if proxy and _is_changed(adapter, _MANAGING):
        with suppress(Exception):  # sending will say what is wrong with it
            return adapter.proxy_manager_for(_with_scheme(proxy, "http"))
    return getattr(adapter, "poolmanager", None)


def _own_proxy(manager: object) -> list[str]:
    """The proxy that an adapter has in the place of its pools."""
    own: Any = getattr(manager, "proxy", None)
    if own is not None:
        fields: dict[str, str] = getattr(manager, "proxy_headers", None) or {}
        return [proxied(str(own), [*fields.items(), ("userinfo", str(getattr(own, "auth", None)))])]
    pool: Mapping[str, Any] = getattr(manager, "connection_pool_kw", _NOTHING)
    socks: Mapping[str, Any] | None = pool.get("_socks_options")
    return [part("socks", hashed(*(f"{name}:{socks[name]}" for name in sorted(socks))))] if socks else []


def _is_changed(adapter: object, names: Iterable[str]) -> bool:
    """Whether an adapter of the user's own does any of these in another way."""
    kind = type(adapter)
    return kind is not HTTPAdapter and any(getattr(kind, name, _PLAINLY[name]) is not _PLAINLY[name] for name in names)


def _given_proxy(proxy: str, adapter: BaseAdapter | None) -> list[str]:
    """The proxy that a request names, and what an adapter tells it."""
    if _is_changed(adapter, _MANAGING):
        manager = _manager(adapter, proxy)
        made: Any = getattr(manager, "proxy", None)
        if made is not None:
            return [proxied(str(made), dict(getattr(manager, "proxy_headers", None) or {}).items())]
        return [_proxied(proxy, adapter), *_own_proxy(manager)]
    return [_proxied(proxy, adapter)]


def _proxied(proxy: str, adapter: BaseAdapter | None) -> str:
    makes_fields: Any = getattr(adapter, "proxy_headers", _PLAIN.proxy_headers)
    try:
        whole = str(_with_scheme(proxy, "http"))
        return proxied(whole, makes_fields(whole).items())
    except Exception:
        # Sending will say what is wrong with it; a stored response may still answer those who have it, too.
        return proxied(proxy, [("unreadable", proxy)])


_MANAGING: Final = ("proxy_manager_for",)
_CHOOSING: Final = ("build_connection_pool_key_attributes",)
_CONNECTING: Final = ("get_connection_with_tls_context", "get_connection")
"""Methods that choose the connection: those of a user's own adapter may go anywhere, by any proxy, unseen."""
_HIDING: Final = ("cert_verify", *_CONNECTING)
"""Methods that give a connection its certificates."""
_PLAINLY: Final[dict[str, Any]] = {name: vars(HTTPAdapter).get(name) for name in (*_MANAGING, *_CHOOSING, *_HIDING)}
_PLAIN: Final = HTTPAdapter()
_with_scheme: Any = vars(requests.utils)["prepend_scheme_if_needed"]
_NOTHING: Final[Mapping[str, Any]] = {}
_CERTIFICATE: Final = ("certificate", "key")
_NAMES: Final = ("cert_reqs", "assert_hostname", "assert_fingerprint", "server_hostname")


def _paths(cert: Any) -> list[str]:
    """The files of ``cert=``: of certificate and key, or of both in one."""
    if not cert:
        return []
    given: list[Any] = [cert] if isinstance(cert, str | os.PathLike) else list(cert)
    return [str(each) for each in given if each is not None]


def _files(pool: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, key in zip(_CERTIFICATE, ("cert_file", "key_file"), strict=True):
        if pool.get(key):
            yield name, str(pool[key])


def _said(name: str, value: object) -> str:
    if name == "assert_hostname" and value is False:
        return "any-name"
    if name == "assert_fingerprint":
        return part("fingerprint", str(value).replace(":", "").lower())
    return "" if value in ("CERT_REQUIRED", ssl.CERT_REQUIRED) else part(name, value)


# Values that a description depends on and does not hold, for requests that are remembered

state_of_environment: Final = watching("REQUEST_METHOD", ending="_proxy")
"""A value that changes when the environment names another proxy."""


def only_the_environment_names_proxies() -> bool:
    """Whether all that requests knows of proxies is in the environment and in its own settings.

    macOS and Windows have settings of theirs, and a program may put something else in the place of these functions.
    """
    return _ENVIRONMENT_ALONE and all(map(is_, map(_utils.get, _ASKED), _KNOWN)) and _sessions[_ASKED[0]] is _KNOWN[0]


_utils: Final = vars(requests.utils)
_sessions: Final = vars(requests.sessions)
_ASKED: Final = ("get_environ_proxies", "should_bypass_proxies", "getproxies", "proxy_bypass")
_KNOWN: Final = [_utils.get(name) for name in _ASKED]
_ENVIRONMENT_ALONE: Final = _KNOWN[2:] == [_utils.get("getproxies_environment"), _utils.get("proxy_bypass_environment")]


def state_of_files(verify: object, cert: object) -> object:
    """A value that changes with the files that ``verify`` and ``cert`` name."""
    if cert is None and (verify is True or not verify):
        return None
    return [state_of_path(path) for path in (*_paths(cert), *([] if not verify or verify is True else [str(verify)]))]
