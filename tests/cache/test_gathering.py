"""Gathering: chunks go where they belong, whichever thread brings them, and only verified ones."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from sansio_cache.bodies import HashList, OpenedBody
from sansio_cache.errors import StoreError
from sansio_cache.records import Flaw, chunk_hashes
from sansio_cache_adapters.cache.gathering import Gathering

SIZE = 1_048_576
CHUNKS = [bytes([number]) * SIZE for number in range(4)] + [b"the end"]
WHOLE = b"".join(CHUNKS)


def gathering(
    start: int = 0, stop: int = len(WHOLE), *, taken: int = 0, chunks: list[bytes] = CHUNKS
) -> tuple[Gathering, memoryview]:
    room = memoryview(bytearray(stop - start))
    head = SimpleNamespace(chunk_size=SIZE, length=len(WHOLE))
    record: Any = SimpleNamespace(head=head, stored=SimpleNamespace(entry=b"entry"))
    body = OpenedBody(HashList(b"".join(map(chunk_hashes, chunks))), taken, chunks[taken])
    return Gathering(body, record, start, room), room


def read(entry: bytes, index: int) -> bytes:
    assert entry == b"entry"
    return CHUNKS[index]


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        (0, len(WHOLE)),
        (0, 5),
        (3, SIZE),
        (3, SIZE + 3),
        (SIZE, 2 * SIZE),
        (SIZE - 1, 3 * SIZE + 1),
        (4 * SIZE + 1, 4 * SIZE + 3),
    ],
)
def test_every_byte_goes_to_its_place(start: int, stop: int) -> None:
    made, room = gathering(start, stop)
    made.work(read)
    assert (made.failure, bytes(room)) == (None, WHOLE[start:stop])


def test_a_chunk_that_was_verified_already_is_not_read_again() -> None:
    made, room = gathering(0, SIZE)
    assert (len(made), made.next()) == (0, None)
    assert room == CHUNKS[0]


def test_two_threads_share_the_work() -> None:
    """Each waits in its first chunk for the other to have begun one."""
    made, room = gathering(taken=4)
    both = threading.Barrier(2, timeout=10)
    begun = threading.local()

    def together(entry: bytes, index: int) -> bytes:
        if not hasattr(begun, "yes"):
            begun.yes = True
            both.wait()
        return read(entry, index)

    threads = [threading.Thread(target=made.work, args=(together,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (made.failure, bytes(room)) == (None, WHOLE)


@pytest.mark.parametrize("error", [StoreError("gone"), MemoryError(), ZeroDivisionError()])
def test_trouble_ends_it_and_is_remembered(error: Exception) -> None:
    asked: list[int] = []

    def fail(_: bytes, index: int) -> bytes:
        asked.append(index)
        raise error

    made, _ = gathering()
    made.work(fail)
    assert (made.failure, asked) == (error, [1])


@pytest.mark.parametrize("chunk", [CHUNKS[1], CHUNKS[2][:-1], "text", None])
def test_what_is_not_the_chunk_is_a_flaw(chunk: object) -> None:
    """G2: nothing of it is placed."""
    made, room = gathering()
    made.put(2, chunk)
    assert made.failure is Flaw.BODY
    assert bytes(room[2 * SIZE : 3 * SIZE]) == bytes(SIZE)


def test_a_chunk_of_another_length_than_the_head_says_is_a_flaw() -> None:
    """The hashes of what is not signed may be anybody's."""
    short = [*CHUNKS[:2], CHUNKS[2][:-1], *CHUNKS[3:]]
    made, _ = gathering(chunks=short)
    made.put(2, short[2])
    assert made.failure is Flaw.BODY


def test_nobody_writes_where_nobody_waits_any_more() -> None:
    made, room = gathering()
    room.release()
    made.put(1, CHUNKS[1])
    assert isinstance(made.failure, ValueError)


def test_once_stopped_no_other_chunk_is_begun() -> None:
    made, _ = gathering()
    made.stop()
    assert (len(made), made.next()) == (0, None)
