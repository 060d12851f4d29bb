"""G10: two users of one proxy share no answer that the proxy could see; nor do a user and a request without one."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import pytest
import requests
import urllib3
from aiohttp import BasicAuth
from ask_clients import Ask, ask
from local_origin import Origin, Seen, fresh
from requests.adapters import HTTPAdapter

from sansio_cache import CachedSession, MemoryStore

pytestmark = [
    pytest.mark.filterwarnings("ignore:The 'proxy_auth' parameter:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
]
URL = "http://intranet.example/a"


def who(seen: Seen) -> Any:
    """A page for whom the proxy takes the user for."""
    _, _, code = (seen.get("proxy-authorization") or "").partition(" ")
    name = base64.b64decode(code).decode().partition(":")[0] if code else "nobody"
    return fresh(name.encode())


@pytest.fixture
def proxy(origin: Origin) -> str:
    """A proxy that answers for the URL by itself, as each user would have it."""
    origin.on(URL, who)
    return origin.url("")


@pytest.fixture(autouse=True)
def no_other_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def as_user(proxy: str, user: str) -> str:
    return proxy.replace("//", f"//{user}:pw@") if user else proxy


def field(user: str) -> dict[str, str]:
    return {"Proxy-Authorization": "Basic " + base64.b64encode(f"{user}:pw".encode()).decode()} if user else {}


class Telling(HTTPAdapter):
    """An adapter that has more to tell its proxies."""

    def __init__(self, user: str) -> None:
        self._user = user
        super().__init__()

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        return field(self._user)


class Making(HTTPAdapter):
    """An adapter that makes the pools for its proxies itself."""

    def __init__(self, user: str) -> None:
        self._user = user
        super().__init__()

    def proxy_manager_for(self, proxy: str, **keywords: Any) -> Any:
        return self.proxy_manager.setdefault(proxy, urllib3.ProxyManager(proxy, proxy_headers=field(self._user)))


Said = tuple[dict[str, Any], dict[str, Any], dict[str, str]]
"""The settings of session and request, and the environment."""
WAYS: dict[str, tuple[str, Callable[[str, str], Said]]] = {
    "requests proxies=": ("requests", lambda at, user: ({}, {"proxies": {"http": as_user(at, user)}}, {})),
    "requests by host": (
        "requests",
        lambda at, user: ({}, {"proxies": {"http://intranet.example": as_user(at, user)}}, {}),
    ),
    "requests session.proxies": (
        "requests",
        lambda at, user: ({"own": {"proxies": {"all": as_user(at, user)}}}, {}, {}),
    ),
    "requests http_proxy": ("requests", lambda at, user: ({}, {}, {"http_proxy": as_user(at, user)})),
    "requests ALL_PROXY": ("requests", lambda at, user: ({}, {}, {"ALL_PROXY": as_user(at, user)})),
    "requests proxy_headers": (
        "requests",
        lambda at, user: ({"adapter": Telling(user)}, {"proxies": {"http": at}}, {}),
    ),
    "requests proxy_manager_for": (
        "requests",
        lambda at, user: ({"adapter": Making(user)}, {"proxies": {"http": at}}, {}),
    ),
    "aiohttp proxy=": ("aiohttp", lambda at, user: ({}, {"proxy": as_user(at, user)}, {})),
    "aiohttp proxy_auth=": (
        "aiohttp",
        lambda at, user: ({}, {"proxy": at, "proxy_auth": BasicAuth(user, "pw") if user else None}, {}),
    ),
    "aiohttp proxy_headers=": (
        "aiohttp",
        # It renames this one for proxies of plain requests.
        lambda at, user: (
            {},
            {"proxy": at, "proxy_headers": {name.removeprefix("Proxy-"): value for name, value in field(user).items()}},
            {},
        ),
    ),
    "aiohttp session": ("aiohttp", lambda at, user: ({"proxy": as_user(at, user)}, {}, {})),
    "aiohttp trust_env": ("aiohttp", lambda at, user: ({"trust_env": True}, {}, {"HTTP_PROXY": as_user(at, user)})),
    **{
        f"{client} {name}": (client, made)
        for client in ("httpx", "httpx-async")
        for name, made in (
            ("proxy=", lambda at, user: ({"inner": {"proxy": as_user(at, user)}}, {}, {})),
            (
                "Proxy(auth=)",
                lambda at, user: ({"inner": {"proxy": httpx2.Proxy(at, auth=(user, "pw") if user else None)}}, {}, {}),
            ),
            ("Proxy(headers=)", lambda at, user: ({"inner": {"proxy": httpx2.Proxy(at, headers=field(user))}}, {}, {})),
        )
    },
}
USERS = ["ann", "bob", "", "ann", "bob", ""]


@pytest.mark.parametrize("way", WAYS)
def test_users_of_a_proxy_do_not_meet(way: str, proxy: str, origin: Origin) -> None:
    """G10: each has a page of their own, and gets it again."""
    client, said = WAYS[way]
    store = MemoryStore()
    got: list[tuple[str, bool]] = []
    for user in USERS:
        session, request, environment = said(proxy, user)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            [one] = ask(client, store, Ask(URL, said=request), **session)
        got.append((one.text, one.from_cache))
    assert got == [(user or "nobody", number >= 3) for number, user in enumerate(USERS)]
    assert origin.count() == 3


def test_ways_to_name_one_user_of_a_proxy_meet(proxy: str, origin: Origin) -> None:
    """G10: whatever the client."""
    store = MemoryStore()
    for client, said in WAYS.values():
        session, request, environment = said(proxy, "ann")
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            assert ask(client, store, Ask(URL, said=request), **session)[0].text == "ann"
    # aiohttp renames a field on its way: that one is described in words of its own.
    assert origin.count() == 2


def test_in_one_session_of_requests(proxy: str, monkeypatch: pytest.MonkeyPatch, origin: Origin) -> None:
    """G10: for a request that is remembered, too, when the environment or the session changes under it."""
    origin.on(URL.replace("/a", "/b"), who)
    with CachedSession(MemoryStore()) as session:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            for user in ("ann", "bob"):
                for _ in range(2):
                    monkeypatch.setenv(name, as_user(proxy, user))
                    assert session.get(URL).text == user
            monkeypatch.delenv(name)
        for user in ("bob", "ann"):
            session.proxies["http"] = as_user(proxy, user)
            assert session.get(URL).text == user
            assert session.get(URL).from_cache
        session.trust_env = False
        assert session.get(URL).from_cache
        session.proxies.clear()
        with pytest.raises(requests.ConnectionError):
            session.get(URL)


def test_a_host_that_needs_no_proxy(origin: Origin, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy that would be used is none where ``no_proxy`` says so."""
    url = origin.on("/direct", fresh(b"direct"))
    with CachedSession(MemoryStore()) as session:
        session.get(url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        assert session.get(url).from_cache
        monkeypatch.setenv("no_proxy", "example.org")
        with pytest.raises(requests.exceptions.ProxyError):
            session.get(url)


def test_tls_goes_through_a_proxy_unseen(tls_origin: Origin, certificates: Any) -> None:
    """A proxy of an https URL is no part of its key: it only carries."""
    url = tls_origin.on("/a", fresh(b"x"))
    with CachedSession(MemoryStore()) as session:
        session.verify = certificates.bundle
        session.get(url)
        assert session.get(url, proxies={"https": "http://ann:pw@127.0.0.1:1"}).from_cache


def test_no_secret_of_a_proxy_is_kept(proxy: str, tmp_path: Path, key: str) -> None:
    """G10, G26: only an HMAC under the salt of the store, so that the same user has another key elsewhere."""
    partitions: set[bytes] = set()
    for number in range(2):
        path = tmp_path / f"{number}.sqlite"
        ask("requests", str(path), Ask(URL, said={"proxies": {"http": as_user(proxy, "ann")}}), secret_key=key)
        with closing(sqlite3.connect(path)) as database:
            [[partition]] = database.execute("SELECT partition FROM records").fetchall()
        partitions.add(partition)
        for each in tmp_path.glob("*.sqlite*"):
            assert b"ann:pw" not in each.read_bytes()
            assert base64.b64encode(b"ann:pw") not in each.read_bytes()
    assert len(partitions) == 2


def test_aiohttps_fast_path_knows_its_proxy(proxy: str, origin: Origin) -> None:
    """G10: a session with a proxy remembers what it has asked with it."""
    store = MemoryStore()
    for user in ("ann", "bob"):
        got = ask("aiohttp", store, *[Ask(URL)] * 3, proxy=as_user(proxy, user))
        assert [(each.text, each.from_cache) for each in got] == [(user, False), (user, True), (user, True)]
    assert origin.count() == 2


class Through(aiohttp.TCPConnector):
    """A connector that goes by a proxy of its own, as those for SOCKS do."""

    def __init__(self, at: Origin, **more: Any) -> None:
        super().__init__()
        self._proxy_port = at.port
        vars(self).update(more)

    async def _create_connection(self, *_: Any) -> Any:
        made: Any = await asyncio.get_running_loop().create_connection(self._factory, "127.0.0.1", self._proxy_port)
        return made[1]


@pytest.mark.parametrize("shown", [True, False])
def test_connectors_that_go_another_way_do_not_meet(shown: bool, origin: Origin) -> None:
    """G10: by the proxy that they show; one that shows none keeps its answers to itself, unless the user names it."""
    store, other = MemoryStore(), Origin()
    more = {} if shown else {"_proxy": object()}
    try:
        for each, user in ((origin, "ann"), (other, "bob")):
            each.on("/a", fresh(user.encode()))
        told = [
            ask("aiohttp", store, Ask(URL), connector=lambda at=at: Through(at, **more))[0]
            for at in (origin, other, origin, other)
        ]
        assert [each.text for each in told] == ["ann", "bob", "ann", "bob"]
        assert [each.from_cache for each in told] == [False, False, shown, shown]
        ways = [ask("aiohttp", store, Ask(URL), connector=lambda: Through(other, **more), peer="bob") for _ in range(2)]
        assert [way[0].from_cache for way in ways] == [False, True]
    finally:
        other.close()


def test_a_connector_that_only_watches_is_like_any(origin: Origin) -> None:
    """What a user's class adds to aiohttp's own way changes nothing."""

    class Watching(aiohttp.TCPConnector):
        async def connect(self, *arguments: Any, **keywords: Any) -> Any:
            return await super().connect(*arguments, **keywords)

    url = origin.on("/a", fresh(b"x"))
    store = MemoryStore()
    hits = [ask("aiohttp", store, Ask(url), connector=made)[0].from_cache for made in (Watching, aiohttp.TCPConnector)]
    assert hits == [False, True]
