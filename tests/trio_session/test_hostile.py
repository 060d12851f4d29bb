"""G17: of what a hostile or broken server sends, nothing partial and nothing wrong is ever stored."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from hostile import BROKEN, GOOD, OK, H
from left_behind import half_bodies
from local_origin import Conversation, Seen
from watched_origin import WatchedOrigin

from sansio_cache import MemoryStore, SQLiteStore, TrioCachedSession
from sansio_cache_adapters.trio.http.client import Timeout
from sansio_cache_adapters.trio.http.errors import ConnectTimeout, DecodingError, ReadTimeout, TransportError

pytestmark = pytest.mark.anyio

FRESH = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
CUT = gzip.compress(b"a much longer text than that" * 9)[:20]
MORE: list[tuple[str, bytes, type[TransportError]]] = [
    ("coding cut short", OK + b"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + CUT, DecodingError),
    ("no coding", OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", DecodingError),
]
ALL = BROKEN + MORE
DRIPPING = [(f"{row[0]}, dripping", *row[1:], False) for row in ALL if len(row[1]) < 10_000]
ROWS = [(*row, True) for row in ALL] + DRIPPING


def saying(
    sent: bytes, *, whole: bool = True, said: threading.Event | None = None
) -> Callable[[Seen, Conversation], None]:
    """Sends bytes, one by one unless they are sent whole, and closes.

    :param said: set when all was sent.
    """

    def speak(_: Seen, conversation: Conversation) -> None:
        for piece in [sent] if whole else [sent[at : at + 1] for at in range(len(sent))]:
            conversation.send(piece)
        if said is not None:
            said.set()

    return speak


async def read_in_pieces(session: TrioCachedSession, url: str) -> None:
    async with session.stream("GET", url) as response:
        async for _ in response.iter_bytes():
            pass


@pytest.mark.parametrize(("sent", "error", "whole"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
async def test_what_is_no_response_is_not_stored(
    origin: WatchedOrigin, sent: bytes, error: type[TransportError], whole: bool
) -> None:
    """Nor a part of it, however fresh it says it is: the client's own error, each time anew."""
    # A line that goes on from the one before must have none before it.
    fresh = sent if sent.startswith(OK + b" ") else sent.replace(OK, FRESH)
    url = origin.script("/", saying(fresh, whole=whole))
    store = MemoryStore()
    async with TrioCachedSession(cache=store, timeout=5) as session:
        for _ in range(2):
            with pytest.raises(error):
                await session.get(url)
        with pytest.raises(error):
            await read_in_pieces(session, url)
        active, idle, waiting = session.pool.counts
        assert (active, waiting) == (0, 0)
        # What was wrong with a coding only came whole: its connection rests until the server's end is heard.
        assert idle == 0 or error is DecodingError
        assert (await session.cache.size()).entries == half_bodies(store) == 0
    assert origin.count() >= 3  # some are so bad that the one retry of a kept connection is due


@pytest.mark.parametrize("length", [100, 3_000_000])
async def test_a_body_that_breaks_off_is_not_stored(origin: WatchedOrigin, tmp_path: Path, length: int) -> None:
    """Also where chunks of it have been written."""
    head = FRESH + b"Content-Length: %d\r\n\r\n" % length
    url = origin.script("/", saying(head + bytes(length - 1)))
    store = SQLiteStore(tmp_path / "c.sqlite")
    async with TrioCachedSession(cache=store) as session:
        with pytest.raises(TransportError):
            await session.get(url)
        size = await session.cache.size()
        store.flush(30)  # what was given up is written when something is, or in a while
        assert size.entries == half_bodies(store) == 0
    store.close()


