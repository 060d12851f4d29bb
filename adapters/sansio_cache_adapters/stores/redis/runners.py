"""Carrying out the verbs of a Redis store: the same commands, blocking or on asyncio, within a second."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from math import inf
from typing import Any, Final, TypeVar

from sansio_cache.errors import StoreBusy, StoreError
from sansio_cache_adapters.stores.finalizers import CLOSING
from sansio_cache_adapters.stores.forking import cut_off
from sansio_cache_adapters.stores.loops import loops
from sansio_cache_adapters.stores.waiting import in_thread
from sansio_cache_adapters.stores.work import awaited, do

from .clients import Opened, Target, open_client, redis_module
from .commands import Call, Command, Steps
from .scripts import SCRIPTS

__all__ = ["AsyncRunner", "Runner"]

T = TypeVar("T")
Words = tuple[Any, ...]
"""A command as it is sent."""

_MOST_AT_ONCE: Final = 50
"""Connections of a process, and of each event loop, at most; more requests wait their turn."""


@contextmanager
def _mapped(location: str) -> Generator[None]:
    """Turns whatever redis-py and the network raise into a StoreError; the only place that does."""
    errors = redis_module("redis.exceptions")
    try:
        yield
    # RedisClusterException is no RedisError.
    except (errors.RedisError, errors.RedisClusterException, OSError, TimeoutError) as error:
        raise StoreError(f"{location}: {str(error) or 'no answer in time'}") from error


def _words(command: Command) -> Words:
    if isinstance(command, Call):
        return ("EVALSHA", command.script.sha, len(command.keys), *command.keys, *command.arguments)
    return command


_FOREIGN: Final = ("WRONGTYPE", "not an integer", "not a valid float", "attempt to ")
"""How a server answers where something that is not ours lies under one of our keys."""


class _Connection:
    """Sends commands by a client, which blocks or is awaited, and gives their replies, errors of the server included.

    :param cluster: the commands of one step may go to several nodes, so that no pipeline can take them.
    :param end: when the server counts as too slow, by the monotonic clock.
    """

    def __init__(self, client: Any, *, cluster: bool, end: float = inf) -> None:
        self._client = client
        self._cluster = cluster
        self._end = end

    async def carry_out(self, steps: Steps[T]) -> T:
        """The result of a verb. Where a command fails and there is a remedy, that is sent."""
        replies: list[Any] = []
        try:
            commands = next(steps)
            while True:
                replies = await self._send([_words(each) for each in commands]) if commands else []
                for index, reply in enumerate(replies):
                    if isinstance(reply, Exception):
                        replies[index] = await self._remedied(commands[index], reply)
                commands = steps.send(replies)
        except StopIteration as stop:
            value: T = stop.value
            return value

    async def _send(self, words: list[Words]) -> list[Any]:
        if time.monotonic() > self._end:
            raise TimeoutError("the server is too slow")
        if len(words) == 1 or self._cluster:
            return [await self._reply(each) for each in words]
        pipeline = self._client.pipeline(transaction=False)
        for each in words:
            pipeline.execute_command(*each)
        return list(await awaited(pipeline.execute(raise_on_error=False)))

    async def _reply(self, words: Words) -> Any:
        try:
            return await awaited(self._client.execute_command(*words))
        except redis_module("redis.exceptions").ResponseError as error:
            return error

    async def _remedied(self, command: Command, error: Exception) -> Any:
        """The reply to a command that failed, after its remedy.

        A script that the server has not seen since it started is sent as text. A key that holds what is not ours stays
        as it is, and answers as an empty one: it belongs to one record or one resource.

        :raises Exception: the error, if there is no remedy.
        """
        words: Words = _words(command)
        script = SCRIPTS.get(words[1]) if words[0] == "EVALSHA" else None
        while True:
            foreign = any(each in str(error) for each in _FOREIGN)
            if script is not None and isinstance(error, redis_module("redis.exceptions").NoScriptError):
                words = ("EVAL", script.text, *words[2:])
            elif foreign and script is not None:
                return script.otherwise
            elif foreign and words[0] in ("ZADD", "ZSCORE"):
                return None
            elif script is not None and "unknown command" in str(error).lower():
                raise StoreError("this server runs no Lua scripts, which RedisStore needs") from error
            else:
                raise error
            [reply] = await self._send([words])
            if not isinstance(reply, Exception):
                return reply
            error = reply


class _Shared:
    """A client that several threads use, closed when the last of them lets go of it."""

    def __init__(self, opened: Opened) -> None:
        self.client = opened.client
        self._closing = opened.closing

    def __del__(self) -> None:
        CLOSING(partial(_close_all, self._closing))


def _close_all(clients: Sequence[Any]) -> None:
    for each in clients:
        with suppress(Exception):  # the server may be gone
            each.close()


class Runner:
    """Carries out verbs, blocking. Safe for threads, and after a fork, as redis-py's pools are.

    :param timeout: seconds for one verb.
    """

    def __init__(self, target: Target, timeout: float) -> None:
        self._target = target
        self._timeout = timeout
        self.begin_anew()

    def begin_anew(self) -> None:
        """Begin anew, in the child of a fork."""
        self._lock = threading.RLock()
        self._turns = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._shared: _Shared | None = None

    def run(self, steps: Steps[T], *, longest: float | None = None) -> T:
        """The result of a verb.

        :param longest: seconds that all its steps may take together, if not ``timeout``.
        :raises StoreError: for anything that goes wrong, in about ``timeout`` seconds.
        """
        end = time.monotonic() + (self._timeout if longest is None else longest)
        try:
            with self._turn() as shared:
                return do(_Connection(shared.client, cluster=self._target.cluster, end=end).carry_out(steps))
        finally:
            steps.close()

    @contextmanager
    def _turn(self) -> Generator[_Shared]:
        """A client, when it is this caller's turn."""
        if not self._turns.acquire(timeout=self._timeout):
            raise StoreBusy(f"{self._target.location}: too many connections are in use")
        try:
            with _mapped(self._target.location):
                yield self._connected()
        finally:
            self._turns.release()

    def pages(self, pattern: str, size: int) -> Iterator[list[bytes]]:
        """All keys that match, so many at a time, on all nodes; some may come twice. Nothing is held in between."""
        keys: Iterator[bytes] | None = None
        while True:
            with self._turn() as shared:
                if keys is None:
                    keys = iter(shared.client.scan_iter(pattern, size))
                page = list(islice(keys, size))
            if not page:
                return
            yield page

    def _connected(self) -> _Shared:
        with self._lock:
            if self._shared is None:
                # Connecting takes two steps that may each have to wait: the socket, and the first reply.
                self._shared = _Shared(open_client(self._target, self._timeout / 2, "redis"))
            return self._shared

    def close(self) -> None:
        """Close every connection, as soon as no thread is in the midst of a verb; the next verb opens others."""
        with self._lock:
            self._shared = None
        # The last to let go of a client leaves it to be closed: here there is time to wait for that.
        CLOSING.wait(self._timeout)


