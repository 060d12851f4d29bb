"""Whom requests talks to, as adapters of users' own decide it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from certificates import Certificates
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context

from sansio_cache import CacheAdapter, CachedSession
from sansio_cache_adapters.requests.peers import Way, state_of_files

PLAIN, SECURE = "http://a.test/", "https://a.test/"


class Pooled(HTTPAdapter):
    """An adapter with settings of its own for its pools."""

    def __init__(self, **pool: Any) -> None:
        self._pool = pool
        super().__init__()

    def init_poolmanager(self, *args: Any, **keywords: Any) -> None:
        super().init_poolmanager(*args, **keywords, **self._pool)


class Around(BaseAdapter):
    """An adapter that goes through another."""

    def __init__(self, inner: BaseAdapter) -> None:
        super().__init__()
        self._inner = inner


def peer(url: str, adapter: BaseAdapter | None = None, named: str | None = None, **said: Any) -> str:
    settings = {"verify": True, "cert": None, "proxies": None, **said}
    request = requests.PreparedRequest()
    request.url = url
    return Way(adapter, named, **settings).peer(request)


def test_pools_may_be_a_proxys() -> None:
    """G10: an adapter may have a proxy in the place of its pools."""

    class Behind(HTTPAdapter):
        def __init__(self, url: str, **headers: str) -> None:
            self._through = url, headers
            super().__init__()

        def init_poolmanager(self, *_: Any, **__: Any) -> None:
            url, headers = self._through
            self.poolmanager = urllib3.ProxyManager(url, proxy_headers=headers)

    behind = [
        Behind("http://proxy:1"),
        Behind("http://proxy:2"),
        Behind("http://ann@proxy:1"),
        Behind("http://proxy:1", a="b"),
    ]
    assert len({peer(PLAIN, each) for each in [*behind, None]}) == 5
    assert {peer(SECURE, each) for each in behind} == {""}


def test_an_adapter_around_another_is_what_that_is() -> None:
    """G10."""
    inner = Pooled(assert_hostname="b.test")
    assert peer(SECURE, Around(Around(inner))) == peer(SECURE, inner) != ""


class Choosing(HTTPAdapter):
    """An adapter with pools of its own that goes through one of several others."""

    def __init__(self, several: Any) -> None:
        super().__init__()
        self._several = several


@pytest.mark.parametrize("several", [lambda each: [each], lambda each: {"a": each}, lambda each: {each}])
def test_an_adapter_that_chooses_among_others_is_what_they_are(several: Any, tmp_path: Path) -> None:
    """G10: that it has pools of its own, as every ``HTTPAdapter`` has, says nothing of those it goes through."""
    (tmp_path / "ann.pem").write_text("ann")
    certified = Pooled(cert_file=str(tmp_path / "ann.pem"))
    assert peer(SECURE, Choosing(several(certified))) == peer(SECURE, certified) != ""
    assert peer(SECURE, Choosing(several(HTTPAdapter()))) == ""
    circle = Choosing([certified])
    circle._several.append(circle)
    assert peer(SECURE, circle) == peer(SECURE, certified)


def test_pools_may_go_through_socks() -> None:
    """G10: as urllib3's own manager for SOCKS does it, who asks is in the options of its pools."""

    def behind(**options: str) -> HTTPAdapter:
        return Pooled(_socks_options={"proxy_host": "proxy", "username": None, **options})

    peers = [
        peer(PLAIN, behind(**each)) for each in ({"username": "ann"}, {"username": "bob"}, {}, {"proxy_host": "b"})
    ]
    assert len({*peers, ""}) == 5
    assert peers[0] == peer(PLAIN, behind(username="ann"))
    assert "ann" not in peers[0]
    assert peer(SECURE, behind(username="ann")) == ""


class Managing(HTTPAdapter):
    """An adapter that makes the pools for its proxies in a way of its own."""

    def __init__(self, wrong: bool = False, **pool: Any) -> None:
        self._wrong, self._own = wrong, pool
        super().__init__()

    def proxy_manager_for(self, proxy: str, **pool: Any) -> Any:
        if self._wrong:
            raise ValueError(proxy)
        return super().proxy_manager_for(proxy, **pool, **self._own)


def test_pools_made_for_a_proxy() -> None:
    """G10: what they say counts where they are used, and those that say nothing new are the default's."""
    through = {"proxies": {"all": "http://ann:pw@proxy:1"}}
    named = Managing(assert_hostname="b.test")
    assert peer(SECURE, named, **through) == "assert_hostname=b.test"
    assert peer(SECURE, named) == peer(SECURE, Managing(), **through) == ""
    assert peer(PLAIN, named, **through) == peer(PLAIN, **through) != ""
    assert peer(PLAIN, Managing(wrong=True), **through) == peer(PLAIN, **through)
    assert peer(SECURE, Managing(wrong=True), **through) == ""


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ({}, ""),
        ({"cert_reqs": "CERT_REQUIRED"}, ""),
        ({"assert_hostname": False}, "any-name"),
        ({"assert_hostname": "b.test"}, "assert_hostname=b.test"),
        ({"assert_fingerprint": "AA:bb"}, "fingerprint=aabb"),
        ({"server_hostname": "b.test"}, "server_hostname=b.test"),
    ],
)
def test_settings_of_pools(pool: dict[str, Any], expected: str) -> None:
    """G10: each decides whom the adapter believes to talk to, in words that other clients' settings have too."""
    assert peer(SECURE, Pooled(**pool)) == expected
    assert peer(PLAIN, Pooled(**pool)) == ""


