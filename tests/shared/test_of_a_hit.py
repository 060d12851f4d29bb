"""What a hit says of itself is what its miss said, in every client."""

from __future__ import annotations

from typing import Any

import pytest
from client_bodies import CLIENTS, opened_client
from clock import Clock
from local_origin import Conversation, Origin, Seen, fresh

from sansio_cache import MemoryStore


def version_of(client: str, response: Any) -> str:
    """The version of HTTP in a client's own response."""
    if client.startswith("httpx2"):
        return str(response.http_version)
    if client == "trio":
        return str(response.http_version)
    if client == "aiohttp":
        return f"HTTP/{response.version.major}.{response.version.minor}"
    assert response.raw.version_string == "HTTP/1.1"
    return {10: "HTTP/1.0", 11: "HTTP/1.1"}[response.raw.version]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_version_is_the_one_it_came_with(client: str, version: str, stream: bool, origin: Origin) -> None:
    def answer(_: Seen, peer: Conversation) -> None:
        peer.send(f"{version} 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1\r\n\r\nx".encode())

    url = origin.script("/a", answer)
    with opened_client(client, MemoryStore()) as session:
        for from_cache in (False, True):
            got = session.get(url, stream=stream)
            assert (got.from_cache, version_of(client, got.response)) == (from_cache, version)


@pytest.mark.parametrize("writer", CLIENTS)
@pytest.mark.parametrize("reader", ["requests", "aiohttp", "trio", "httpx2"])
def test_so_is_that_of_a_hit_of_another_client(writer: str, reader: str, origin: Origin) -> None:
    answer = b"HTTP/1.0 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1\r\n\r\nx"
    url = origin.script("/a", lambda _, peer: peer.send(answer))
    store = MemoryStore()
    with opened_client(writer, store) as session:
        session.get(url)
        session.settle()
    with opened_client(reader, store) as session:
        got = session.get(url)
        assert (got.from_cache, version_of(reader, got.response)) == (True, "HTTP/1.0")


@pytest.mark.parametrize("client", ["requests", "aiohttp", "trio"])
@pytest.mark.parametrize("stream", [False, True])
def test_whether_it_is_expired_is_asked_of_the_sessions_clock(
    client: str, stream: bool, origin: Origin, clock: Clock
) -> None:
    url = origin.on("/a", fresh(b"x", 60))
    with opened_client(client, MemoryStore(), clock=clock) as session:
        clock.advance(1_000_000)
        both = [session.get(url, stream=stream).response for _ in range(2)]
        assert [each.is_expired for each in both] == [False, False]
        clock.advance(61)
        assert [each.is_expired for each in both] == [True, True]
        clock.advance(-1_000_061)


@pytest.mark.parametrize("size", [0, 5, 100_000, 3_000_000])
@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_the_bytes_of_aiohttps_content_are_counted(size: int, coded: bool, stream: bool, origin: Origin) -> None:
    """``content.total_bytes``: those of the content, whole or streamed, of a hit as of a miss."""
    url = origin.on("/a", fresh(b"x" * size, coded=coded))

    def total(session: Any) -> int:
        got = session.get(url, stream=stream)
        assert len(got.body) == size

        async def counted() -> int:
            return int(got.response.content.total_bytes)

        return int(session.portal.call(counted))

    with opened_client("aiohttp", MemoryStore()) as session:
        assert [total(session) for _ in range(2)] == [size, size]
        assert session.stats.hits == 1
