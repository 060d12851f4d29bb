"""G10: clients and runs that trust the same authorities meet in one entry, and those that do not never."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import certifi
import pytest
import truststore
from ask_clients import CLIENTS, Ask, Got, ask
from certificates import Certificates
from local_origin import Origin, fresh
from requests.adapters import HTTPAdapter

from sansio_cache import (
    AsyncCachedSession,
    AsyncCacheTransport,
    CacheAdapter,
    CachedSession,
    CacheMiddleware,
    CacheTransport,
    MemoryStore,
    SettingError,
    TrioCachedSession,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning"),
    pytest.mark.filterwarnings("ignore:`verify=<str>` is deprecated:DeprecationWarning"),
]


class WithContext(HTTPAdapter):
    """An adapter with a TLS context of its own."""

    def __init__(self, context: ssl.SSLContext, **pool: Any) -> None:
        self._pool = {"ssl_context": context, **pool}
        super().__init__()

    def init_poolmanager(self, *args: Any, **keywords: Any) -> None:
        super().init_poolmanager(*args, **{**keywords, **self._pool})


@pytest.fixture
def strange(tmp_path: Path) -> Certificates:
    folder = tmp_path / "strange"
    folder.mkdir()
    return Certificates(folder)


def context(*bundles: str, **flags: Any) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=bundles[0])
    for each in bundles[1:]:
        made.load_verify_locations(each)
    for name, value in flags.items():
        setattr(made, name, value)
    return made


def through(client: str, trusted: ssl.SSLContext) -> dict[str, Any]:
    """The settings of a session that goes through a context."""
    if client == "requests":
        return {"adapter": WithContext(trusted)}
    if client == "aiohttp":
        return {"connector": lambda: aiohttp.TCPConnector(ssl=trusted)}
    return {"ssl_context": trusted} if client == "trio" else {"inner": {"verify": trusted}}


Way = tuple[str, Callable[[str], dict[str, Any]], Callable[[str], dict[str, Any]]]
"""A client, and the settings of session and request that trust a bundle."""


def nothing(_: str) -> dict[str, Any]:
    return {}


WAYS: dict[str, Way] = {
    "requests verify=path": ("requests", nothing, lambda path: {"verify": path}),
    "requests session.verify": ("requests", lambda path: {"own": {"verify": path}}, nothing),
    "requests context": ("requests", lambda path: through("requests", context(path)), lambda path: {"verify": path}),
    "aiohttp ssl=context": ("aiohttp", nothing, lambda path: {"ssl": context(path)}),
    "httpx verify=path": ("httpx", lambda path: {"inner": {"verify": path}}, nothing),
    "httpx-async verify=path": ("httpx-async", lambda path: {"inner": {"verify": path}}, nothing),
    **{
        f"{client} by a context": (client, lambda path, client=client: through(client, context(path)), nothing)
        for client in CLIENTS
        if client != "requests"
    },
}
VARIABLES = [
    ("requests", "REQUESTS_CA_BUNDLE"),
    ("requests", "CURL_CA_BUNDLE"),
    *((client, "SSL_CERT_FILE") for client in CLIENTS if client != "requests"),
]


def run_with(variables: dict[str, str], client: str, cache: str, url: str) -> Got:
    """What another process gets whose environment names authorities."""
    code = (
        f"import json; from ask_clients import *; print(json.dumps(vars(ask({client!r}, {cache!r}, Ask({url!r}))[0])))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SSL_CERT")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Got(**json.loads(done.stdout))


@pytest.mark.once
def test_all_who_trust_one_authority_meet(
    tls_origin: Origin, certificates: Certificates, strange: Certificates, tmp_path: Path
) -> None:
    """G10: however they say so, in whichever client and run: one fetch, and one record."""
    url = tls_origin.on("/a", fresh(b"x"))
    cache = str(tmp_path / "cache.sqlite")
    copy = shutil.copy(certificates.bundle, tmp_path / "copy.pem")
    asked: list[str] = []
    for name, (client, session, request) in WAYS.items():
        for path in (certificates.bundle, str(copy)):
            [got] = ask(client, cache, Ask(url, said=request(path)), **session(path))
            assert got.from_cache is bool(asked), name
            asked.append(name)
    for client, variable in VARIABLES:
        assert run_with({variable: certificates.bundle}, client, cache, url).from_cache, variable
    assert tls_origin.count() == 1
    # Those who trust another beside it have an entry of their own.
    both = tmp_path / "both.pem"
    both.write_bytes(Path(certificates.bundle).read_bytes() + Path(strange.bundle).read_bytes())
    asked.clear()
    for name, (client, session, request) in WAYS.items():
        [got] = ask(client, cache, Ask(url, said=request(str(both))), **session(str(both)))
        assert got.from_cache is bool(asked), name
        asked.append(name)
    for client, variable in VARIABLES:
        assert run_with({variable: str(both)}, client, cache, url).from_cache, variable
    assert tls_origin.count() == 2


@pytest.mark.parametrize("client", CLIENTS)
def test_who_trusts_otherwise_meets_nobody(
    client: str, tls_origin: Origin, certificates: Certificates, strange: Certificates
) -> None:
    """G10: other authorities, any name, nothing verified, and the default, which fails here."""
    url = tls_origin.on("/a", fresh(b"x"))
    store = MemoryStore()
    said: dict[str, Any] = {"verify": certificates.bundle} if client == "requests" else {}
    for number, made in enumerate(
        [
            context(certificates.bundle),
            context(certificates.bundle, strange.bundle),
            context(certificates.bundle, check_hostname=False),
            context(certificates.bundle, check_hostname=False, verify_mode=ssl.CERT_NONE),
            context(certificates.bundle, check_hostname=False, verify_mode=ssl.CERT_OPTIONAL),
        ],
        1,
    ):
        [got] = ask(client, store, Ask(url, said=said), **through(client, made))
        assert not got.from_cache
        assert tls_origin.count() == number
    with pytest.raises(Exception, match=r"(?i)certificate|verif"):
        ask(client, store, Ask(url))


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_certificate_in_a_context_stands_alone(
    client: str, tls_origin: Origin, certificates: Certificates
) -> None:
    """G10: for as long as the context lives; with ``peer=`` the user says who it is."""
    url = tls_origin.on("/a", fresh(b"x"))
    store = MemoryStore()
    said: dict[str, Any] = {"verify": certificates.bundle} if client == "requests" else {}

    def certified(name: str) -> ssl.SSLContext:
        made = context(certificates.bundle)
        made.load_cert_chain(certificates.client(name))
        return made

    def hits(made: ssl.SSLContext, **settings: Any) -> bool:
        [got] = ask(client, store, Ask(url, said=said), **through(client, made), **settings)
        return got.from_cache

    ann, bob = certified("ann"), certified("bob")
    assert [hits(each) for each in (context(certificates.bundle), ann, bob, ann, bob)] == [False] * 3 + [True] * 2
    assert not hits(certified("ann"))
    named = [hits(certified(name), peer=name) for name in ("ann", "bob", "ann", "bob")]
    assert named == [False, False, True, True]


@pytest.mark.parametrize("client", CLIENTS)
def test_the_default_is_one_for_all(client: str) -> None:
    """G10: certifi's authorities and the system's, said aloud or not, in a context of any kind."""
    url = "https://127.0.0.1:9/"
    plain = peer_of(client, url, None)
    assert plain == ""
    for made in (
        ssl.create_default_context(),
        context(certifi.where()),
        truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    ):
        assert peer_of(client, url, made) == plain


def peer_of(client: str, url: str, trusted: ssl.SSLContext | None) -> str:
    """Whom a client would ask, as the key has it."""
    seen: list[Any] = []

    def key_fn(request: Any) -> str:
        seen.append(request.peer)
        return ""

    with pytest.raises(Exception):  # noqa: B017 - nobody listens there
        ask(client, MemoryStore(), Ask(url), key_fn=key_fn, **({} if trusted is None else through(client, trusted)))
    return str(seen[0])


def test_a_file_that_is_changed_in_place_is_another(
    tls_origin: Origin, certificates: Certificates, strange: Certificates, tmp_path: Path
) -> None:
    """G10: in one session of requests, for a request that is remembered too; and back."""
    url = tls_origin.on("/a", fresh(b"x"))
    bundle, own = tmp_path / "bundle.pem", Path(certificates.bundle).read_bytes()
    with CachedSession(MemoryStore()) as session:
        session.verify = str(bundle)
        for content, hit in [(own, False), (own, True), (own + Path(strange.bundle).read_bytes(), False), (own, True)]:
            bundle.write_bytes(content)
            assert session.get(url).from_cache is hit
            assert session.get(url).from_cache
        bundle.write_bytes(Path(strange.bundle).read_bytes())
        assert not session.cache.contains(url)


@pytest.mark.parametrize("way", ["cert=", "session.cert", "pool"])
def test_client_certificates_in_files(tls_origin: Origin, certificates: Certificates, tmp_path: Path, way: str) -> None:
    """G10: requests is told by what is in them, under whatever name, and in whatever way."""
    url = tls_origin.on("/a", fresh(b"x"))
    store = MemoryStore()

    def hits(path: str) -> bool:
        settings: dict[str, Any] = {"own": {"verify": certificates.bundle}}
        if way == "session.cert":
            settings["own"]["cert"] = path
        elif way == "pool":
            settings["adapter"] = WithContext(context(certificates.bundle), cert_file=path)
        [got] = ask("requests", store, Ask(url, said={"cert": path} if way == "cert=" else {}), **settings)
        return got.from_cache

    same = tmp_path / "same.pem"
    names = [certificates.client("ann"), certificates.client("bob")]
    for number, name in enumerate(names):
        shutil.copy(name, same)
        assert [hits(str(same)), hits(name)] == [False, True]
        assert tls_origin.count() == number + 1


EVERY: list[Any] = [CachedSession, CacheAdapter, AsyncCachedSession, CacheMiddleware]
EVERY += [TrioCachedSession, CacheTransport, AsyncCacheTransport]


@pytest.mark.parametrize("make", EVERY)
@pytest.mark.parametrize("wrong", [7, "", b"ann", ["ann"]])
def test_peer_is_a_name(make: Any, wrong: Any) -> None:
    """Every session, adapter, middleware and transport takes one, and says what it takes."""
    with pytest.raises(SettingError, match="peer takes a str that names"):
        make(cache=MemoryStore(), peer=wrong)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_named_peer_has_entries_of_its_own(client: str, origin: Origin) -> None:
    """G10: without TLS, too: the name may stand for a socket, an application or an adapter."""
    url = origin.on("/a", fresh(b"x"))
    store = MemoryStore()
    hits = [ask(client, store, Ask(url), peer=name)[0].from_cache for name in ("ann", None, "bob", "ann", None)]
    assert hits == [False, False, False, True, True]
