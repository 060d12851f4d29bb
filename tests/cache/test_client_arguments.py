"""The list of what decides whose answer it is names every argument that the installed clients have."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import aiohttp
import httpx2
import pytest
import requests
from client_arguments import CLIENT_ARGUMENTS, Decides
from requests.adapters import HTTPAdapter
from urllib3.poolmanager import PoolKey

from sansio_cache.keys import KeyMaker
from sansio_cache.messages import Headers, Request
from sansio_cache.policy import ALIASES, SETTINGS, Policy
from sansio_cache_adapters.trio.http.client import HTTPSession, RequestOptions


def parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self", "kwargs"}


FOUND: dict[str, set[str]] = {
    "requests.Session.request": parameters(requests.Session.request),
    "requests.Session": set(requests.Session.__attrs__),
    "requests.adapters.HTTPAdapter.send": parameters(HTTPAdapter.send),
    "urllib3.poolmanager.PoolKey": {name.removeprefix("key_") for name in PoolKey._fields},
    "aiohttp.ClientSession.request": parameters(aiohttp.ClientSession._request),
    "aiohttp.ClientSession": parameters(aiohttp.ClientSession.__init__),
    "aiohttp.TCPConnector": parameters(aiohttp.TCPConnector.__init__) | parameters(aiohttp.BaseConnector.__init__),
    "aiohttp.UnixConnector": parameters(aiohttp.UnixConnector.__init__),
    "httpx2.Request": parameters(httpx2.Request.__init__),
    "httpx2.HTTPTransport": parameters(httpx2.HTTPTransport.__init__) | parameters(httpx2.AsyncHTTPTransport.__init__),
    "httpx2.Proxy": parameters(httpx2.Proxy.__init__),
    "TrioCachedSession.request": {"method", "url", *RequestOptions.__annotations__},
    "TrioCachedSession": parameters(HTTPSession.__init__),
}
"""By what each place can be told anything, as the clients that are installed have it."""
NOTHING = Decides.NOTHING
PLACES = {each.place: each for each in CLIENT_ARGUMENTS}


@pytest.mark.parametrize("place", FOUND)
def test_every_argument_is_listed(place: str) -> None:
    """G9, G10: an argument that a new version of a client brings is thought about before it is green again."""
    assert FOUND[place] - PLACES[place].all() == set()


def test_what_decides_something_does_not_decide_nothing() -> None:
    """And every place that can be looked at is."""
    for place in CLIENT_ARGUMENTS:
        deciding = {
            name for what, names in place.names.items() if what is not Decides.NOTHING for name in names.split()
        }
        assert deciding.isdisjoint(place.names.get(NOTHING, "").split()), place.place
    assert PLACES.keys() - FOUND.keys() == {"environment", "every session, adapter, middleware and transport"}


def test_our_own_settings_that_shape_keys_are_listed() -> None:
    """What is given to a session beside the settings of its client."""
    own = PLACES["every session, adapter, middleware and transport"].all()
    shaping = {name for name in SETTINGS - set(ALIASES) if shapes_keys(name)}
    assert own == shaping | {"peer"}


def shapes_keys(name: str) -> bool:
    values: dict[str, Any] = {
        "ignored_parameters": ["a"], "match_headers": ["A"], "identity": ["A"], "shared": True, "namespace": "n",
        "key_fn": lambda _: "", "filter_fn": lambda _: True, "allowed_methods": ["GET"], "allowed_codes": [200],
        "urls_expire_after": {"*": 1}, "on_bad_signature": "miss", "body_digest": "sha256",
    }  # fmt: skip
    default = {each.name: each.default for each in dataclasses.fields(Policy)}[name]
    value = values.get(name, not default if isinstance(default, bool) else 7)
    asked = Request("GET", "http://x/?a=1", Headers([("A", "1")]))
    made = [KeyMaker(policy, bytes(32)).keys(asked) for policy in (Policy(), Policy(**{name: value}))]
    return made[0] != made[1]
