"""Many processes, one store: one fetch for all, and what one keeps the others hit."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from local_origin import Origin, Reply, Seen, fresh
from patience import SOON
from remotes import Remote, ask_all

pytestmark = pytest.mark.once

WAIT = 0.4


def slow(body: bytes) -> Any:
    """An answer that takes its time, so that anyone who asks meanwhile has to wait."""

    def answer(_: Seen) -> Reply:
        time.sleep(WAIT)
        return fresh(body)

    return answer


@pytest.mark.parametrize("client", ["requests", "aiohttp"])
def test_fifty_requests_over_four_processes_make_one_fetch(
    kind: str, location: str, remotes: Any, origin: Origin, client: str
) -> None:
    """G28: single flight within each process, a lease between them."""
    four = remotes(kind, location, *[client] * 4, patience=30)
    url = origin.on("/cold", slow(b"one for all"))
    for each, count in zip(four, [13, 13, 12, 12], strict=True):
        each.tell("get", [url] * count)
    got = [one for each in four for one in each.got()]
    assert len(got) == 50
    assert {one.body for one in got} == {"one for all"}
    assert origin.count() == 1
    assert sum(one.from_cache for one in got) == 49
    assert max(one.seconds for one in got) < WAIT + SOON


def test_three_clients_make_one_fetch(kind: str, location: str, remotes: Any, origin: Origin) -> None:
    """G28: requests, aiohttp and trio ask one store for one cold URL at the same moment."""
    three = remotes(kind, location, "requests", "aiohttp", "trio", patience=30)
    url = origin.on("/cold", slow(b"one for all"))
    got = ask_all(three, *[url] * 5)
    assert [one.body for one in got] == ["one for all"] * 15
    assert origin.count() == 1


@pytest.mark.parametrize(("writer", "reader"), [("requests", "aiohttp"), ("aiohttp", "requests"), ("trio", "requests")])
def test_what_one_client_keeps_the_other_hits(
    kind: str, location: str, remotes: Any, origin: Origin, writer: str, reader: str, key: str
) -> None:
    """G24: in two processes at once, on one signed store; small bodies and one in chunks, plain and coded."""
    writes, reads = remotes(kind, location, writer, reader, secret_key=key, patience=30)
    bodies = [b"x" * 100, b"y" * 70_000, b"z" * 1_500_000]
    urls = [origin.on(f"/{index}", fresh(body, coded=index == 1)) for index, body in enumerate(bodies)]
    for url, body in zip(urls, bodies, strict=True):
        [got] = writes.get(url)
        assert (got.from_cache, got.body.encode()) == (False, body)
    deadline = time.monotonic() + 30  # an awaiting session's entry is queued
    for url, body in zip(urls, bodies, strict=True):
        [got] = reads.get(url)
        while not got.from_cache and time.monotonic() < deadline:
            [got] = reads.get(url)
        assert (got.from_cache, got.body.encode()) == (True, body)


def test_they_write_and_hit_at_once(kind: str, location: str, remotes: Any, origin: Origin) -> None:
    """G24: while each client writes its own URLs, all read the others'; in the end all hit all."""
    three: list[Remote] = remotes(kind, location, "requests", "aiohttp", "trio", patience=30)
    urls = [origin.on(f"/{index}", fresh(f"body {index}".encode() * 10)) for index in range(30)]
    for number, each in enumerate(three):
        each.tell("get", urls[number::3])
        each.tell("get", urls[number + 1 :: 3] + urls[number + 2 :: 3])
    for each in three:
        each.got()
    assert origin.count() <= 60
    count = origin.count()
    for each in three:
        got = each.get(*urls)
        assert all(one.from_cache for one in got)
        assert {one.body for one in got} == {f"body {index}" * 10 for index in range(30)}
    assert origin.count() == count


def test_a_leader_killed_midway(kind: str, location: str, remotes: Any, origin: Origin) -> None:
    """G21, G28: ``kill -9`` of the process that holds the lease; one of the others fetches at once, for all."""
    others = remotes(kind, location, "requests", "aiohttp", patience=30)
    leader = Remote("requests")
    asked, killed = threading.Event(), threading.Event()

    def answer(_: Seen) -> Reply:
        if not asked.is_set():
            asked.set()
            killed.wait(60)
        return fresh(b"at last")

    url = origin.on("/cold", answer)
    leader.do("open", kind, location)
    leader.tell("get", [url])
    assert asked.wait(60)
    for each in others:
        each.tell("get", [url] * 3)
    leader.kill()
    began = time.monotonic()
    got = [one for each in others for one in each.got()]
    took = time.monotonic() - began
    killed.set()
    assert [one.body for one in got] == ["at last"] * 6
    assert took < SOON  # they would have waited for 30
    assert origin.count() == 2
    assert all(one.from_cache for one in ask_all(others, url))
