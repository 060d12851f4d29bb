"""One face for blocking, asyncio and trio clients, so that a scenario is written once.

A contender writes only `begin`, `get`, `stream` and `end`, in its own colour. The loops around them are here and cost
one call or one awaited coroutine per request: the same for every contender of a colour, ours and the limits included.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

if TYPE_CHECKING:
    from suite.model import Setting

T = TypeVar("T")
Colour = Literal["blocking", "asyncio", "trio"]

PIECE = 1 << 16
"""How much of a streamed body is asked for at a time."""


class Client(ABC):
    """A contender at work. Every number returned is a count of body bytes: a wrong one shows that a body was cut."""

    colour: ClassVar[Colour]
    multiplies: ClassVar[bool] = False
    """Whether `multiply` works."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    @abstractmethod
    async def start(self) -> None:
        """Import what is needed and open the session."""

    @abstractmethod
    async def close(self) -> None:
        """Close the session and its store."""

    @abstractmethod
    async def serial(self, urls: Sequence[str]) -> int:
        """Get these one after the other."""

    @abstractmethod
    async def at_once(self, urls: Sequence[str], width: int) -> int:
        """Get these from that many tasks or threads at once."""

    @abstractmethod
    async def drain(self, url: str) -> int:
        """Read this body piece by piece, keeping none."""

    async def fill(self, urls: Sequence[str]) -> int:
        """Put these into the store. Not timed, so the fastest way will do."""
        return await self.serial(urls)

    async def multiply(self, count: int, url: str) -> None:
        """Copy what was stored last, which is of this URL, until there are `count` entries.

        Filling a large store by requests takes minutes. Peers' rows are copied, since nothing binds them to their
        keys; ours are written anew, each under a URL of its own.
        """
        raise NotImplementedError

    async def purge(self) -> None:
        """Delete what has expired, as this contender's manual says."""
        raise NotImplementedError

    async def left(self) -> int:
        """How many entries the store holds."""
        raise NotImplementedError


class BlockingClient(Client):
    """A client that is called from threads."""

    colour = "blocking"
    _pool: tuple[int, ThreadPoolExecutor] | None = None

    @abstractmethod
    def begin(self) -> None: ...

    @abstractmethod
    def get(self, url: str) -> int: ...

    @abstractmethod
    def stream(self, url: str) -> int: ...

    @abstractmethod
    def end(self) -> None: ...

    async def start(self) -> None:
        self.begin()

    async def close(self) -> None:
        if self._pool:
            self._pool[1].shutdown()
        self.end()

    async def serial(self, urls: Sequence[str]) -> int:
        return self._each(urls)

    async def at_once(self, urls: Sequence[str], width: int) -> int:
        if self._pool is None or self._pool[0] != width:
            # Kept between calls: threads that come and go would measure the opening of connections.
            self._pool = (width, ThreadPoolExecutor(width))
        return sum(self._pool[1].map(self._each, [urls[start::width] for start in range(width)]))

    async def drain(self, url: str) -> int:
        return self.stream(url)

    def _each(self, urls: Sequence[str]) -> int:
        get, total = self.get, 0
        for url in urls:
            total += get(url)
        return total


class _AwaitedClient(Client):
    """What asyncio and trio have in common."""

    @abstractmethod
    async def begin(self) -> None: ...

    @abstractmethod
    async def get(self, url: str) -> int: ...

    @abstractmethod
    async def stream(self, url: str) -> int: ...

    @abstractmethod
    async def end(self) -> None: ...

    async def start(self) -> None:
        await self.begin()

    async def close(self) -> None:
        await self.end()

    async def serial(self, urls: Sequence[str]) -> int:
        get, total = self.get, 0
        for url in urls:
            total += await get(url)
        return total

    async def drain(self, url: str) -> int:
        return await self.stream(url)

    async def fill(self, urls: Sequence[str]) -> int:
        return await self.at_once(urls, 16)


class AsyncioClient(_AwaitedClient):
    """A client of an asyncio loop."""

    colour = "asyncio"

    async def at_once(self, urls: Sequence[str], width: int) -> int:
        return sum(await asyncio.gather(*(self.serial(urls[start::width]) for start in range(width))))


class TrioClient(_AwaitedClient):
    """A client of a trio run."""

    colour = "trio"

    async def at_once(self, urls: Sequence[str], width: int) -> int:
        import trio

        totals: list[int] = []

        async def one(share: Sequence[str]) -> None:
            totals.append(await self.serial(share))

        async with trio.open_nursery() as nursery:
            for start in range(width):
                nursery.start_soon(one, urls[start::width])
        return sum(totals)


def drive(colour: Colour, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of `main`, run in the loop that the colour asks for."""
    if colour == "asyncio":
        return asyncio.run(main())
    if colour == "trio":
        import trio

        return trio.run(main)
    # A blocking client's coroutines never wait, so that one step runs them to their end.
    coroutine = main()
    try:
        coroutine.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    coroutine.close()
    raise RuntimeError("a blocking client awaited something")
