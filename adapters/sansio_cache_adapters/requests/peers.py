"""Whom requests talks to, as whom, and by which proxy: what an adapter and the arguments of ``send`` decide."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final

import requests
import requests.utils
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.utils import select_proxy

from sansio_cache_adapters.cache.environment import watching
from sansio_cache_adapters.cache.peers import described, part, proxied
from sansio_cache_adapters.cache.tls import (
    Authorities,
    Seen,
    alone,
    authorities_of_path,
    authorities_of_pem,
    content_of_path,
    seen,
    state_of_path,
    trusting,
)

__all__ = ["Way", "state_of_environment", "state_of_files"]


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
            proxy = self._proxy(url)
            return described([part("named", self._named), proxy]) if proxy or self._named else ""
        return part("named", self._named)

    def _proxy(self, url: str) -> str:
        proxy = select_proxy(url, self._proxies) if self._proxies else None
        if proxy:
            return _proxied(proxy, self._adapter)
        # An adapter may have a proxy in the place of its pools.
        manager: Any = _manager(self._adapter)
        own: Any = getattr(manager, "proxy", None)
        if own is None:
            return ""
        fields: dict[str, str] = getattr(manager, "proxy_headers", None) or {}
        return proxied(str(own), [*fields.items(), ("userinfo", str(getattr(own, "auth", None)))])

    def _tls(self, prepared: requests.PreparedRequest) -> Iterator[str]:
        pool: Mapping[str, Any] = getattr(_manager(self._adapter), "connection_pool_kw", _NOTHING)
        kind: Any = type(self._adapter)
        if getattr(kind, _CHOOSING, _PLAIN_CHOOSING) is not _PLAIN_CHOOSING:
            pool = {**pool, **self._chosen(prepared)}
        if self._named is None and any(getattr(kind, name, plain) is not plain for name, plain in _HIDING.items()):
            yield alone(self._adapter)
        context: object = pool.get("ssl_context")
        known = seen(context, first=True) if isinstance(context, ssl.SSLContext) else None
        named = list(self._authorities(pool))
        # requests verifies nothing for whatever is false, None included.
        if self._verify:
            yield trusting(*named, *([] if known is None else [known.authorities]))
            yield from [] if known is None else known.flags
        else:
            yield "unverified"
        if context is not None and self._named is None and (known is None or self._hides(known)):
            yield alone(context)
        for name, path in (*zip(_CERTIFICATE, _paths(self._cert), strict=False), *_files(pool)):
            yield part(name, content_of_path(path))
        for name in _NAMES:
            if pool.get(name) is not None:
                yield _said(name, pool[name])

    def _chosen(self, prepared: requests.PreparedRequest) -> dict[str, Any]:
        """What an adapter's own choice of a pool says of TLS."""
        try:
            _, chosen = getattr(self._adapter, _CHOOSING)(prepared, self._verify, self._cert)
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

    def _hides(self, known: Seen) -> bool:
        if known.certificate:
            return True
        # To one that holds nothing, requests adds its own authorities, or those of ``verify=``, as it connects.
        filled = known.bare and getattr(type(self._adapter), "cert_verify", None) is _cert_verify
        return known.unseen and bool(self._verify) and not filled


def _manager(adapter: object, depth: int = 0) -> object:
    """The pools of an adapter, or of the one that it holds where it is a wrapper around another."""
    manager = getattr(adapter, "poolmanager", None)
    if manager is None and depth < _DEEPEST:
        held = [each for each in getattr(adapter, "__dict__", {}).values() if isinstance(each, BaseAdapter)]
        manager = next(filter(None, (_manager(each, depth + 1) for each in held)), None)
    return manager


_DEEPEST: Final = 5


def _proxied(proxy: str, adapter: BaseAdapter | None) -> str:
    makes_fields: Any = getattr(adapter, "proxy_headers", _PLAIN.proxy_headers)
    try:
        whole = str(_with_scheme(proxy, "http"))
        return proxied(whole, makes_fields(whole).items())
    except Exception:
        # Sending will say what is wrong with it; a stored response may still answer those who have it, too.
        return proxied(proxy, [("unreadable", proxy)])


_CHOOSING: Final = "build_connection_pool_key_attributes"
_PLAIN_CHOOSING: Final[Any] = vars(HTTPAdapter).get(_CHOOSING)
_HIDING: Final[dict[str, Any]] = {
    name: vars(HTTPAdapter)[name]
    for name in ("cert_verify", "get_connection_with_tls_context", "get_connection")
    if name in vars(HTTPAdapter)
}
"""What gives a connection its certificates: in an adapter of the user's own it may do anything, and shows nothing."""
_PLAIN: Final = HTTPAdapter()
_with_scheme: Any = vars(requests.utils)["prepend_scheme_if_needed"]
_cert_verify: Any = vars(HTTPAdapter)["cert_verify"]
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


# What a description depends on and does not hold, for requests that are remembered

state_of_environment: Final = watching("REQUEST_METHOD", ending="_proxy")
"""What changes when the environment names another proxy."""


def state_of_files(verify: object, cert: object) -> object:
    """What changes when the files that ``verify`` and ``cert`` name do."""
    if cert is None and (verify is True or not verify):
        return None
    return [state_of_path(path) for path in (*_paths(cert), *([] if not verify or verify is True else [str(verify)]))]
