"""Requests that name a stored response, made as the session of requests would send them."""

from __future__ import annotations

from typing import Any

import requests

from sansio_cache.errors import SettingError
from sansio_cache.messages import NO_OPTIONS, Request
from sansio_cache_adapters.cache.lookup import RequestMaker, as_url, request_like
from sansio_cache_adapters.cache.putting import BODY_GONE, GivenResponse, decoded, no_response

from .common import core_request
from .peers import OuterAdapter, Way

__all__ = ["given_response", "request_maker"]


def request_maker(session: requests.Session, peer: str | None) -> RequestMaker:
    """Makes requests as a session would.

    :param peer: what the user said of whom it talks to.
    """

    def asked(thing: Any, method: str, keywords: dict[str, Any]) -> Request:
        if isinstance(thing, Request):
            return thing
        if isinstance(thing, requests.Response):
            thing = thing.request
        settings = {name: keywords.pop(name, None) for name in ("proxies", "stream", "verify", "cert")}
        for name in ("timeout", "allow_redirects"):
            # These decide nothing of a stored response.
            keywords.pop(name, None)
        url = as_url(thing)
        if url is not None:
            thing = requests.Request(method.upper(), url, **keywords)
        elif not isinstance(thing, requests.Request | requests.PreparedRequest):
            return request_like(thing, keywords)
        prepared = session.prepare_request(thing) if isinstance(thing, requests.Request) else thing
        return _as_sent(session, prepared, settings, peer)

    return asked


def _as_sent(
    session: requests.Session, prepared: requests.PreparedRequest, given: dict[str, Any], peer: str | None
) -> Request:
    url = prepared.url or ""
    settings: Any = session.merge_environment_settings(
        url, given["proxies"] or {}, given["stream"], given["verify"], given["cert"]
    )
    adapter = session.get_adapter(url)
    said = settings["verify"], settings["cert"], settings["proxies"]
    way = adapter.way(*said) if isinstance(adapter, OuterAdapter) else Way(adapter, peer, *said)
    return core_request(prepared, way, NO_OPTIONS)


def given_response(response: object) -> GivenResponse:
    """A response of requests, read, as it is put in.

    :raises SettingError: it is none, or part of its body was given out before.
    """
    if not isinstance(response, requests.Response):
        raise no_response("a requests.Response", response)
    state: Any = response
    if state._content is False and (state._content_consumed or _is_begun(response)):
        # requests would take what is left of it, or nothing, for the whole.
        raise SettingError(BODY_GONE)
    return decoded(response.status_code, response.reason, response.headers.items(), response.content or b"")


def _is_begun(response: requests.Response) -> bool:
    """Whether something of a body was read, or can be read no more."""
    raw = response.raw
    if raw is None or response.status_code == 204 or response.headers.get("Content-Length") == "0":
        return False
    if getattr(raw, "closed", False) or getattr(raw, "chunked", False):
        # Of a chunked body urllib3 does not say how much was read.
        return True
    tell = getattr(raw, "tell", None)
    return callable(tell) and tell() != 0
