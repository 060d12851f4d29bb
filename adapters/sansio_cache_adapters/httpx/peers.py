"""The peer of a transport of httpx2: whom it talks to, as whom, and by which proxy."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

from sansio_cache_adapters.cache.peers import described, part, proxied
from sansio_cache_adapters.cache.tls import of_context
from sansio_cache_adapters.cache.within import within

__all__ = ["Peer"]


class Peer:
    """A description of the transport below: another socket, unverified TLS, other authorities, a proxy.

    :param inner: that transport.
    :param named: what the user says of it (``peer=``).
    :param own: it was made by us, without settings.
    """

    def __init__(self, inner: object, named: str | None, *, own: bool) -> None:
        self._named = named
        self._own = own
        # Users wrap transports in transports of their own, and choose among several.
        found = within(inner, httpx2.BaseTransport, httpx2.AsyncBaseTransport)
        self._pools = [pool for each in found if (pool := getattr(each, "_pool", None)) is not None]
        self._always = [part("named", named), *(part("socket", getattr(pool, "_uds", None)) for pool in self._pools)]
        self._plain = described([*self._always, *(each for pool in self._pools for each in self._proxy(pool))])

    def of(self, request: httpx2.Request) -> str:
        """The description of the peer of a request; ``""`` for the default one."""
        extensions = request.extensions
        # httpx2 sends a target in the place of the URL's path.
        if request.url.scheme not in ("https", "wss"):
            return self._plain if "target" not in extensions else described([self._plain, _target(extensions)])
        parts = [*self._always, *self._tls()]
        name = extensions.get("sni_hostname")
        if name and name != request.url.host:
            parts.append(part("server_hostname", name))
        return described([*parts, _target(extensions)])

    def _tls(self) -> Iterator[str]:
        for pool in self._pools:
            context = getattr(pool, "_ssl_context", None)
            if isinstance(context, ssl.SSLContext):
                yield from of_context(context, named=self._named is not None, plain=self._own)

    def _proxy(self, pool: Any) -> Iterator[str]:
        url: Any = getattr(pool, "_proxy_url", None)
        if url is None:
            return
        fields = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in getattr(pool, "_proxy_headers", ())
        ]
        auth: Any = getattr(pool, "_proxy_auth", None)
        if auth is not None:
            fields.append(("userinfo", repr(auth)))
        host = url.host.decode("latin-1")
        port = "" if url.port is None else f":{url.port}"
        yield proxied(f"{url.scheme.decode('latin-1')}://{host}{port}", fields)
        context = getattr(pool, "_proxy_ssl_context", None)
        if isinstance(context, ssl.SSLContext):
            yield part("proxy_tls", described(of_context(context, named=self._named is not None)))


def _target(extensions: Mapping[str, Any]) -> str:
    return part("target", repr(extensions["target"])) if "target" in extensions else ""
