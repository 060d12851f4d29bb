"""Single flight between the threads of a process, and between processes; no request waits in vain."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from local_origin import Conversation, Origin, Reply, Seen, fresh
from patience import SOON
from workers import ask

from sansio_cache import CachedSession, MemoryStore
from sansio_cache_adapters.cache.flights import FLIGHTS
from sansio_cache_adapters.stores.finalizers import RELEASING

CROWD = 50


def together(count: int, call: Callable[[], Any]) -> list[Any]:
    """What ``call`` gives in so many threads at once; an exception is a result."""
    barrier = threading.Barrier(count)

    def one(_: int) -> Any:
        barrier.wait(30)
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def gathered(count: int) -> None:
    """Wait until so many threads wait for flights of others."""

    def waiting() -> int:
        with FLIGHTS._lock:
            flights = list(FLIGHTS._flights.values())
        return sum(len((each.done if each.head.done() else each.head)._waiters) for each in flights)

    deadline = time.monotonic() + 20
    while waiting() < count:
        assert time.monotonic() < deadline, f"{waiting()} have gathered"
        time.sleep(0.005)


def to_a_crowd(reply: Reply, count: int) -> Callable[[Seen], Reply]:
    """A reply that comes when so many wait for it, beside the one who asks."""

    def answer(_: Seen) -> Reply:
        gathered(count)
        return reply

    return answer


@pytest.fixture(params=["sqlite", "memory"])
def session(request: pytest.FixtureRequest, sessions: Any) -> CachedSession:
    made: CachedSession = sessions() if request.param == "sqlite" else sessions(MemoryStore())
    return made


def test_a_crowd_on_a_cold_key_fetches_once(session: CachedSession, origin: Origin) -> None:
    """One goes, all get it."""
    url = origin.on("/a", to_a_crowd(fresh(b"x"), CROWD - 1))
    answers = together(CROWD, lambda: session.get(url).content)
    assert answers == [b"x"] * CROWD
    assert origin.count() == 1
    assert session.cache.stats.hits == CROWD - 1
    assert FLIGHTS.count() == 0


def test_a_crowd_of_sessions_on_one_store_fetches_once(sessions: Any, origin: Origin) -> None:
    """A session for each thread is what requests advises."""
    url = origin.on("/a", to_a_crowd(fresh(b"x"), 19))
    assert together(20, lambda: sessions().get(url).content) == [b"x"] * 20
    assert origin.count() == 1


def test_a_crowd_on_a_stale_key_validates_once(session: CachedSession, origin: Origin) -> None:
    """Who waited may use what came, though it is stale again at once (RFC 9111 §4)."""
    confirmed = to_a_crowd(Reply(status=304, fields={"ETag": '"1"'}, framing="none"), CROWD - 1)
    url = origin.on("/a", fresh(b"x", 0, etag='"1"'), confirmed)
    session.get(url)
    assert together(CROWD, lambda: session.get(url).content) == [b"x"] * CROWD
    assert origin.count() == 2
    assert session.cache.stats.collapsed == CROWD - 1


def test_different_users_do_not_share_a_flight(session: CachedSession, origin: Origin) -> None:
    """Each has a key of their own."""

    all_five = threading.Barrier(5, timeout=20)

    def answer(seen: Seen) -> Reply:
        all_five.wait()
        return fresh((seen.get("X-API-Key") or "").encode())

    url = origin.on("/a", answer)
    names = iter([str(number % 5) for number in range(20)])
    lock = threading.Lock()

    def call() -> bool:
        with lock:
            name = next(names)
        return session.get(url, headers={"X-API-Key": name}).content == name.encode()

    assert together(20, call) == [True] * 20
    assert origin.count() == 5


def test_when_the_leader_fails_another_goes(session: CachedSession, origin: Origin) -> None:
    """The failure is the leader's own."""

    def script(seen: Seen, peer: Conversation) -> None:
        if origin.count() == 1:
            gathered(9)
            peer.reset()
        else:
            peer.reply(fresh(b"x"), seen.method)

    url = origin.script("/a", script)
    answers = together(10, lambda: session.get(url).content)
    assert sum(isinstance(answer, requests.ConnectionError) for answer in answers) == 1
    assert sum(answer == b"x" for answer in answers) == 9
    assert origin.count() == 2


def test_when_the_leaders_body_breaks_another_goes(session: CachedSession, origin: Origin) -> None:
    """A body that was cut is not given to others."""

    def script(seen: Seen, peer: Conversation) -> None:
        if origin.count() == 1:
            gathered(9)
            peer.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nx")
        else:
            peer.reply(fresh(b"x"), seen.method)

    url = origin.script("/a", script)
    answers = together(10, lambda: session.get(url).content)
    assert sum(answer == b"x" for answer in answers) == 9
    assert origin.count() == 2


def test_an_answer_that_is_not_stored_sets_all_free_at_once(session: CachedSession, origin: Origin) -> None:
    """When its head has come: its body only comes when everybody else has asked too."""
    all_there = threading.Event()

    def pieces() -> Iterator[bytes]:
        if origin.count() == CROWD:
            all_there.set()
        assert all_there.wait(20)
        yield b"x"

    def answer(_: Seen) -> Reply:
        if origin.count() == 1:
            gathered(CROWD - 1)
        return Reply(pieces(), fields={"Cache-Control": "no-store"}, framing="chunked")

    url = origin.on("/a", answer)
    assert together(CROWD, lambda: session.get(url, timeout=60).content) == [b"x"] * CROWD
    assert origin.count() == CROWD


