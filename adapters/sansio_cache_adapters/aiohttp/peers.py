"""The peer of a request of aiohttp: whom a session's connector and the request have it talk to, and how."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, cast

from aiohttp import BaseConnector, ClientRequest, Fingerprint, TCPConnector
from aiohttp.hdrs import PROXY_AUTHORIZATION

from sansio_cache_adapters.cache.peers import basic, described, hashed, part, proxied
from sansio_cache_adapters.cache.tls import alone, of_context

from .private import connector_tls, default_context

__all__ = ["peer_of"]


def peer_of(request: ClientRequest, named: str | None) -> str:
    """The description of the peer; ``""`` for the default one.

    :param named: what the user says of it (``peer=``).
    """
    session = request.session
    if named is None and type(session.connector) is TCPConnector and request.proxy is None and not request.is_ssl():
        return ""  # nothing of it counts where there is no TLS
    own, socket = connector_tls(session)
    parts = [part("named", named), part("socket", socket)]
    if request.is_ssl():
        parts += _tls(own if request.ssl is True else request.ssl, named)
        if isinstance(own, Fingerprint):
            parts.append(_fingerprint(own))  # looked at whatever the request says
        name = request.server_hostname
        if name and name != request.url.raw_host:
            parts.append(part("server_hostname", name))
    else:
        if request.proxy is not None:
            parts.append(proxied(str(request.proxy.with_user(None)), _said_to_proxy(request)))
        parts.append(_way(request.session.connector, named=named is not None))
    return described(parts)


def _way(connector: BaseConnector | None, *, named: bool) -> str:
    """The proxy of a connector that connects in a way of its own, as those for SOCKS do."""
    if connector is None or not _connects_otherwise(connector):
        return ""
    said = {name: value for name, value in vars(connector).items() if "proxy" in name}
    if said and all(map(_is_plain, said.values())):
        kind = type(connector)
        return part("connector", hashed(kind.__module__, kind.__qualname__, *map(repr, sorted(said.items()))))
    return "" if named else alone(connector)


_CONNECTING: Final = ("_create_connection", "_create_direct_connection", "_wrap_create_connection")


def _connects_otherwise(connector: BaseConnector) -> bool:
    kind = type(connector)
    return kind is not TCPConnector and any(
        name in vars(each)
        for each in kind.__mro__
        if each.__module__.partition(".")[0] != "aiohttp"
        for name in _CONNECTING
    )


def _is_plain(value: object) -> bool:
    """Whether a value shows all that it says."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, cast(Any, value)))
    return value is None or isinstance(value, str | int | Enum)


def _tls(setting: object, named: str | None) -> list[str]:
    if setting is True:
        context = default_context()
        return [] if context is None else of_context(context, named=True, plain=True)
    if isinstance(setting, Fingerprint):
        return ["unverified", _fingerprint(setting)]
    if isinstance(setting, ssl.SSLContext):
        return of_context(setting, named=named is not None)
    return ["unverified"]


def _fingerprint(setting: Fingerprint) -> str:
    return part("fingerprint", setting.fingerprint.hex())


def _said_to_proxy(request: ClientRequest) -> Iterator[tuple[str, str]]:
    headers: Any = request.proxy_headers or {}
    yield from ((str(name), str(value)) for name, value in headers.items())
    auth: Any = request.proxy_auth
    if auth is not None:
        yield PROXY_AUTHORIZATION, auth.encode()
    elif request.proxy is not None and (request.proxy.user or request.proxy.password):
        yield PROXY_AUTHORIZATION, basic(request.proxy.user or "", request.proxy.password or "")
