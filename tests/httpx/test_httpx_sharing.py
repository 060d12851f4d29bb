"""Who shares an answer with whom: users, peers, methods and threads."""

from __future__ import annotations

import gzip
import http.server
import socketserver
import ssl
import threading
from pathlib import Path

import httpx2
import pytest
from certificates import Certificates
from httpx_answers import Open, hit
from local_origin import Conversation, Origin, Seen, fresh
from watched_origin import WatchedOrigin

# Users and methods


def test_users_do_not_share(opened: Open, origin: WatchedOrigin) -> None:
    url = origin.on("/", lambda seen: fresh((seen.get("authorization") or "nobody").encode()))
    client = opened()
    bodies = [client.get(url, auth=auth).content for auth in (None, ("a", "1"), ("b", "2"), ("a", "1"), None)]
    assert len(set(bodies)) == origin.count() == 3
    assert client.get(url.replace("://", "://c:3@")).content not in bodies


def test_methods_and_bodies_are_told_apart(opened: Open, origin: WatchedOrigin) -> None:
    url = origin.on("/", lambda seen: fresh(seen.method.encode() + seen.body))
    client = opened(allowed_methods=("GET", "HEAD", "POST"))
    assert client.get(url).content == b"GET"
    assert hit(client.head(url))
    for _ in range(2):
        assert client.post(url, content=b"1").content == b"POST1"
        assert client.post(url, json=[2]).content == b"POST[2]"
        assert client.post(url, data={"a": "3"}).content == b"POSTa=3"
    assert [each.method for each in origin.seen] == ["GET", "POST", "POST", "POST"]


def test_an_unsafe_request_invalidates_what_is_stored(opened: Open, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(b"hello"))
    client = opened()
    client.get(url)
    assert hit(client.get(url))
    client.post(url, content=b"new")
    assert not hit(client.get(url))


def test_the_users_own_preconditions_and_ranges(opened: Open, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(b"hello", etag='"tag"'))
    client = opened()
    client.get(url)
    response = client.get(url, headers={"If-None-Match": '"tag"'})
    assert (response.status_code, response.content) == (304, b"")
    response = client.get(url, headers={"Range": "bytes=1-3"})
    assert (response.status_code, response.content) == (206, b"ell")
    assert origin.count() == 1


def test_an_upgrade_is_the_origins(opened: Open, origin: WatchedOrigin) -> None:
    def switch(_: Seen, conversation: Conversation) -> None:
        conversation.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nhello")
        conversation.wait_for_end()

    headers = {"Upgrade": "echo", "Connection": "upgrade"}
    with opened().stream("GET", origin.script("/", switch), headers=headers) as response:
        assert (response.status_code, response.extensions["network_stream"].read(5)) == (101, b"hello")
    assert "upgrade" in response.extensions["cache_status"]


# Peers


@pytest.fixture
def strange(tmp_path: Path) -> Certificates:
    folder = tmp_path / "strange"
    folder.mkdir()
    return Certificates(folder)


def trusting(*authorities: Certificates, check_hostname: bool = True) -> httpx2.HTTPTransport:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for each in authorities:
        each.authority.configure_trust(context)
    context.check_hostname = check_hostname
    return httpx2.HTTPTransport(verify=context)


def test_an_unverified_answer_never_serves_a_request_that_verifies(
    opened: Open, tls_origin: Origin, certificates: Certificates
) -> None:
    url = tls_origin.on("/", fresh(b"hello"))
    careless = opened(httpx2.HTTPTransport(verify=False))
    careless.get(url)
    assert hit(opened(httpx2.HTTPTransport(verify=False)).get(url))
    with pytest.raises(httpx2.ConnectError):
        opened().get(url)
    careful = opened(trusting(certificates))
    assert not hit(careful.get(url))
    assert hit(careful.get(url))


def test_what_a_tls_context_trusts_is_part_of_the_key(
    opened: Open, tls_origin: Origin, certificates: Certificates, strange: Certificates
) -> None:
    url = tls_origin.on("/", fresh(b"hello"))
    opened(trusting(certificates), peer="lab").get(url)
    assert hit(opened(trusting(certificates), peer="lab").get(url))
    assert not hit(opened(trusting(certificates, strange), peer="lab").get(url))
    assert not hit(opened(trusting(certificates, check_hostname=False), peer="lab").get(url))
    assert not hit(opened(trusting(certificates), peer="lab, with the certificate of ann").get(url))


def test_tls_contexts_that_trust_the_same_are_one_peer(
    opened: Open, tls_origin: Origin, certificates: Certificates
) -> None:
    url = tls_origin.on("/", fresh(b"hello"))
    opened(trusting(certificates)).get(url)
    assert hit(opened(trusting(certificates)).get(url))


def test_a_context_that_leaves_verifying_to_the_system_is_taken(opened: Open, origin: WatchedOrigin) -> None:
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert opened(httpx2.HTTPTransport(verify=context)).get(origin.on("/", fresh(b"hello"))).content == b"hello"


def test_the_servers_name_and_another_target_are_told_apart(
    opened: Open, tls_origin: Origin, certificates: Certificates
) -> None:
    url = tls_origin.on("/", fresh(b"hello"))
    tls_origin.on("/else", fresh(b"else"))
    client = opened(trusting(certificates))
    client.get(url)
    assert not hit(client.get(url, extensions={"sni_hostname": "localhost"}))
    assert client.get(url, extensions={"target": b"/else"}).content == b"else"
    assert hit(client.get(url))


def test_the_default_transport_said_aloud_is_the_same_peer(opened: Open, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(b"hello"))
    opened().get(url)
    assert hit(opened(httpx2.HTTPTransport(retries=1)).get(url))


class _Named(http.server.BaseHTTPRequestHandler):
    """Says what its server's place is called."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = str(self.server.server_address).rpartition("/")[2].encode()
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=60")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_unix_socket_is_a_peer_of_its_own(opened: Open, tmp_path: Path) -> None:
    servers = [socketserver.ThreadingUnixStreamServer(str(tmp_path / name), _Named) for name in ("one", "two")]
    threads = [threading.Thread(target=each.serve_forever, args=(0.01,)) for each in servers]
    for thread in threads:
        thread.start()
    try:
        clients = [opened(httpx2.HTTPTransport(uds=str(tmp_path / name))) for name in ("one", "two")]
        assert [each.get("http://localhost/").content for each in clients * 2] == [b"one", b"two"] * 2
    finally:
        for client in clients:
            client.close()
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


@pytest.mark.parametrize("coded", [False, True])
def test_a_response_that_was_read_before_it_came_is_stored_as_it_came(opened: Open, coded: bool) -> None:
    """By a transport that logs bodies, perhaps; of one that was coded the bytes as received are gone."""
    body = gzip.compress(b"hello") if coded else b"hello"
    fields = {"Cache-Control": "max-age=60"} | ({"Content-Encoding": "gzip"} if coded else {})

    def respond(_: httpx2.Request) -> httpx2.Response:
        response = httpx2.Response(200, headers=fields, content=iter([body]))
        response.read()
        return response

    client = opened(httpx2.MockTransport(respond))
    first, second = (client.get("http://app/") for _ in range(2))
    assert [first.content, second.content] == [b"hello"] * 2
    assert second.extensions["from_cache"] is not coded
    assert ("decoded" if coded else "stored") in first.extensions["cache_status"]
