"""What is done with an awaiting client over a cache while it is cancelled, at each step in turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import anyio
import anyio.lowlevel
from cancelling import by_scope
from clock import Clock
from local_origin import Conversation, Reply, Seen, fresh, redirect
from watched_origin import WatchedOrigin, tagged

from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses

__all__ = ["USES", "Cancel", "House", "Use", "cancel_everywhere", "cancel_in_half_a_body", "serve"]

LARGE = bytes(2_500_000)
STORED = {"Cache-Control": "max-age=60"}


class House(Protocol):
    """A client on an origin and a store."""

    origin: WatchedOrigin
    clock: Clock

    @property
    def cache(self) -> AsyncStoredResponses: ...
    async def get(self, path: str = "/") -> Any:
        """The response, its body read, redirects followed."""
        ...

    async def post(self, path: str, content: bytes) -> object: ...
    def stream(self, path: str) -> AbstractAsyncContextManager[Any]: ...
    def is_busy(self) -> bool:
        """Whether something is going on in the background, which ends by itself."""
        ...

    async def check(self) -> None:
        """Nothing is held in the store, and no connection is in use, neither here nor at the origin."""
        ...


Use = Callable[[House], Coroutine[Any, Any, None]]
Cancel = Callable[[Coroutine[Any, Any, Any], int], Awaitable[bool]]


def serve(origin: WatchedOrigin) -> None:
    """Have the origin answer what the uses ask for."""
    origin.on("/", fresh(b"hello"))
    origin.on("/large", fresh(LARGE))
    origin.on("/chunked", Reply([bytes(30_000)] * 5, fields=STORED, framing="chunked"))
    origin.on("/gzip", fresh(bytes(100_000), coded=True))
    origin.on("/old", redirect("/"))
    origin.on("/tagged", tagged(b"tagged"))
    origin.on("/no", Reply(b"no", fields={"Cache-Control": "no-store"}))


async def miss(house: House) -> None:
    await house.cache.delete(urls=[house.origin.url()])
    assert (await house.get()).content == b"hello"


async def found(house: House) -> None:
    assert (await house.get()).content == b"hello"


async def validate(house: House) -> None:
    for _ in range(2):
        assert (await house.get("/tagged")).content == b"tagged"


async def large(house: House) -> None:
    for _ in range(2):
        assert (await house.get("/large")).content == LARGE


async def decode(house: House) -> None:
    assert (await house.get("/gzip")).content == bytes(100_000)


async def follow(house: House) -> None:
    response = await house.get("/old")
    assert (response.content, len(response.history)) == (b"hello", 1)


async def not_stored(house: House) -> None:
    assert (await house.get("/no")).content == b"no"


async def unsafe(house: House) -> None:
    await house.post("/", b"new")


async def leave_unread(house: House) -> None:
    async with house.stream("/chunked"):
        await anyio.lowlevel.checkpoint()


async def stale(house: House) -> None:
    await house.get()
    house.clock.advance(3605)
    assert (await house.get()).content == b"hello"


async def wait_for_another(house: House) -> None:
    """One task leads and another waits for it."""
    await house.cache.delete(urls=[house.origin.url()])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.get)
        await anyio.sleep(0)
        await house.get()


USES: list[Use] = [
    *(miss, found, validate, large, decode, follow, not_stored, unsafe, leave_unread, stale, wait_for_another)
]


async def cancel_everywhere(house: House, use: Use, cancelled: Cancel) -> None:
    """The next request is fine, and everything that was taken has been given back."""
    for n in range(1, 3000):
        reached = await cancelled(use(house), n)
        while house.is_busy():
            await anyio.sleep(0.001)
        await house.check()
        assert (await house.get()).content == b"hello"
        await house.check()
        if not reached:
            break
    else:
        raise AssertionError("it never ends")
    assert n > 1
    await use(house)
    assert len((await house.get("/large")).content) == len(LARGE)


async def cancel_in_half_a_body(house: House, framing: str) -> None:
    """Wherever the reader is cancelled, and also once it waits for the rest: of that body nothing is stored."""

    def half(_: Seen, conversation: Conversation) -> None:
        reply = Reply(fields=STORED, framing=framing, length=3_000_000)
        conversation.send(reply.head() + (b"" if framing == "length" else b"%x\r\n" % 3_000_000) + bytes(1_500_000))
        conversation.wait_for_end()

    url = house.origin.script("/half", half)
    entries = (await house.cache.size()).entries
    for n in range(1, 3000):
        reached = False
        for patience in (0.3, 2):  # on a busy machine the first may be over before it waits for the rest
            with anyio.move_on_after(patience):
                reached = await by_scope(house.get("/half"), n)
            if reached:
                break
        await house.check()
        assert (await house.cache.size()).entries == entries
        assert not await house.cache.contains(url)
        if not reached:
            break
    assert n > 5