class _Connected:
    """A client of one event loop, which is closed when the loop ends."""

    def __init__(self, opened: Opened) -> None:
        self.client = opened.client
        self._closing = opened.closing
        self.turns = asyncio.Semaphore(_MOST_AT_ONCE)
        self._end = self._until_the_end()

    async def _until_the_end(self) -> AsyncGenerator[None]:
        # The one hook for the end of a loop: asyncio.run() closes the generators that were begun on it.
        try:
            yield
        finally:
            for each in self._closing:
                with suppress(Exception):  # the server may be gone
                    await _close(each)

    async def begin(self) -> None:
        await anext(self._end)

    async def close(self) -> None:
        await self._end.aclose()


async def _close(client: Any) -> None:
    await client.aclose()
    if hasattr(client, "nodes_manager"):
        # A cluster's client that was in trouble takes itself for closed, and leaves its nodes open.
        await client.nodes_manager.aclose()
        await client.nodes_manager.aclose("startup_nodes")


class AsyncRunner:
    """Carries out the same verbs for tasks: on asyncio by a client per event loop, elsewhere in threads.

    :param blocking: what does it in threads.
    """

    def __init__(self, target: Target, timeout: float, blocking: Runner) -> None:
        self._target = target
        self._timeout = timeout
        self._blocking = blocking
        self.begin_anew()

    def begin_anew(self) -> None:
        """Begin anew, in the child of a fork: it must neither use nor close what its parent has open."""
        for each in self.__dict__.get("_connected", {}).values():
            cut_off(_descriptors(each.client))
        self._lock = threading.RLock()
        self._connected: dict[asyncio.AbstractEventLoop, _Connected] = {}

    async def run(self, steps: Steps[T], *, longest: float | None = None) -> T:
        """The result of a verb; see :meth:`Runner.run`."""
        loop = _running_loop()
        if loop is None or self._target.given is not None:
            return await in_thread(partial(self._blocking.run, steps, longest=longest))
        try:
            with _mapped(self._target.location):
                async with asyncio.timeout(self._timeout if longest is None else longest):
                    connected = await self._connect(loop)
                    async with connected.turns:
                        connection = _Connection(connected.client, cluster=self._target.cluster)
                        return await connection.carry_out(steps)
        finally:
            steps.close()

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> _Connected:
        connected = self._connected.get(loop)
        if connected is None:
            connected = _Connected(open_client(self._target, self._timeout, "redis.asyncio"))
            with self._lock:
                for old in [each for each in self._connected if each.is_closed()]:
                    del self._connected[old]
                self._connected[loop] = connected
            loops.use()
            await connected.begin()
        return connected

    async def pages(self, pattern: str, size: int) -> AsyncIterator[list[bytes]]:
        """All keys that match; see :meth:`Runner.pages`."""
        loop = _running_loop()
        if loop is None or self._target.given is not None:
            blocking = self._blocking.pages(pattern, size)
            while (given := await in_thread(lambda: next(blocking, None))) is not None:
                yield given
            return
        keys: AsyncIterator[bytes] | None = None
        while True:
            with _mapped(self._target.location):
                connected = await self._connect(loop)
                async with connected.turns:
                    if keys is None:
                        keys = aiter(connected.client.scan_iter(pattern, size))
                    page: list[bytes] = []
                    while len(page) < size and (key := await anext(keys, None)) is not None:
                        page.append(key)
            if not page:
                return
            yield page

    async def close(self) -> None:
        """Close the connections of this event loop, and ask other loops to close theirs."""
        here = _running_loop()
        with self._lock:
            connected, self._connected = self._connected, {}
        for loop, each in connected.items():
            with suppress(StoreError), _mapped(self._target.location):
                if loop is here:
                    await each.close()
                elif loop.is_running():
                    asyncio.run_coroutine_threadsafe(each.close(), loop)


def _descriptors(client: Any) -> Iterator[int]:
    """The sockets of a client on asyncio, or of the clients of a cluster's nodes."""
    nodes = getattr(client, "nodes_manager", None)
    pools = [client.connection_pool] if nodes is None else list(nodes.nodes_cache.values())
    for pool in pools:
        for name in ("_available_connections", "_in_use_connections", "_connections", "_free"):
            for connection in list(getattr(pool, name, ())):
                writer = getattr(connection, "_writer", None)
                if writer is not None:
                    yield writer.get_extra_info("socket").fileno()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop of asyncio, if we are running in one; under trio there is none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