def test_nobody_queues_for_what_was_not_stored_a_moment_ago(session: CachedSession, origin: Origin) -> None:
    """The key is remembered: even the head is not waited for."""
    url = origin.on("/a", Reply(b"x", fields={"Cache-Control": "no-store"}))
    session.get(url)
    both = threading.Barrier(2)

    def answer(_: Seen) -> Reply:
        both.wait(20)
        return Reply(b"y", fields={"Cache-Control": "no-store"})

    origin.on("/a", answer)
    assert together(2, lambda: session.get(url, timeout=60).content) == [b"y", b"y"]


@pytest.mark.parametrize("reads", [False, True])
def test_a_leader_whose_body_takes_long_sets_all_free(sessions: Any, origin: Origin, reads: bool) -> None:
    """After ``wait_for_body``, whether it is the origin that rests or the reader."""
    session = sessions(wait_for_body=0.1)
    go_on = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"x"
        if origin.count() == 1:
            assert go_on.wait(20)
        yield b"y"

    url = origin.on("/a", lambda _: Reply(pieces(), fields={"Cache-Control": "max-age=60"}, framing="chunked"))
    with session.get(url, stream=True) as leader:
        if reads:
            chunks = leader.iter_content(1)
            assert next(chunks) == b"x"
        started = time.monotonic()
        answers = together(5, lambda: session.get(url, timeout=60).content)
        assert answers == [b"xy"] * 5
        assert time.monotonic() - started < 15
        # No request waits for that body any longer, and a response that came meanwhile is stored.
        assert session.get(url).from_cache
        go_on.set()


def test_who_leads_does_not_wait_for_itself(sessions: Any, origin: Origin) -> None:
    """The same thread asks again while its own first answer is still unread."""
    session = sessions(wait_for_body=30, wait_for_leader=30)
    url = origin.on("/a", fresh(bytes(5_000_000)))
    with session.get(url, stream=True) as first:
        started = time.monotonic()
        assert len(session.get(url).content) == 5_000_000
        assert time.monotonic() - started < SOON
        assert len(first.content) == 5_000_000


def test_waiting_ends_with_patience(sessions: Any, origin: Origin) -> None:
    """``wait_for_leader``: then one fetches for oneself."""
    session = sessions(wait_for_leader=0.2)
    go_on = threading.Event()

    def script(seen: Seen, peer: Conversation) -> None:
        if origin.count() == 1:
            assert go_on.wait(20)
        peer.reply(fresh(b"x"), seen.method)

    url = origin.script("/a", script)
    leader = threading.Thread(target=session.get, args=(url,))
    leader.start()
    while not origin.count():
        time.sleep(0.005)
    assert session.get(url, timeout=10).content == b"x"
    go_on.set()
    leader.join(30)


def test_a_leader_that_was_dropped_unread_leaves_nobody_waiting(session: CachedSession, origin: Origin) -> None:
    """Its finalizer has the flight ended, even in the midst of another's step, for which it does not wait."""
    url = origin.on("/a", fresh(bytes(5_000_000)))
    session.get(url, stream=True)
    assert RELEASING.wait(30)
    assert FLIGHTS.count() == 0
    response = session.get(url, stream=True)
    with FLIGHTS._lock:
        del response
    assert RELEASING.wait(30)
    assert FLIGHTS.count() == 0


def test_a_write_ends_what_was_being_fetched(session: CachedSession, origin: Origin) -> None:
    """A response to an earlier request is not stored, and no request joins its fetch (RFC 9111 §4.4)."""
    asked, go_on = threading.Event(), threading.Event()

    def answer(seen: Seen) -> Reply:
        if seen.method == "GET" and not asked.is_set():
            asked.set()
            assert go_on.wait(20)
            return fresh(b"old")
        return fresh(b"new")

    url = origin.on("/a", answer)
    reader = threading.Thread(target=session.get, args=(url,))
    reader.start()
    assert asked.wait(20)
    session.post(url)
    assert session.get(url, timeout=10).content == b"new"
    go_on.set()
    reader.join(30)
    assert session.get(url).content == b"new"


def test_another_process_does_not_wait_for_a_reader_at_rest(sessions: Any, origin: Origin) -> None:
    """The lease is given back after ``wait_for_body``, though its process neither reads nor asks."""
    url = origin.on("/a", fresh(b"x" * 5_000_000))
    session = sessions(wait_for_body=0.1)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    with session.get(url, stream=True) as unread:
        worker = context.Process(target=ask, args=(session, url, results))
        worker.start()
        from_cache, content = results.get(timeout=60)
        assert (from_cache, len(content)) == (False, 5_000_000)
        worker.join(20)
        assert len(unread.content) == 5_000_000
    assert session.get(url).from_cache


def test_processes_share_a_flight(sessions: Any, origin: Origin) -> None:
    """Through the lease in the store."""

    def answer(_: Seen) -> Reply:
        time.sleep(1.0)  # how many wait in other processes cannot be seen here; who comes later hits
        return fresh(b"x")

    url = origin.on("/a", answer)
    session = sessions()
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=ask, args=(session, url, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=50) for _ in workers]
    for worker in workers:
        worker.join(20)
    assert sorted(answers) in ([(False, b"x"), (True, b"x"), (True, b"x")], [(True, b"x")] * 3)
    assert origin.count() == 1
