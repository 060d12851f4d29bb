"""What only a blocking client has: threads that share a fetch, validation in threads, waits that nothing cancels."""

from __future__ import annotations

import threading
from typing import Any

import httpx2
from httpx_answers import FRESH, Open
from local_origin import Conversation, Reply, Seen, fresh
from watched_origin import WatchedOrigin

from sansio_cache import CacheTransport, MemoryStore


def test_one_thread_fetches_for_all(opened: Open, origin: WatchedOrigin) -> None:
    arrived, go = threading.Event(), threading.Event()

    def slow(_: Seen) -> Reply:
        arrived.set()
        go.wait(30)
        return fresh(b"hello")

    url = origin.on("/", slow)
    client = opened()
    bodies: list[bytes] = []
    threads = [threading.Thread(target=lambda: bodies.append(client.get(url).content)) for _ in range(20)]
    for each in threads:
        each.start()
    arrived.wait(30)
    go.set()
    for each in threads:
        each.join(30)
    assert bodies == [b"hello"] * 20
    assert origin.count() == 1


def test_closing_a_body_unread_never_waits_below_other_transports_either(opened: Open, origin: WatchedOrigin) -> None:
    """Nothing can be given up by cancelling it: the timeout that is changed is the request's own."""
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
    with opened(Copying()).stream("GET", origin.script("/", half), extensions={"timeout": mine}):
        assert copied["timeout"] == mine
    assert copied["timeout"] == {"read": 0.0}
    assert mine == {"read": 3600.0}
