"""``CacheTransport`` under ``httpx2.Client``: what is answered, what is stored, what is left as httpx2 has it."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from clock import Clock
from httpx_answers import FRESH, hit
from local_origin import Conversation, Reply, Seen, fresh, redirect
from watched_origin import WatchedOrigin, tagged

from sansio_cache import CacheTransport, MemoryStore
from sansio_cache_adapters.httpx.common import undecodable

TEXT = b"the quick brown fox " * 500


@pytest.fixture
def client(store: MemoryStore, clock: Clock) -> Iterator[httpx2.Client]:
    with httpx2.Client(transport=CacheTransport(cache=store, clock=clock)) as client:
        yield client


def test_a_hit_is_the_response_that_was_stored(client: httpx2.Client, origin: WatchedOrigin, clock: Clock) -> None:
    fields = [*FRESH.items(), ("Content-Type", "text/plain"), ("X-Name", "J\xf8rgen"), ("x-name", "two")]
    url = origin.on("/page", Reply(TEXT, fields=fields)) + "?b=2&a=1"
    miss = client.get(url)
    clock.advance(7)
    found = client.get(url, headers={"X-Mine": "1"})
    assert [each.target for each in origin.seen] == ["/page?b=2&a=1"]
    assert found.content == miss.content == TEXT
    assert (found.status_code, found.reason_phrase, found.http_version) == (200, "OK", "HTTP/1.1")
    added = (b"Age", b"Date")  # an origin that sends no Date: what is stored gets one (RFC 9110 §6.6.1)
    assert [pair for pair in found.headers.raw if pair[0] not in added] == miss.headers.raw
    assert found.headers["age"] == "7"
    assert found.headers.get_list("x-name") == ["J\xf8rgen", "two"]
    assert found.request.headers["x-mine"] == "1"
    assert (str(found.url), found.history, found.is_closed) == (url, [], True)
    assert found.elapsed.total_seconds() < 10


def test_what_the_cache_knows_is_in_the_extensions(client: httpx2.Client, origin: WatchedOrigin, clock: Clock) -> None:
    url = origin.on("/", fresh(b"hello"))
    began = clock.now
    miss = client.get(url).extensions
    clock.advance(5)
    found = client.get(url).extensions
    assert (miss["from_cache"], found["from_cache"]) == (False, True)
    assert miss["created_at"] == found["created_at"] == datetime.fromtimestamp(began, UTC)
    assert miss["expires"] == found["expires"] == datetime.fromtimestamp(began + 3600, UTC)
    assert miss["cache_key"] == found["cache_key"]
    assert len(bytes.fromhex(found["cache_key"])) == 32
    assert (miss["revalidated"], found["revalidated"]) == (False, False)
    assert miss["cache_status"] == "sansio-cache;fwd=uri-miss;fwd-status=200;stored"
    assert found["cache_status"] == "sansio-cache;hit;ttl=3595"


def test_what_is_not_stored_passes_untouched(client: httpx2.Client, origin: WatchedOrigin) -> None:
    url = origin.on("/", Reply(b"hello", 299, {"Cache-Control": "no-store"}, "Mine"))
    response = client.get(url)
    assert (response.content, response.reason_phrase) == (b"hello", "Mine")
    extensions = response.extensions
    assert (extensions["from_cache"], extensions["created_at"], extensions["expires"]) == (False, None, None)
    client.get(url)
    assert origin.count() == 2


def test_without_a_reason_there_is_that_of_the_status(client: httpx2.Client, origin: WatchedOrigin) -> None:
    url = origin.on("/", Reply(b"hello", fields=FRESH, reason=""))
    client.get(url)
    assert client.get(url).reason_phrase == "OK"


def test_a_stale_response_is_validated_and_its_connection_used_again(
    client: httpx2.Client, origin: WatchedOrigin
) -> None:
    url = origin.on("/", tagged(TEXT))
    client.get(url)
    response = client.get(url)
    assert response.content == TEXT
    assert (response.extensions["revalidated"], hit(response)) == (True, True)
    assert origin.last().get("if-none-match") == '"tag"'
    assert "if-none-match" not in response.request.headers
    client.get(url)
    assert (origin.count(), origin.accepted) == (3, 1)


def test_cookies_come_with_the_exchange_and_never_from_the_store(
    client: httpx2.Client, origin: WatchedOrigin, clock: Clock
) -> None:
    url = origin.on("/", fresh(b"hello", 10, set_cookie="a=1", etag='"tag"'), tagged(b"", set_cookie="b=2"))
    client.get(url)
    assert dict(client.cookies) == {"a": "1"}
    client.cookies.clear()
    assert "set-cookie" not in client.get(url).headers
    assert dict(client.cookies) == {}
    clock.advance(60)
    response = client.get(url)
    assert (response.content, response.extensions["revalidated"]) == (b"hello", True)
    assert response.headers.get_list("set-cookie") == ["b=2"]
    assert dict(client.cookies) == {"b": "2"}


def test_redirects_are_cached_hop_by_hop_with_their_history(client: httpx2.Client, origin: WatchedOrigin) -> None:
    url = origin.on("/old", redirect("/new", 301))
    origin.on("/new", fresh(b"here"))
    first = client.get(url, follow_redirects=True)
    second = client.get(url, follow_redirects=True)
    for response in (first, second):
        assert (response.content, response.url.path) == (b"here", "/new")
        assert [(hop.status_code, hop.url.path, hop.content) for hop in response.history] == [(301, "/old", b"moved")]
    assert [hit(each) for each in (*second.history, second)] == [True, True]
    assert origin.count() == 2
    left = client.get(url)
    assert left.next_request is not None
    assert (left.status_code, left.next_request.url.path) == (301, "/new")


def test_content_coding_is_kept_in_the_store_and_decoded_by_httpx2(
    client: httpx2.Client, store: MemoryStore, origin: WatchedOrigin
) -> None:
    url = origin.on("/", fresh(TEXT, coded=True))
    assert client.get(url).content == client.get(url).content == TEXT
    with client.stream("GET", url) as response:
        raw = b"".join(response.iter_raw())
    assert gzip.decompress(raw) == TEXT
    assert origin.count() == 1
    assert store.size().bytes < len(TEXT) / 5


def test_a_cut_coding_is_not_stored(client: httpx2.Client, store: MemoryStore, origin: WatchedOrigin) -> None:
    cut = gzip.compress(TEXT)[:-10]
    url = origin.on("/", fresh(cut, content_encoding="gzip"))
    for _ in range(2):
        with client.stream("GET", url) as response:
            assert b"".join(response.iter_raw()) == cut
    assert (origin.count(), store.size().entries) == (2, 0)


def test_codings_that_this_httpx2_does_not_decode_are_known(client: httpx2.Client) -> None:
    assert undecodable() == {"br", "zstd"} - set(client.headers["accept-encoding"].split(", "))


# Bodies


def in_pieces(body: bytes) -> Reply:
    pieces = [body[at : at + 100_000] for at in range(0, len(body), 100_000)]
    return Reply(pieces, fields=FRESH, framing="chunked")


def test_a_large_body_streams_on_a_miss_and_on_a_hit(client: httpx2.Client, origin: WatchedOrigin) -> None:
    body = bytes(range(256)) * 16_384
    url = origin.on("/", in_pieces(body))
    for _ in range(2):
        with client.stream("GET", url) as response:
            pieces = list(response.iter_bytes())
        assert b"".join(pieces) == body
        assert max(map(len, pieces)) <= 1024**2
        assert response.num_bytes_downloaded == len(body)
    assert origin.count() == 1
    assert client.get(url).content == body


def test_the_body_of_a_hit_outlives_its_client(store: MemoryStore, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(bytes(3_000_000)))
    with httpx2.Client(transport=CacheTransport(cache=store)) as client:
        client.get(url)
        response = client.send(client.build_request("GET", url), stream=True)
    assert hit(response)
    assert response.read() == bytes(3_000_000)


def test_a_body_left_in_the_middle_is_not_stored(
    client: httpx2.Client, store: MemoryStore, origin: WatchedOrigin
) -> None:
    url = origin.on("/", fresh(bytes(3_000_000)))
    with client.stream("GET", url) as response:
        for _ in response.iter_raw():
            break
    origin.wait_for_none()
    assert store.size().entries == 0
    assert len(client.get(url).content) == 3_000_000
    assert hit(client.get(url))


def test_a_response_dropped_unread_frees_those_who_wait(client: httpx2.Client, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(bytes(3_000_000)))
    response = client.send(client.build_request("GET", url), stream=True)
    waited: list[httpx2.Response] = []
    thread = threading.Thread(target=lambda: waited.append(client.get(url)))
    thread.start()
    del response
    thread.join(5)
    assert len(waited[0].content) == 3_000_000


def at_once(data: bytes) -> Callable[[Seen, Conversation], None]:
    """A script that sends a message in one piece."""
    return lambda _, conversation: conversation.send(data)


CHUNKED = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("framing", ["length", "chunked", "empty", "head"])
def test_what_has_arrived_of_a_body_closed_unread_is_kept(
    client: httpx2.Client, origin: WatchedOrigin, framing: str
) -> None:
    url = origin.on("/", fresh(b"" if framing == "empty" else b"hello"))
    if framing == "chunked":
        origin.script("/", at_once(CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"))
    method = "HEAD" if framing == "head" else "GET"
    with client.stream(method, url):
        pass
    assert hit(client.request(method, url))
    # The origin waits for the next request: the connection was given back.
    assert framing == "chunked" or origin.open == 1


def test_closing_a_body_unread_never_waits_for_it(
    client: httpx2.Client, store: MemoryStore, origin: WatchedOrigin
) -> None:
    def half(_: Seen, conversation: Conversation) -> None:
        conversation.send(Reply(b"half", fields=FRESH, length=8).head() + b"half")
        conversation.wait_for_end()

    with client.stream("GET", origin.script("/", half)):
        pass
    origin.wait_for_none()
    assert store.size().entries == 0


def test_closing_a_body_unread_never_waits_below_other_transports_either(origin: WatchedOrigin) -> None:
    inner = CacheTransport(cache=MemoryStore())
    copied: dict[str, Any] = {}

    class Copying(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            copied.update(request.extensions)
            copy = httpx2.Request(request.method, request.url, headers=request.headers, extensions=copied)
            return inner.handle_request(copy)

    def half(_: Seen, conversation: Conversation) -> None:
        conversation.send(Reply(b"half", fields=FRESH, length=8).head() + b"half")
        conversation.wait_for_end()

    mine = {"read": 3600.0}
    with httpx2.Client(transport=CacheTransport(Copying(), MemoryStore())) as client:
        with client.stream("GET", origin.script("/", half), extensions={"timeout": mine}):
            assert copied["timeout"] == mine
        assert copied["timeout"] == {"read": 0.0}
    assert mine == {"read": 3600.0}


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_more_than_a_little_is_not_read_of_a_body_closed_unread(
    client: httpx2.Client, store: MemoryStore, origin: WatchedOrigin, framing: str
) -> None:
    reply = fresh(bytes(3_000_000)) if framing == "length" else in_pieces(bytes(3_000_000))
    with client.stream("GET", origin.on("/", reply)):
        pass
    origin.wait_for_none()
    assert store.size().entries == 0


def test_the_last_byte_is_the_end(client: httpx2.Client, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(b"hello"))
    with client.stream("GET", url) as response:
        assert next(response.iter_raw()) == b"hello"
        assert hit(client.get(url))


BROKEN = {
    "short": Reply(b"half", fields=FRESH, length=8).head() + b"half",
    "no end of chunks": CHUNKED + b"4\r\nhalf\r\n",
    "no chunk": CHUNKED + b"4\r\nhalf\r\nzz\r\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_body_fails_as_without_a_cache_and_is_not_stored(
    client: httpx2.Client, store: MemoryStore, origin: WatchedOrigin, kind: str
) -> None:
    url = origin.script("/", at_once(BROKEN[kind]))
    with httpx2.Client() as plain, pytest.raises(httpx2.HTTPError) as expected:
        plain.get(url)
    for _ in range(2):
        with pytest.raises(type(expected.value)) as raised:
            client.get(url)
        assert str(raised.value) == str(expected.value)
        assert raised.value.request.url == url
    assert store.size().entries == 0


# Errors


def test_errors_of_the_network_are_httpx2s_own(client: httpx2.Client, origin: WatchedOrigin) -> None:
    origin.close()
    with pytest.raises(httpx2.ConnectError) as raised:
        client.get(origin.url())
    assert raised.value.request.method == "GET"
    with pytest.raises(httpx2.UnsupportedProtocol):
        client.get("ftp://127.0.0.1/")


def test_timeouts_are_httpx2s_own(client: httpx2.Client, origin: WatchedOrigin) -> None:
    url = origin.script("/", lambda _, conversation: conversation.wait_for_end())
    with pytest.raises(httpx2.ReadTimeout):
        client.get(url, timeout=0.05)


def test_a_stale_response_stands_in_for_an_origin_that_fails(
    store: MemoryStore, origin: WatchedOrigin, clock: Clock
) -> None:
    url = origin.on("/", fresh(b"hello", 1), Reply(b"sorry", 503))
    with httpx2.Client(transport=CacheTransport(cache=store, clock=clock, stale_if_error=True)) as client:
        client.get(url)
        clock.advance(60)
        assert client.get(url).content == b"hello"
        origin.close()
        response = client.get(url)
        assert (response.content, hit(response)) == (b"hello", True)
    assert origin.count() == 2
