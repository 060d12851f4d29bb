"""Whether a context would show a client certificate, asked of the TLS library itself."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest
import truststore
from trustme import CA, KeyType
from urllib3.util.ssl_ import create_urllib3_context

from sansio_cache_adapters.cache import client_certificates
from sansio_cache_adapters.cache.client_certificates import PlainContext, shows_certificate


def newest_only() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def careless() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def outdated() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


KINDS: list[Callable[[], ssl.SSLContext]] = [
    ssl.create_default_context,
    create_urllib3_context,
    newest_only,
    careless,
    outdated,
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key_type", [None, KeyType.ECDSA, KeyType.RSA])
def test_a_context_shows_what_was_loaded_into_it(kind: Callable[[], ssl.SSLContext], key_type: KeyType | None) -> None:
    """G10: whatever else it was told."""
    context = kind()
    if key_type is not None:
        CA().issue_cert("ann@example.org", key_type=key_type).configure_cert(context)
    before = context.cert_store_stats(), context.verify_mode, context.check_hostname, context.options
    assert shows_certificate(context) is (key_type is not None)
    assert (context.cert_store_stats(), context.verify_mode, context.check_hostname, context.options) == before


def test_a_long_chain_is_read_through() -> None:
    """It takes several records of TLS."""
    context, authority = ssl.create_default_context(), CA()
    authority.issue_cert(*(f"{number}@example.org" for number in range(1200))).configure_cert(context)
    assert shows_certificate(context) is True


def test_what_cannot_be_asked_is_not_known() -> None:
    """A context that speaks no cipher of ours, and what is none at all."""
    context = ssl.create_default_context()
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    assert shows_certificate(context) is None
    nothing: Any = object()
    assert shows_certificate(nothing) is None


def test_a_library_that_does_not_let_itself_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried once, on contexts of ours; where it answers wrongly, nothing it says is believed."""
    monkeypatch.setattr(client_certificates, "_works", lambda: False)
    assert shows_certificate(ssl.create_default_context()) is None


def test_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    works = client_certificates._works.__wrapped__
    assert works()
    with monkeypatch.context() as patch:
        patch.setattr(client_certificates, "_ask", lambda _: False)
        assert not works()
    monkeypatch.setattr(client_certificates, "_handshake_certificate", lambda: "/nowhere")
    assert not works()


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x03", b"\x15\x03\x03\x00\x02\x02\x28", b"\x16\x03\x03\x00\x01\x0b"])
def test_what_is_no_certificate_says_nothing(sent: bytes) -> None:
    assert client_certificates._holds_certificate(sent) is None


def test_contexts_of_ours_are_pythons_own() -> None:
    """truststore can put its own in the place of ``ssl.SSLContext``."""
    assert PlainContext.__module__ == "ssl"
    assert not issubclass(PlainContext, truststore.SSLContext)
