"""Drop-in, points 3 and 4: what decides the peer or the user is in the key, however it was given."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import BasicAuth, ClientRequest, ClientSession, web
from certificates import Certificates
from local_origin import Origin, Reply, Seen, fresh

from sansio_cache import AsyncCachedSession, CacheMiddleware, MemoryStore, SettingError

pytestmark = pytest.mark.anyio
Sessions = Callable[..., AsyncCachedSession]


def who(seen: Seen) -> Reply:
    """Says who asked."""
    return fresh((seen.get("authorization") or "nobody").encode())


async def text(session: ClientSession, url: Any, **keywords: Any) -> str:
    async with session.get(url, **keywords) as response:
        return await response.text()


@pytest.mark.filterwarnings("ignore:The 'auth' parameter:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
async def test_users_do_not_meet(sessions: Sessions, origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    """By ``auth=``, by the URL, by the session, by netrc, by a header, by a middleware: each is a user of its own."""
    store = MemoryStore()
    url = origin.on("/a", who)
    session = sessions(cache=store)

    async def add(request: ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        request.headers["Authorization"] = "Bearer middleware"
        return await handler(request)

    netrc = Path.home() / ".netrc"
    netrc.write_text("machine 127.0.0.1 login netrc password p\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    trusting, adding = sessions(cache=store, trust_env=True), sessions(cache=store, middlewares=[add])
    authed = sessions(cache=store, auth=BasicAuth("session", "p"))
    ways: list[Callable[[], Any]] = [
        lambda: text(session, url),
        lambda: text(session, url, auth=BasicAuth("auth", "p")),
        lambda: text(session, url.replace("//", "//url:p@")),
        lambda: text(session, url, headers={"Authorization": "Bearer header"}),
        lambda: text(session, url, middlewares=[add]),
        lambda: text(authed, url),
        lambda: text(trusting, url),
    ]
    seen: list[str] = [await way() for way in ways]
    assert len(set(seen)) == len(ways)
    assert [await way() for way in ways] == seen
    assert await text(adding, url) == "Bearer middleware"
    assert origin.count() == len(ways)


async def test_tls_that_is_not_verified_is_another_peer(
    sessions: Sessions, tls_origin: Origin, certificates: Certificates
) -> None:
    """What was fetched unverified never serves a request that verifies (G10)."""
    url = tls_origin.on("/a", fresh(b"a"))
    session = sessions()
    for _ in range(2):
        assert await text(session, url, ssl=False) == "a"
    assert tls_origin.count() == 1
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await session.get(url)
    unverifying = sessions(connector=aiohttp.TCPConnector(ssl=False))
    assert await text(unverifying, url) == "a"
    assert tls_origin.count() == 1
    context = ssl.create_default_context(cafile=certificates.bundle)
    for _ in range(2):
        assert await text(session, url, ssl=context) == "a"
    assert tls_origin.count() == 2
    trusting = sessions(connector=aiohttp.TCPConnector(ssl=context))
    assert await text(trusting, url) == "a"
    assert tls_origin.count() == 2


async def test_a_context_with_a_certificate_is_a_peer_of_its_own(
    sessions: Sessions, tls_origin: Origin, certificates: Certificates
) -> None:
    """Whose it is cannot be seen; with ``peer=`` the user says who it is. Without one it is by what it trusts."""
    tls_origin.on("/a", fresh(b"a"))
    url = tls_origin.url("/a")
    store = MemoryStore()

    def context(name: str | None = None) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=certificates.bundle)
        if name is not None:
            made.load_cert_chain(certificates.client(name))
        return made

    session = sessions(cache=store)
    for each in (context(), context("ann"), context("bob")):
        for _ in range(2):
            assert await text(session, url, ssl=each) == "a"
    assert tls_origin.count() == 3
    assert await text(sessions(cache=store), url, ssl=context()) == "a"
    assert tls_origin.count() == 3
    ann = sessions(cache=store, peer="ann")
    for _ in range(2):
        assert await text(ann, url, ssl=context("ann")) == "a"
    assert tls_origin.count() == 4
    assert await text(sessions(cache=store, peer="bob"), url, ssl=context("bob")) == "a"
    assert tls_origin.count() == 5
    lax = context("ann")
    lax.check_hostname = False
    lax.verify_mode = ssl.CERT_NONE
    assert await text(ann, url, ssl=lax) == "a"
    assert tls_origin.count() == 6
    with pytest.raises(SettingError, match="peer takes a str"):
        AsyncCachedSession(cache=store, peer=7)  # type: ignore[arg-type]


async def test_a_fingerprint_and_a_server_name_are_other_peers(
    sessions: Sessions, tls_origin: Origin, certificates: Certificates
) -> None:
    """Each decides whom we believe to talk to."""
    url = tls_origin.on("/a", fresh(b"a"))
    session = sessions(peer="test")
    context = ssl.create_default_context(cafile=certificates.bundle)
    der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", tls_origin.port)))
    pinned = aiohttp.Fingerprint(hashlib.sha256(der).digest())
    for keywords in ({"ssl": context}, {"ssl": context, "server_hostname": "localhost"}, {"ssl": pinned}):
        before = tls_origin.count()
        for _ in range(2):
            assert await text(session, url, **keywords) == "a"
        assert tls_origin.count() == before + 1
    with pytest.raises(aiohttp.ServerFingerprintMismatch):
        await session.get(url, ssl=aiohttp.Fingerprint(bytes(32)))


async def test_a_socket_is_another_peer(sessions: Sessions, origin: Origin, tmp_path: Path) -> None:
    """What came over a Unix socket does not answer for a host of that name."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="socket", headers={"Cache-Control": "max-age=60"})

    app = web.Application()
    app.router.add_get("/a", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    path = str(tmp_path / "socket")
    await web.UnixSite(runner, path).start()
    url = origin.on("/a", fresh(b"host"))
    over_socket = sessions(connector=aiohttp.UnixConnector(path))
    session = sessions()
    for _ in range(2):
        assert await text(over_socket, url) == "socket"
        assert await text(session, url) == "host"
    assert origin.count() == 1
    await over_socket.close()
    await runner.cleanup()


async def test_match_headers_and_ignored_parameters_shape_the_key(sessions: Sessions, origin: Origin) -> None:
    """As for every client."""
    session = sessions(match_headers=["X-Version"], ignored_parameters=["noise"])
    url = origin.on("/a", lambda seen: fresh((seen.get("x-version") or "").encode()))
    for version in ("1", "2"):
        for noise in ("a", "b"):
            assert await text(session, url, params={"noise": noise}, headers={"X-Version": version}) == version
    assert origin.count() == 2


async def test_headers_are_not_changed(session: AsyncCachedSession, origin: Origin) -> None:
    """What goes out is what goes out without a cache; validators of ours are not shown in ``request_info``."""
    url = origin.on("/a", fresh(b"a", 0, etag='"1"'), fresh(b"b", 0, etag='"2"'))
    keywords: Any = {"headers": {"X-One": "1", "If-None-Match": '"0"'}, "cookies": {"c": "1"}}
    async with ClientSession() as plain:
        await text(plain, url, **keywords)
    response = await session.get(url, **keywords)
    await response.read()
    fields = [[item for item in seen.fields if item[0] != "Accept-Encoding"] for seen in origin.seen]
    assert fields[1] == fields[0]
    names = [[name for name, _ in seen.fields] for seen in origin.seen]
    assert names[1] == names[0]
    response = await session.get(url, headers={"X-One": "1"})
    assert await response.read() == b"b"
    assert origin.last().get("if-none-match") == '"2"'
    assert "If-None-Match" not in response.request_info.headers
    response = await session.get(url, **keywords)
    assert origin.last().all("if-none-match") == ['"0", "2"']
    assert response.request_info.headers.getall("If-None-Match") == ['"0"']
    await response.read()


async def test_the_middleware_takes_a_peer_too(tls_origin: Origin, certificates: Certificates) -> None:
    """``CacheMiddleware(peer=…)``."""
    url = tls_origin.on("/a", fresh(b"a"))
    cache = CacheMiddleware(MemoryStore(), peer="test")
    async with cache, ClientSession(middlewares=[cache]) as client:
        for _ in range(2):
            context = ssl.create_default_context(cafile=certificates.bundle)
            assert await text(client, url, ssl=context) == "a"
    assert tls_origin.count() == 1