def test_authorities_of_pools_count_with_those_of_the_request(certificates: Certificates, tmp_path: Path) -> None:
    """G10: as a file, a folder or text."""
    text = Path(certificates.bundle).read_text()
    (tmp_path / "01234567.0").write_text(text)
    by_file = peer(SECURE, verify=certificates.bundle)
    for pool in (
        {"ca_certs": certificates.bundle},
        {"ca_cert_dir": str(tmp_path)},
        {"ca_cert_data": text},
        {"ca_cert_data": text.encode()},
    ):
        assert peer(SECURE, Pooled(**pool)) == by_file
        assert peer(SECURE, Pooled(**pool), verify=Path(certificates.bundle)) == by_file
        assert peer(SECURE, Pooled(**pool), verify=False) == "unverified"


def test_a_context_that_requests_fills_itself() -> None:
    """The usual way to choose ciphers: it holds no authority, and requests adds its own, but for some adapters."""

    class Careful(Pooled):
        def cert_verify(self, *_: Any) -> None:
            """Leaves verifying to the context."""

    assert peer(SECURE, Pooled(ssl_context=create_urllib3_context())) == ""
    assert "object=" in peer(SECURE, Careful(ssl_context=create_urllib3_context()))


def test_an_adapter_that_chooses_its_pools_is_asked(certificates: Certificates) -> None:
    """G10: as requests asks it, for each request."""

    class Choosing(HTTPAdapter):
        def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
            host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
            name = request.url.partition("//")[2].partition(".")[0]
            return host, {**pool, "cert_file": certificates.client(name)} if name in ("ann", "bob") else pool

    adapter = Choosing()
    peers = [peer(f"https://{name}.test/", adapter) for name in ("ann", "bob", "eve")]
    assert [each.startswith("certificate=") for each in peers] == [True, True, False]
    assert len(set(peers)) == 3
    assert peers[2] == ""


@pytest.mark.parametrize("name", ["cert_verify", "get_connection_with_tls_context"])
def test_an_adapter_that_hides_what_it_gives_its_connections_stands_alone(name: str) -> None:
    """G10: until the user names its peer."""
    kind: Any = type("Hiding", (HTTPAdapter,), {name: lambda *_: None})
    one, other = kind(), kind()
    assert peer(SECURE, one) == peer(SECURE, one) != peer(SECURE, other)
    assert peer(SECURE, one, "ann") == peer(PLAIN, one, "ann") == "named=ann"
    # Without TLS certificates do not matter, but which way a connection goes does: it may be a proxy's.
    assert (peer(PLAIN, one) == peer(PLAIN, other)) is (name == "cert_verify")


def test_a_context_of_another_library_stands_alone() -> None:
    """Such as pyOpenSSL's, which urllib3 takes."""
    one, other = Pooled(ssl_context=type("Context", (), {})()), Pooled(ssl_context=type("Context", (), {})())
    assert peer(SECURE, one) == peer(SECURE, one) != peer(SECURE, other)
    assert peer(SECURE, one, "ann") == peer(SECURE, other, "ann") == "named=ann"


def test_the_name_counts_for_every_scheme() -> None:
    """An adapter may be for one of its own."""
    assert [peer(url, named="ann") for url in (PLAIN, SECURE, "http+unix://%2Frun/")] == ["named=ann"] * 3
    assert peer("http+unix://%2Frun/") == ""


@pytest.mark.parametrize("proxy", ["http://[", "http://proxy:port", "::"])
def test_a_proxy_that_cannot_be_read_is_one_of_its_own(proxy: str) -> None:
    """Sending says what is wrong with it."""
    assert peer(PLAIN, proxies={"http": proxy}) == peer(PLAIN, proxies={"http": proxy}) != ""


def test_a_file_counts_by_its_state_where_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.pem"
    path.write_text("one")
    before = state_of_files(str(path), None), state_of_files(True, (str(path), None))
    path.write_text("three")
    assert [state_of_files(str(path), None), state_of_files(True, str(path))] != list(before)
    assert state_of_files(True, None) is state_of_files(False, None) is None


def test_a_name_travels_with_a_pickled_session(tmp_path: Path) -> None:
    with CachedSession(tmp_path / "a.sqlite", peer="ann") as session, pickle.loads(pickle.dumps(session)) as copy:
        assert copy._peer == "ann"
        assert copy._handler._wrapped == {}
    adapter = CacheAdapter(cache=tmp_path / "b.sqlite", peer="ann")
    assert pickle.loads(pickle.dumps(adapter))._peer == "ann"
