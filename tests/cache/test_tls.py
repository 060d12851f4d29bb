"""What decides the peer of TLS, as it is described for every client: files, folders, contexts, the environment."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import ssl
import time
from pathlib import Path
from typing import Any

import certifi
import pytest
import truststore
from certificates import Certificates

from sansio_cache_adapters.cache import tls
from sansio_cache_adapters.cache.tls import (
    alone,
    authorities_of_path,
    authorities_of_pem,
    content_of_path,
    of_context,
    seen,
    state_of_path,
    system_authorities,
    trusting,
)

LONG_AGO = time.time() - 3600


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(certificates: Certificates, tmp_path: Path) -> Path:
    """A folder of authorities with a name by OpenSSL's hash, and others that OpenSSL does not look at."""
    place = tmp_path / "authorities"
    place.mkdir()
    shutil.copy(certificates.bundle, place / "01234567.0")
    (place / "README.pem").write_text("nothing")
    return place


def shown(context: ssl.SSLContext) -> frozenset[bytes]:
    return frozenset(hashlib.sha256(each).digest() for each in context.get_ca_certs(binary_form=True))


# Files and folders


def test_a_file_holds_what_openssl_reads_of_it(certificates: Certificates, tmp_path: Path) -> None:
    """In whatever order, with text, keys and repeats between."""
    bundle = Path(certificates.bundle).read_bytes()
    mixed = tmp_path / "mixed.pem"
    key = Path(certificates.client("ann")).read_bytes().partition(b"-----BEGIN CERTIFICATE")[0]
    mixed.write_bytes(b"# ours\n" + bundle + key + bundle + Path(certifi.where()).read_bytes())
    context = ssl.create_default_context(cafile=str(mixed))
    assert authorities_of_path(str(mixed)) == shown(context) == authorities_of_pem(mixed.read_bytes())
    assert authorities_of_path(str(mixed)) > authorities_of_path(certificates.bundle)