# id, what comes before the response, what comes behind it
AROUND: list[tuple[str, bytes, bytes]] = [
    ("interim responses", (H + b"103 Early Hints\r\nCache-Control: no-store\r\nX: y\r\n\r\n") * 3, b""),
    ("more than promised", b"", b", and more"),
    ("a second response", b"", GOOD.replace(b"hello", b"wrong")),
    ("a second response that is fresh", b"", GOOD.replace(OK, FRESH).replace(b"hello", b"wrong")),
]


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "dripping"])
@pytest.mark.parametrize(("before", "behind"), [row[1:] for row in AROUND], ids=[row[0] for row in AROUND])
async def test_what_stands_around_a_response_is_no_part_of_it(
    origin: WatchedOrigin, before: bytes, behind: bytes, whole: bool
) -> None:
    """It is stored without, and the bytes behind it answer no request."""
    said = threading.Event()
    url = origin.script("/", saying(before + GOOD.replace(OK, FRESH) + behind, whole=whole, said=said))
    other = origin.script("/other", saying(GOOD.replace(b"hello", b"other")))
    async with TrioCachedSession(cache=MemoryStore()) as session:
        for expected in (False, True):
            response = await session.get(url)
            assert (response.content, response.from_cache) == (b"hello", expected)
            assert (response.headers["Cache-Control"], "X" in response.headers) == ("max-age=60", False)
            # What comes later than the next request is taken for its answer, by any client.
            await anyio.to_thread.run_sync(said.wait, 10)
            assert (await session.get(other)).content == b"other"
    assert origin.count("/") == 1


@pytest.mark.parametrize("sent", [b"", OK, FRESH + b"Content-Length: 9\r\n\r\nhello"], ids=["nothing", "head", "body"])
async def test_a_server_that_never_answers(origin: WatchedOrigin, sent: bytes) -> None:
    """The client's timeout, for the leader and for those who wait; nothing is stored, and the next one is fine."""
    answers = threading.Event()

    def hold(_: Seen, conversation: Conversation) -> None:
        if not answers.is_set():
            conversation.send(sent)
            conversation.wait_for_end()
        conversation.send(GOOD.replace(OK, FRESH))

    url = origin.script("/silent", hold)
    raised: list[ReadTimeout] = []
    store = MemoryStore()
    async with TrioCachedSession(cache=store, timeout=Timeout(read=0.2)) as session:

        async def one() -> None:
            with pytest.raises(ReadTimeout) as told:
                await session.get(url)
            raised.append(told.value)

        async with anyio.create_task_group() as nursery:
            for _ in range(5):
                nursery.start_soon(one)
        assert len(raised) == 5
        assert session.pool.counts == (0, 0, 0)
        assert (await session.cache.size()).entries == half_bodies(store) == 0
        answers.set()
        assert (await session.get(url, timeout=30)).content == b"hello"
        assert (await session.get(url)).from_cache


@pytest.fixture
def deaf() -> Iterator[int]:
    """The port of a server that accepts no connection, and whose queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_a_server_that_never_accepts(deaf: int) -> None:
    """The wait for a connection ends too, and nothing of it is left."""
    async with TrioCachedSession(cache=MemoryStore(), timeout=Timeout(connect=0.2)) as session:
        with (
            anyio.fail_after(30),
            pytest.raises(ConnectTimeout, match=rf"connecting to 127\.0\.0\.1:{deaf}: .* 0\.2 s"),
        ):
            await session.get(f"http://127.0.0.1:{deaf}/")
        assert session.pool.counts == (0, 0, 0)
        assert (await session.cache.size()).entries == 0


async def test_an_upgrade_that_was_asked_for_is_not_stored(origin: WatchedOrigin) -> None:
    """101 ends in the client's own error also where the request wanted it."""
    url = origin.script("/", saying(H + b"101 Switching Protocols\r\nUpgrade: x\r\nCache-Control: max-age=60\r\n\r\n"))
    wanted: dict[str, Any] = {"headers": {"Connection": "Upgrade", "Upgrade": "x"}}
    async with TrioCachedSession(cache=MemoryStore()) as session:
        with pytest.raises(TransportError, match="another protocol"):
            await session.get(url, **wanted)
        assert (await session.cache.size()).entries == 0
