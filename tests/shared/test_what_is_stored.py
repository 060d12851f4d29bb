"""``cache_status`` says *stored* of stored responses alone, and unread bodies are kept where they have arrived."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from client_bodies import CLIENTS, Client, opened_client
from local_origin import Conversation, Origin, Reply, Seen, fresh

from sansio_cache import MemoryStore, SQLiteStore

LARGE = b"x" * 3_000_000


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A store."""
    return MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "cache.sqlite")


def eventually_hit(session: Client, url: str) -> bool:
    """Whether a stored response answers, now or in a moment: who was told of an end works in its own time."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if session.get(url).from_cache:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("client", CLIENTS)
def test_what_was_read_is_stored(client: str, store: Any, origin: Origin) -> None:
    """Its status says so once it is, and not before."""
    url = origin.on("/a", fresh(LARGE))
    with opened_client(client, store) as session:
        assert "stored" in session.get(url, stream=True).cache_status
        assert session.stats.stored == 1
        assert session.get(url).from_cache


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("how", ["close", "drop"])
@pytest.mark.parametrize(("framing", "size"), [("length", 0), ("length", 5), ("chunked", 5), ("chunked", 5000)])
def test_what_came_with_its_head_is_kept(
    client: str, store: Any, how: str, framing: str, size: int, origin: Origin
) -> None:
    """It was not read; it had arrived as a whole when the head was given out."""

    def at_once(seen: Seen, peer: Conversation) -> None:
        body = b"x" * size
        if framing == "chunked":
            body = b"".join(b"1\r\n%c\r\n" % each for each in body) + b"0\r\n\r\n"
        fields = {"Cache-Control": "max-age=60", "Connection": "close"}
        line = ("Transfer-Encoding", "chunked") if framing == "chunked" else ("Content-Length", str(size))
        head = Reply(fields=[*fields.items(), line], framing="none").head()
        peer.send(head + body)
        peer.wait_for_end()

    url = origin.script("/a", at_once)
    with opened_client(client, store) as session:
        status = session.leave_unread(url, how)
        gc.collect()
        got = session.get(url)
        assert (got.from_cache, len(got.body)) == (True, size)
        if size < 5000:
            assert "stored" in status


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("how", ["close", "drop"])
def test_what_is_too_much_to_have_arrived_is_not(client: str, store: Any, how: str, origin: Origin) -> None:
    """The status and the counts say that it was not read."""
    url = origin.on("/a", fresh(LARGE))
    with opened_client(client, store) as session:
        assert 'detail="body-not-read"' in session.leave_unread(url, how)
        gc.collect()
        assert not session.get(url).from_cache
        # A response of aiohttp lives as long as its connection.
        if (client, how) != ("aiohttp", "drop"):
            assert session.stats.not_stored["body-not-read"] == session.stats.not_stored == 1
        assert session.get(url).from_cache


@pytest.mark.parametrize("client", [name for name in CLIENTS if name != "trio"])
def test_what_arrives_before_it_is_dropped_is_kept(client: str, store: Any, origin: Origin) -> None:
    """The head had come without it."""
    held, sent = threading.Event(), threading.Event()

    def later(seen: Seen, peer: Conversation) -> None:
        # A client that asks too early must not wait for an answer on this connection.
        peer.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nConnection: close\r\nContent-Length: 5\r\n\r\n")
        assert held.wait(30)
        peer.send(b"hello")
        sent.set()
        peer.wait_for_end()

    def arrive() -> None:
        held.set()
        assert sent.wait(30)
        time.sleep(0.05)  # on its way to us

    url = origin.script("/a", later)
    with opened_client(client, store) as session:
        assert 'detail="body-not-read"' in session.drop_later(url, arrive)
        gc.collect()
        origin.on("/a", Reply(status=503))
        assert eventually_hit(session, url)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("stream", [False, True])
def test_what_a_filter_keeps_out_is_not(client: str, store: Any, stream: bool, origin: Origin) -> None:
    url = origin.on("/a", fresh(b"x"))
    with opened_client(client, store, filter_fn=lambda request, response: False) as session:
        got = session.get(url, stream=stream)
        assert "stored" not in got.cache_status
        assert 'detail="filtered"' in got.cache_status
        assert session.stats.not_stored["filtered"] == session.stats.not_stored == 1


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("framing", "announced"), [("length", True), ("chunked", False)], ids=["announced", "found out"]
)
def test_what_is_longer_than_is_kept_is_not(
    client: str, store: Any, framing: str, announced: bool, origin: Origin
) -> None:
    reply = fresh(b"x" * 5000)
    reply.framing = framing
    url = origin.on("/a", reply)
    with opened_client(client, store, max_body=1000) as session:
        got = session.get(url)
        assert "stored" not in got.cache_status
        assert 'detail="too-large"' in got.cache_status
        assert session.stats.not_stored["too-large"] == 1


@pytest.mark.parametrize("client", ["requests", "aiohttp", "httpx2"])
def test_a_head_that_is_longer_than_is_kept_is_not(client: str, store: Any, origin: Origin) -> None:
    fields = [("Cache-Control", "max-age=60"), *((f"X-{number}", "x" * 4000) for number in range(18))]
    url = origin.on("/a", Reply(b"x", fields=fields))
    with opened_client(client, store) as session:
        try:
            got = session.get(url)
        except Exception:
            pytest.skip("the client itself takes no such head")
        assert "stored" not in got.cache_status
        assert 'detail="too-large"' in got.cache_status


@pytest.mark.parametrize("client", CLIENTS)
def test_what_the_origin_forbids_is_counted_by_its_reason(client: str, store: Any, origin: Origin) -> None:
    url = origin.on("/a", Reply(b"x", fields={"Cache-Control": "no-store"}))
    with opened_client(client, store) as session:
        assert 'detail="no-store"' in session.get(url).cache_status
        assert session.stats.not_stored.by_reason == {"no-store": 1}
        assert repr(session.stats.not_stored) == "1 {'no-store': 1}"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_body_that_breaks_off_is_not(client: str, store: Any, origin: Origin) -> None:
    reply = fresh(b"x" * 100)
    reply.length = 200
    url = origin.on("/a", reply)
    origin.script("/a", lambda seen, peer: peer.send(reply.head() + b"x" * 100))
    with opened_client(client, store) as session:
        with pytest.raises(Exception):  # noqa: B017 - each client has its own
            session.get(url)
        gc.collect()
        assert session.stats.stored == 0
        assert session.stats.not_stored == 1