def test_a_revocation_list_is_no_certificate() -> None:
    """Though it counts for what is trusted, and what cannot be decoded does, too."""
    texts = [
        f"-----BEGIN {label}-----\n{text}\n-----END {label}-----\n".encode()
        for label in ("CERTIFICATE", "X509 CRL", "TRUSTED CERTIFICATE")
        for text in ("AAAA", "BBBB", "A")
    ]
    assert len({authorities_of_pem(each) for each in texts}) == len(texts)
    assert authorities_of_pem(texts[0].replace(b"CERTIFICATE", b"X509 CERTIFICATE")) == authorities_of_pem(texts[0])
    assert authorities_of_pem(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----") == frozenset()


def test_a_folder_holds_its_hashed_files(certificates: Certificates, folder: Path) -> None:
    assert authorities_of_path(str(folder)) == authorities_of_path(certificates.bundle)


@pytest.mark.parametrize("name", ["nowhere.pem", "nul\0.pem", "x" * 5000])
def test_a_path_that_leads_nowhere_is_like_no_other(tmp_path: Path, name: str) -> None:
    """The client will say so."""
    path = str(tmp_path / name)
    assert authorities_of_path(path)
    assert authorities_of_path(path) != authorities_of_path(path + "2")
    assert content_of_path(path) != content_of_path(path + "2")
    assert state_of_path(path) == ()


@pytest.mark.parametrize("age", [0.0, 3600.0])
def test_a_change_in_place_is_noticed(certificates: Certificates, tmp_path: Path, age: float) -> None:
    """Of the same size too, and within a tick of the file system's clock."""
    path = tmp_path / "a.pem"

    def write(content: bytes) -> None:
        path.write_bytes(content)
        when = time.time() - age
        os.utime(path, (when, when))

    found: list[object] = []
    for content in (b"one", b"two"):
        write(content)
        found.append((authorities_of_path(str(path)), content_of_path(str(path))))
    assert found[0] != found[1]


def test_what_has_settled_is_read_once(certificates: Certificates, tmp_path: Path, monkeypatch: Any) -> None:
    path = shutil.copy(certificates.bundle, tmp_path / "a.pem")
    os.utime(path, (LONG_AGO, LONG_AGO))
    first = authorities_of_path(str(path))
    monkeypatch.setattr(tls, "_content", None)
    assert authorities_of_path(str(path)) == first


def test_a_folders_change_is_noticed(certificates: Certificates, folder: Path) -> None:
    before = authorities_of_path(str(folder))
    shutil.copy(certificates.client("ann"), folder / "89abcdef.1")
    assert authorities_of_path(str(folder)) > before


def test_what_is_remembered_is_bounded(tmp_path: Path) -> None:
    for number in range(100):
        path = tmp_path / str(number)
        path.write_text(str(number))
        os.utime(path, (LONG_AGO, LONG_AGO))
        content_of_path(str(path))
    assert len(content_of_path._known) <= 64


# What is trusted


def test_the_public_authorities_are_the_default(certificates: Certificates) -> None:
    """certifi's or the system's, and only these."""
    system = shown(ssl.create_default_context())
    own = authorities_of_path(certificates.bundle)
    assert trusting() == trusting(None) == trusting(system) == trusting(authorities_of_path(certifi.where())) == ""
    assert len({trusting(own), trusting(own, system), trusting(system - own, frozenset()) or "default"}) == 3
    assert trusting(own, own) == trusting(own) != trusting(system - {min(system)})


def test_the_environment_names_authorities(
    certificates: Certificates, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = authorities_of_path(certificates.bundle)
    assert system_authorities() is None
    monkeypatch.setenv("SSL_CERT_FILE", certificates.bundle)
    assert system_authorities() == own
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    assert system_authorities() == own
    monkeypatch.setenv("SSL_CERT_FILE", "")
    found = system_authorities()
    assert found is not None
    assert found > own
    monkeypatch.setenv("SSL_CERT_DIR", "")
    assert system_authorities() is None


# Contexts


def described(context: ssl.SSLContext, *, named: bool = False) -> set[str]:
    return set(of_context(context, named=named)) - {""}


def test_a_context_is_what_it_trusts_and_how_it_verifies(certificates: Certificates) -> None:
    made = [ssl.create_default_context(cafile=certificates.bundle) for _ in range(6)]
    _, _, any_name, optional, careless, revoking = made
    for each in (any_name, optional, careless):
        each.check_hostname = False
    optional.verify_mode = ssl.CERT_OPTIONAL
    careless.verify_mode = ssl.CERT_NONE
    revoking.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    own = trusting(authorities_of_path(certificates.bundle))
    assert [described(each) for each in made] == [
        {own},
        {own},
        {own, "any-name"},
        {own, "optional"},
        {"unverified"},
        {own, f"revocation={int(ssl.VERIFY_CRL_CHECK_LEAF)}"},
    ]


def test_what_does_not_show_stands_alone(certificates: Certificates, folder: Path, tmp_path: Path) -> None:
    """Folders, and pinned certificates that are no authority's; not if the user names the peer, or nothing counts."""
    leaf = tmp_path / "leaf.pem"
    certificates.authority.issue_cert("127.0.0.1").cert_chain_pems[0].write_to_path(str(leaf))
    hidden = [
        ssl.create_default_context(capath=str(folder)),
        ssl.create_default_context(capath=str(folder)),
        ssl.create_default_context(cafile=str(leaf)),
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    ]
    assert len({str(described(each)) for each in hidden}) == len(hidden)
    assert all(described(each) == described(each) for each in hidden)
    assert {str(described(each, named=True)) for each in hidden} == {"set()"}
    for each in hidden:
        each.check_hostname = False
        each.verify_mode = ssl.CERT_NONE
    assert {str(described(each)) for each in hidden} == {"{'unverified'}"}


def test_a_client_certificate_stands_alone(certificates: Certificates) -> None:
    """In a context of the system's, too, and in truststore's."""
    for kind in (ssl.create_default_context, lambda: truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)):
        plain, first, second = (kind() for _ in range(3))
        for each in (first, second):
            each.load_cert_chain(certificates.client("ann"))
        assert described(plain) == set()
        assert described(first) == described(first) != described(second)
        assert described(first, named=True) == set()


def test_a_context_is_looked_at_again_when_it_changes(certificates: Certificates) -> None:
    """Unless the client itself adds to it as it connects."""
    context = ssl.create_default_context()
    assert described(context) == set()
    first = seen(context)
    context.load_verify_locations(certificates.bundle)
    context.check_hostname = False
    assert seen(context, first=True) == first
    assert described(context) == {trusting(shown(context)), "any-name"}


def test_truststore_trusts_the_system_and_what_was_added(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, more, named = (truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT) for _ in range(3))
    more.load_verify_locations(certificates.bundle)
    own = authorities_of_path(certificates.bundle)
    assert described(plain) == set()
    assert described(more) == {trusting(shown(ssl.create_default_context()) | own)}
    monkeypatch.setenv("SSL_CERT_FILE", certificates.bundle)
    assert described(named) == {trusting(own)}


def test_a_look_alike_that_shows_nothing_stands_alone() -> None:
    class Mute(ssl.SSLContext):
        def cert_store_stats(self) -> Any:
            raise NotImplementedError

    one, other = Mute(ssl.PROTOCOL_TLS_CLIENT), Mute(ssl.PROTOCOL_TLS_CLIENT)
    assert described(one) == described(one) != described(other)


def test_what_shows_the_default_reads_the_environments_folder(
    certificates: Certificates, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL does, and shows of it what was used only."""
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    context = ssl.create_default_context()
    assert described(context) == {trusting(shown(context) | authorities_of_path(certificates.bundle))}
    assert described(ssl.create_default_context(cafile=certifi.where())) == set()


def test_a_clients_own_context_is_not_asked_for_a_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """None was loaded into it, and the first request of a loop need not wait for the answer."""
    monkeypatch.setattr(tls, "shows_certificate", None)
    monkeypatch.setattr(tls, "_NAMED_AT_START", False)
    assert of_context(ssl.create_default_context(), named=False, plain=True) == [""]


def test_alone_means_as_long_as_it_lives() -> None:
    class Thing:
        pass

    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

    thing = Thing()
    assert alone(thing) == alone(thing) != alone(Thing())
    lone = Unhashable()
    assert alone(lone) != alone(lone)
    before = len(tls._tokens)
    del thing
    gc.collect()
    assert len(tls._tokens) < before
