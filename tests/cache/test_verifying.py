"""Chunks that are verified in threads: what counts as one, and how their reader waits."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from unittest.mock import call

import pytest
from scripted import after, played, scripted_engine

from sansio_cache.bodies import HashList
from sansio_cache.records import chunk_hashes
from sansio_cache_adapters.cache.verifying import checked, failed, settled, soon

HASHES = HashList(chunk_hashes(b"chunk"))


@pytest.mark.parametrize(("chunk", "found"), [(b"chunk", b"chunk"), (b"another", None), ("chunk", None), (None, None)])
def test_a_chunk_is_the_one_that_was_signed(chunk: object, found: bytes | None) -> None:
    assert checked(HASHES, 0, chunk) == found


def test_what_is_there_is_not_waited_for() -> None:
    future: Future[int] = Future()
    future.set_result(3)
    assert played(settled(scripted_engine(), future)) == 3
    with pytest.raises(LookupError):
        played(settled(scripted_engine(), failed(LookupError())))


def test_the_rest_is_waited_for_as_the_engine_waits() -> None:
    engine = scripted_engine()
    future: Future[int] = Future()

    def done() -> bool:
        future.set_result(3)
        return True

    waits = call.wait(future, 1.0)
    assert played(settled(engine, future), (waits, after(engine.clock, 1.0, False)), (waits, done)) == 3


def test_a_check_is_made_in_a_thread_of_its_own() -> None:
    assert soon(threading.get_ident).result(30) != threading.get_ident()


@pytest.mark.usefixtures("verified_at_once")
def test_where_there_are_no_threads_it_is_made_at_once() -> None:
    assert soon(threading.get_ident).result(0) == threading.get_ident()
