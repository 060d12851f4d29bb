"""A stored body on its way into one piece of memory: threads read, verify and place its chunks, each one at a time."""

from __future__ import annotations

from collections import deque
from typing import Final

from sansio_cache.bodies import OpenedBody
from sansio_cache.records import Flaw, Record
from sansio_cache_adapters.stores.protocol import ReadChunk

from .verifying import checked

__all__ = ["THREADS", "Gathering"]

THREADS: Final = 2
"""That read and verify one body: more would only fight for the interpreter's lock between two system calls."""


class Gathering:
    """A stretch of a body, and the memory that it goes to. Several threads may do :meth:`work` at once.

    :param body: a chunk of which that was verified already is placed at once.
    :param start: the first byte of the stretch in the body.
    :param room: as many bytes as the stretch has.
    :ivar failure: what went wrong first: what the store has raised, or a flaw.
    """

    __slots__ = ("_entry", "_hashes", "_head", "_numbers", "_room", "_start", "failure")

    def __init__(self, body: OpenedBody, record: Record, start: int, room: memoryview) -> None:
        self._head = record.head
        self._entry = record.stored.entry
        self._hashes = body.hashes
        self._start = start
        self._room = room
        self.failure: Exception | Flaw | None = None
        size = record.head.chunk_size
        self._numbers = deque(range(start // size, -(-(start + len(room)) // size)))
        first = body.take(self._numbers[0])
        if first is not None:
            self._place(self._numbers.popleft(), first)

    def __len__(self) -> int:
        return len(self._numbers)

    def next(self) -> int | None:
        """The number of a chunk that was not taken yet; None where there is none, or after an error."""
        try:
            return self._numbers.popleft() if self.failure is None else None
        except IndexError:
            return None

    def work(self, read: ReadChunk) -> None:
        """Read, verify and place chunks as long as there are any. Raises nothing."""
        while (index := self.next()) is not None:
            try:
                chunk: object = read(self._entry, index)
            except Exception as error:  # a store of the user's own may raise anything
                self.failure = error
            else:
                self.put(index, chunk)

    def put(self, index: int, chunk: object) -> None:
        """Verify and place a chunk. Raises nothing."""
        try:
            verified = checked(self._hashes, index, chunk)
            if verified is None:
                self.failure = Flaw.BODY
            else:
                self._place(index, verified)
        except Exception as error:  # memory may run out, and who waited may have gone with the room
            self.failure = error

    def stop(self) -> None:
        """Let no thread begin another chunk."""
        self._numbers.clear()

    def _place(self, index: int, chunk: bytes) -> None:
        size, length = self._head.chunk_size, self._head.length
        if len(chunk) != min(size, length - index * size):
            # The hashes of an unsigned record may come from anyone.
            self.failure = Flaw.BODY
            return
        at = index * size - self._start
        cut = (
            chunk if 0 <= at <= len(self._room) - len(chunk) else memoryview(chunk)[max(-at, 0) : len(self._room) - at]
        )
        self._room[max(at, 0) : max(at, 0) + len(cut)] = cut
