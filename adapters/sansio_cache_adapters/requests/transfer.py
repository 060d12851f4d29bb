"""How a request goes to the network: through the adapter of requests that the user mounted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from sansio_cache.messages import CONDITIONAL, HTTP_1_1, Headers, Request, headers_of
from sansio_cache_adapters.cache.connection_auth import authenticated
from sansio_cache_adapters.cache.exchange import NativeResponse
from sansio_cache_adapters.cache.tee import Tee
from sansio_cache_adapters.stores.work import do

from .bodies import Left, TeeResponse, whole_at_once
from .connections import adapters
from .following import parted
from .foreign import ForeignTee

__all__ = ["Sending", "bypassed", "tee_into"]


class Sending:
    """Sends one prepared request, with the preconditions that the core wants, through an adapter.

    :param asked: the same as the core has it.
    :ivar confirmed: the response that was given up last: a confirmation, whose cookies are the user's.
    """

    def __init__(
        self, inner: BaseAdapter, prepared: requests.PreparedRequest, asked: Request, sending: Mapping[str, Any]
    ) -> None:
        self._inner = inner
        self._prepared = prepared
        self._asked = asked
        self._sending: dict[str, Any] = {**sending, "stream": True}
        self.confirmed: requests.Response | None = None

    def send(self, request: Request, /) -> NativeResponse[requests.Response]:
        prepared = self._prepared
        changed = {} if request.headers is self._asked.headers else _changed_fields(self._asked, request)
        if changed:
            prepared = parted(prepared)
            for name, value in changed.items():
                if value is None:
                    del prepared.headers[name]
                else:
                    prepared.headers[name] = value
        refusal = adapters.use(self._inner)
        authenticated.sends(self._inner, request)
        response = self._inner.send(prepared, **self._sending)
        if response.request is not prepared:
            # An adapter that proves by itself who asks shows so in what it sent.
            sent: Any = getattr(response.request, "headers", None)
            authenticated.bypassed(self._inner, request.url, () if sent is None else sent.items())
        if changed:
            response.request = self._prepared
        raw: Any = response.raw
        fields = getattr(raw, "headers", None) or response.headers
        headers = headers_of(fields.items())
        version = getattr(raw, "version", None)
        version = version if isinstance(version, int) and 9 <= version <= 99 else HTTP_1_1
        refusal = refusal or authenticated.why_not_kept(self._inner, request, response.status_code, headers)
        return NativeResponse(response.status_code, response.reason or "", headers, response, refusal, version)

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
            tee_into(native, tee, None)
            while native.raw.read(65_536):
                pass
        native.close()

    def detached(self) -> Sending:
        """The same for a later time: the request is the user's, who may change it once they have the response."""
        return Sending(self._inner, self._prepared.copy(), self._asked, self._sending)


def bypassed(adapter_for: Callable[[str], BaseAdapter], response: requests.Response) -> None:
    """Note what a request that went by the cache has done to connections that others will use."""
    for each in (*response.history, response):
        with suppress(Exception):  # adapters of users' own make responses of all kinds
            authenticated.bypassed(adapter_for(each.url), each.url, each.request.headers.items())


def _changed_fields(asked: Request, request: Request) -> dict[str, str | None]:
    """The preconditions that the core has added to the user's request or changed; None for those it has removed."""
    before, after = asked.headers, request.headers
    there = before.names() | after.names()
    return {
        spelled: after.get(name)
        for name, spelled in CONDITIONAL.items()
        if name in there and before.get(name) != after.get(name)
    }


def tee_into(response: requests.Response, tee: Tee, headers: Headers | None, left: Left | None = None) -> None:
    """Let the body of a response go to the store as it is read.

    One that was read already (an adapter that logs bodies), or that does not come from urllib3, is kept only where the
    bytes as received are known.

    :param headers: the response's, as the core has them: given them, a body that is here already is kept at once.
    :param left: takes the body if it is dropped unread.
    """
    raw: Any = response.raw
    content: Any = response._content
    coded = "Content-Encoding" in response.headers
    if content is False and isinstance(raw, HTTPResponse) and not raw.closed:
        whole = None if headers is None else whole_at_once(raw, tee.expected, headers)
        if whole is not None:
            do(tee.take(whole))
        if not tee.done:
            outer: Any = TeeResponse(raw, tee, response.request.method, left)
            response.raw = outer
    elif isinstance(content, bytes) and not coded:
        do(tee.take(content))
    elif content is False and not coded and callable(getattr(raw, "read", None)) and not isinstance(raw, HTTPResponse):
        # It decodes nothing, so what is read of it is what came.
        response.raw = ForeignTee(raw, tee)
    else:
        tee.abandon("decoded" if coded else "raw-not-readable")
