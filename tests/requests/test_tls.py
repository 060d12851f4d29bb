"""Drop-in, point 4: what decides the peer is part of the key where it is not the default."""

from __future__ import annotations

import ssl
from typing import Any

import certifi
import pytest
import requests
import truststore
import urllib3
from certificates import Certificates
from local_origin import Origin, fresh
from requests.adapters import HTTPAdapter

from sansio_cache import CachedSession
from sansio_cache_adapters.requests.peers import Way

pytestmark = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")


def test_an_unverified_answer_is_never_given_to_a_verified_request(
    session: CachedSession, tls_origin: Origin, certificates: Certificates
) -> None:
    """``verify=False``, however it is said, has entries of its own."""
    url = tls_origin.on("/a", fresh(b"x"))
    session.get(url, verify=False)
    assert session.get(url, verify=False).from_cache
    with pytest.raises(requests.exceptions.SSLError):
        session.get(url)
    verified = session.get(url, verify=certificates.bundle)
    assert not verified.from_cache
    assert session.get(url, verify=certificates.bundle).from_cache
    session.verify = False
    assert session.get(url).from_cache
    assert tls_origin.count() == 2


@pytest.mark.parametrize("nothing", [0, "", None])
def test_whatever_is_false_is_unverified(session: CachedSession, tls_origin: Origin, nothing: Any) -> None:
    """As requests has it."""
    url = tls_origin.on("/a", fresh(b"x"))
    session.get(url, verify=False)
    session.verify = nothing
    assert session.get(url).from_cache
    request = session.prepare_request(requests.Request("GET", url))
    assert session.send(request, verify=nothing).from_cache


def test_a_bundle_of_the_environment_counts(
    session: CachedSession, tls_origin: Origin, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is merged as requests merges it, for a remembered request too."""
    url = tls_origin.on("/a", fresh(b"x"))
    session.get(url, verify=certificates.bundle)
    with pytest.raises(requests.exceptions.SSLError):
        session.get(url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificates.bundle)
    assert session.get(url).from_cache
    assert session.get(url, verify=True).from_cache
    session.trust_env = False
    with pytest.raises(requests.exceptions.SSLError):
        session.get(url)
    assert tls_origin.count() == 1


def test_client_certificates_separate(session: CachedSession, tls_origin: Origin, certificates: Certificates) -> None:
    """One user's answer is not another's."""
    url = tls_origin.on("/a", fresh(b"x"))
    session.verify = certificates.bundle
    ann, bob = certificates.client("ann"), certificates.client("bob")
    answers = [session.get(url, cert=cert).from_cache for cert in (None, ann, bob, None, ann, bob)]
    assert answers == [False, False, False, True, True, True]
    session.cert = ann
    assert session.get(url).from_cache
    assert session.get(url, cert=(bob, bob)).from_cache is False
    assert tls_origin.count() == 4


class Pooled(HTTPAdapter):
    """An adapter with a TLS context of its own."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **keywords: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **keywords)


class Contextual(Pooled):
    """One that leaves verifying to its context."""

    def cert_verify(self, *_: Any) -> None:
        """Nothing."""


def test_a_context_of_an_adapter_separates(sessions: Any, tls_origin: Origin, certificates: Certificates) -> None:
    """One that verifies nothing, one that trusts other authorities, and the default."""
    url = tls_origin.on("/a", fresh(b"x"))
    trusting = ssl.create_default_context(cafile=certificates.bundle)
    careless = ssl.create_default_context()
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE

    adapter = Contextual(trusting)

    def ask(context: ssl.SSLContext | None) -> bool:
        session: CachedSession = sessions()
        if context is not None:
            session.mount("https://", adapter)
        hit: bool = session.get(url).from_cache
        return hit

    assert [ask(trusting), ask(trusting)] == [False, True]
    with pytest.raises(requests.exceptions.SSLError):
        ask(None)
    session = sessions()
    session.mount("https://", Contextual(careless))
    with pytest.warns(urllib3.exceptions.InsecureRequestWarning):
        assert not session.get(url, verify=False).from_cache
    assert ask(trusting)


def test_plain_http_has_no_peer_to_verify(session: CachedSession, origin: Origin) -> None:
    """``verify`` and ``cert`` mean nothing there, and separate nothing."""
    url = origin.on("/a", fresh(b"x"))
    session.get(url)
    assert session.get(url, verify=False).from_cache
    assert session.get(url, cert="/nowhere.pem").from_cache


def test_what_is_trusted_by_default_is_one_peer() -> None:
    """certifi's authorities and the system's, be they in a context, in truststore's, or in a file that is named."""
    ways = [
        Way(adapter, None, verify, None, None)
        for adapter, verify in [
            (None, True),
            (HTTPAdapter(), True),
            (HTTPAdapter(), certifi.where()),
            (Pooled(truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)), True),
            (Pooled(ssl.create_default_context()), True),
            (Pooled(ssl.create_default_context(cafile=certifi.where())), True),
        ]
    ]
    request = requests.Request("GET", "https://a.test/").prepare()
    assert {way.peer(request) for way in ways} == {""}
