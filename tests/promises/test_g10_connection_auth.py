"""G10: what comes over a connection that was authenticated (NTLM, Negotiate) is its user's, and is not kept."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Generator
from typing import Any

import aiohttp
import httpx2
import pytest
import requests
from ask_clients import CLIENTS, Ask, ask
from local_origin import Origin, Reply, Seen, fresh
from requests.adapters import HTTPAdapter

from sansio_cache import AsyncCachedSession, CachedSession, CacheTransport, MemoryStore


def proof(user: str) -> str:
    return "NTLM " + base64.b64encode(f"user:{user}".encode()).decode()


HELLO = "NTLM " + base64.b64encode(b"hello").decode()


class Intranet:
    """Pages for anyone who a connection belongs to: it is asked once for each."""

    def __init__(self) -> None:
        self._users: dict[int, str] = {}

    def __call__(self, seen: Seen) -> Reply:
        given = seen.get("authorization") or ""
        said = base64.b64decode(given.partition(" ")[2]).decode() if given.startswith("NTLM ") else ""
        if said.startswith("user:"):
            self._users[seen.connection] = said.removeprefix("user:")
        elif said:
            return Reply(b"", 401, {"WWW-Authenticate": "NTLM Y2hhbGxlbmdl"})
        if seen.path.startswith("/public"):
            return fresh(self._users.get(seen.connection, "anybody").encode())
        if seen.connection not in self._users:
            return Reply(b"", 401, {"WWW-Authenticate": "NTLM", "Cache-Control": "max-age=60"})
        return fresh(self._users[seen.connection].encode())


@pytest.fixture
def intranet(origin: Origin) -> Origin:
    pages = Intranet()
    for path in ("/login", "/mail", "/public", "/public2"):
        origin.on(path, pages)
    return origin


@pytest.mark.parametrize("client", CLIENTS)
def test_nothing_of_a_connections_user_is_kept(client: str, intranet: Origin) -> None:
    """G10: neither the answer to the proof, nor what the connection is asked without one."""
    store = MemoryStore()
    login, mail, public = (intranet.url(path) for path in ("/login", "/mail", "/public"))
    asks = [Ask(login), Ask(login, {"Authorization": proof("ann")}), Ask(mail), Ask(mail), Ask(public)]
    got = ask(client, store, *asks)
    assert [each.status for each in got] == [401, 200, 200, 200, 200]
    assert [each.text for each in got[1:]] == ["ann"] * 4
    assert not any(each.from_cache for each in got)
    assert all("connection-auth" in each.cache_status for each in got), got[2].cache_status
    again = ask(client, store, Ask(public), Ask(public), Ask(mail))
    assert [(each.text, each.from_cache) for each in again[:2]] == [("anybody", False), ("anybody", True)]
    assert again[2].status == 401


@pytest.mark.parametrize("client", CLIENTS)
def test_answers_may_say_so(client: str, origin: Origin) -> None:
    """G10: where the proof is made below what the cache sees."""
    for name, value in [("Persistent-Auth", "true"), ("WWW-Authenticate", "Negotiate oYG=")]:
        url = origin.on(f"/{name}", fresh(b"ann", **{name.replace("-", "_"): value}))
        plain = origin.on("/plain", fresh(b"ann"))
        got = ask(client, MemoryStore(), Ask(url), Ask(url), Ask(plain), Ask(plain))
        assert not any(each.from_cache for each in got)


class Proving(requests.auth.AuthBase):
    """As the packages for requests do it: by a hook that sends again over the connection of the response."""

    def __init__(self, user: str) -> None:
        self._user = user

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.register_hook("response", self._prove)
        return request

    def _prove(self, response: requests.Response, **sending: Any) -> requests.Response:
        for given in (HELLO, proof(self._user)):
            if response.status_code != 401:
                break
            _ = response.content
            request = response.request.copy()
            request.headers["Authorization"] = given
            connection: Any = response.connection  # type: ignore[attr-defined]
            response = connection.send(request, **sending)
        return response


@pytest.mark.parametrize("disabled", [False, True])
def test_requests_with_a_package_for_it(intranet: Origin, disabled: bool) -> None:
    """G10: in two sessions on one adapter and one store, also where the proof went by the cache."""
    store, adapter = MemoryStore(), HTTPAdapter()
    with CachedSession(store) as session, CachedSession(store) as other:
        session.mount("http://", adapter)
        if disabled:
            with session.disabled():
                assert session.get(intranet.url("/login"), auth=Proving("ann")).text == "ann"
        else:
            assert session.get(intranet.url("/login"), auth=Proving("ann")).text == "ann"
        assert session.get(intranet.url("/mail")).text == "ann"
        other.mount("http://", adapter)
        assert other.get(intranet.url("/public")).text == "ann"
        assert not other.cache.contains(intranet.url("/public"))
        assert store.size().entries == 0


def test_an_adapter_that_proves_by_itself(intranet: Origin) -> None:
    """G10: what it sent shows it."""

    class Itself(HTTPAdapter):
        def send(self, request: requests.PreparedRequest, **keywords: Any) -> requests.Response:  # type: ignore[override]
            sent = request.copy()
            if request.path_url == "/login":
                sent.headers["Authorization"] = proof("ann")
            return super().send(sent, **keywords)

    got = ask("requests", MemoryStore(), Ask(intranet.url("/login")), Ask(intranet.url("/public")), adapter=Itself())
    assert [each.text for each in got] == ["ann", "ann"]
    assert all("connection-auth" in each.cache_status for each in got)


@pytest.mark.parametrize("disabled", [False, True])
def test_aiohttp_with_a_middleware_for_it(intranet: Origin, disabled: bool) -> None:
    """G10: in two sessions on one connector."""

    async def prove(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        for given in (HELLO, proof("ann")):
            if response.status != 401:
                break
            await response.read()
            request.headers["Authorization"] = given
            response = await handler(request)
        return response

    async def main() -> None:
        store = MemoryStore()
        connector = aiohttp.TCPConnector(limit=1)
        proving = AsyncCachedSession(cache=store, connector=connector, connector_owner=False, middlewares=[prove])
        async with proving, AsyncCachedSession(cache=store, connector=connector) as other:
            if disabled:
                with proving.disabled():
                    async with proving.get(intranet.url("/login")) as response:
                        assert await response.text() == "ann"
            else:
                async with proving.get(intranet.url("/login")) as response:
                    assert await response.text() == "ann"
            async with other.get(intranet.url("/public")) as response:
                assert await response.text() == "ann"
                assert "connection-auth" in response.cache_status
            assert (await other.cache.size()).entries == 0

    asyncio.run(main())


@pytest.mark.parametrize("disabled", [False, True])
def test_httpx_with_a_flow_for_it(intranet: Origin, disabled: bool) -> None:
    """G10: of a client's own."""

    class Flow(httpx2.Auth):
        def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response]:
            response = yield request
            for given in (HELLO, proof("ann")):
                if response.status_code != 401:
                    break
                request.headers["Authorization"] = given
                response = yield request

    store = MemoryStore()
    transport = CacheTransport(cache=store)
    with httpx2.Client(transport=transport) as client:
        if disabled:
            with transport.disabled():
                assert client.get(intranet.url("/login"), auth=Flow()).text == "ann"
        else:
            assert client.get(intranet.url("/login"), auth=Flow()).text == "ann"
        assert client.get(intranet.url("/public")).text == "ann"
        assert store.size().entries == 0
