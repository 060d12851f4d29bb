"""What only a blocking client has: threads that share a fetch, validation in threads, waits that nothing cancels."""

from __future__ import annotations

import threading
from typing import Any

import httpx2
import pytest
from clock import Clock
from httpx_answers import FRESH, Open
from local_origin import Conversation, Reply, Seen, fresh
from watched_origin import WatchedOrigin

from sansio_cache import CacheTransport, MemoryStore


def test_one_thread_fetches_for_all(opened: Open, origin: WatchedOrigin) -> None:
    arrived, go = threading.Event(), threading.Event()

    def slow(_: Seen) -> Reply:
        arrived.set()
        go.wait(10)
        return fresh(b"hello")

    url = origin.on("/", slow)
    client = opened()
    bodies: list[bytes] = []
    threads = [threading.Thread(target=lambda: bodies.append(client.get(url).content)) for _ in range(20)]
    for each in threads:
        each.start()
    arrived.wait(10)
    go.set()
    for each in threads:
        each.join(10)
    assert bodies == [b"hello"] * 20
    assert origin.count() == 1


@pytest.mark.parametrize("later", [fresh(b"new"), Reply(b"new", fields={"Cache-Control": "no-store"})])
def test_a_stale_answer_is_validated_in_the_background(
    opened: Open, store: MemoryStore, origin: WatchedOrigin, clock: Clock, later: Reply
) -> None:
    url = origin.on("/", fresh(b"old", 10), later)
    client = opened(clock=clock, stale_while_revalidate=True)
    client.get(url)
    clock.advance(60)
    request = client.build_request("GET", url)
    assert client.send(request).content == b"old"
    request.url = httpx2.URL(origin.url("/mine"))  # what the user does next is not the background's
    client.close()  # waits for it
    assert [each.path for each in origin.seen] == ["/", "/"]
    assert opened(clock=clock).get(url).content == b"new"


def test_an_application_is_asked_in_the_background_too(opened: Open, clock: Clock) -> None:
    bodies = [b"old", b"new"]

    def respond(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"Cache-Control": "max-age=10"}, content=bodies.pop(0))

    inner = httpx2.MockTransport(respond)
    client = opened(inner, clock=clock, stale_while_revalidate=True)
    client.get("http://app/")
    clock.advance(60)
    assert client.get("http://app/").content == b"old"
    client.close()
    assert opened(inner, clock=clock).get("http://app/").content == b"new"


def test_a_background_validation_that_fails_is_told_and_changes_nothing(
    opened: Open, origin: WatchedOrigin, clock: Clock
) -> None:
    url = origin.on("/", fresh(b"old", 10))
    told: list[str] = []
    client = opened(clock=clock, stale_while_revalidate=True, on_event=lambda event: told.append(event.kind))
    client.get(url)
    origin.close()
    clock.advance(60)
    assert client.get(url).content == b"old"
    client.close()
    assert told == ["miss", "stored", "stale", "background-error"]


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
