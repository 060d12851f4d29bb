"""The connection pool: which request may open a connection, which it gets, and how it is returned.

All its state changes between two awaits, so no lock is needed and no cancellation finds it half done. A
request holds a ``PoolPlace`` for as long as it needs a connection; whatever happens, the lease is given back once, and
only then is anything awaited. No task is spawned: idle connections expire when the pool is next used.
"""

from __future__ import annotations

import socket
import ssl
from collections import Counter, deque
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import anyio

from sansio_cache.messages import IDEMPOTENT_METHODS

from .connection import Connection, ReceivedHead, default_ssl_context
from .content import OutgoingRequest, request_event
from .errors import (
    PoolTimeout,
    ReadError,
    RemoteProtocolError,
    SessionClosed,
    StreamClosed,
    TransportError,
    WriteError,
)
from .hop import Chunks, Hop
from .limits import Limits
from .url import Origin, parse

if TYPE_CHECKING:
    import h11

__all__ = ["Chunks", "Counts", "Hop", "Limits", "Pool"]

TAKE_AT_CLOSE = 64 * 1024
"""Bytes of an unread body that are taken at close, if they have already arrived, to save the connection."""


class Counts(NamedTuple):
    """The numbers of connections in use or being opened, of idle ones, and of requests that wait."""

    active: int
    idle: int
    waiting: int


class PoolPlace:
    """The right to one connection to an origin; ``connection`` is None until it is open."""

    def __init__(self, origin: Origin, connection: Connection | None) -> None:
        self.origin = origin
        self.connection = connection
        self.returned = False


class _Waiter:
    def __init__(self, origin: Origin, ticket: int) -> None:
        self.origin = origin
        self.ticket = ticket
        self.lease: PoolPlace | None = None
        self.event = anyio.Event()


class Pool:
    """The connections of one session, in one event loop.

    :ivar context: the SSLContext for https; made on first use where None is given.
    """

    def __init__(
        self, limits: Limits | None = None, *, context: ssl.SSLContext | None = None, verify: bool = True
    ) -> None:
        self.limits: Limits = limits or Limits()
        self.context = context
        self._verify = verify
        self._leases: set[PoolPlace] = set()
        self._leased: Counter[Origin] = Counter()
        self._idle: dict[Connection, float] = {}  # since when, in the loop's time; the oldest comes first
        self._waiting: dict[Origin, deque[_Waiter]] = {}
        self._tickets = count()
        self._unwanted: list[Connection] = []
        self._closed = False

    @property
    def counts(self) -> Counts:
        """How many connections are in use and idle, and how many requests wait for one."""
        return Counts(len(self._leases), len(self._idle), sum(map(len, self._waiting.values())))

    async def send(self, request: OutgoingRequest) -> Hop:
        """The answer of the origin: its head; the body is read from the connection as it is iterated.

        A kept-alive connection that turns out to be closed before a byte of the answer came is replaced once,
        where RFC 9110 §9.2.2 allows to send again.

        :raises TransportError: any but those of redirects and streams, and HTTPStatusError.
        """
        try:
            event = request_event(request)
            lease = await self._acquire(parse(request.url).origin, request.timeout.pool)
            try:
                head, connection = await self._exchange(lease, event, request)
            except BaseException:
                await self.give_back(lease, reuse=False)
                raise
        except TransportError as exc:
            exc.url = request.url
            raise
        return Hop(head.status, head.reason, head.headers, _Body(self, lease, connection, request), head.version)

    def give_up_all(self) -> list[socket.socket]:
        """Forget every connection and anyone who uses or awaits one; their sockets, open.

        For the child of a fork, which shares them with its parent and must not read from them.
        """
        leased = [lease.connection for lease in self._leases if lease.connection]
        gone = [*self._idle, *self._unwanted, *leased]
        for lease in self._leases:
            lease.returned = True
        self._leases.clear()
        self._leased.clear()
        self._idle.clear()
        self._waiting.clear()
        self._unwanted.clear()
        return [connection.raw_socket for connection in gone]

    async def aclose(self) -> None:
        """Close every connection, those in use too, and fail anyone who waits. Idempotent."""
        self._closed = True
        self._unwanted += self._idle
        self._unwanted += [lease.connection for lease in self._leases if lease.connection]
        self._idle.clear()
        for queue in self._waiting.values():
            for waiter in queue:
                waiter.event.set()
        self._waiting.clear()
        await self._close_unwanted()

    async def _exchange(
        self, lease: PoolPlace, event: h11.Request, request: OutgoingRequest
    ) -> tuple[ReceivedHead, Connection]:
        connection = lease.connection
        if connection is not None:
            try:
                return await connection.exchange(event, request), connection
            except (WriteError, ReadError, RemoteProtocolError):
                if connection.heard or not _may_repeat(request):
                    raise
            lease.connection = None
            await connection.aclose()
        connection = lease.connection = await self._open(lease.origin, request.timeout.connect)
        return await connection.exchange(event, request), connection

    async def _open(self, origin: Origin, seconds: float | None) -> Connection:
        if origin.scheme == "https" and self.context is None:
            self.context = default_ssl_context(verify=self._verify)
        if self._closed:
            raise SessionClosed("the session is closed")
        connection = await Connection.open(origin, seconds, self.context if origin.scheme == "https" else None)
        if self._closed:
            await connection.aclose()
            raise SessionClosed("the session was closed while the request was on its way")
        return connection

    # Leases

    async def _acquire(self, origin: Origin, seconds: float | None) -> PoolPlace:
        if self._closed:
            raise SessionClosed("the session is closed")
        # Requests that wait for this origin were here first; those that wait for others could not be served now.
        lease = None if origin in self._waiting else self._take(origin)
        if lease is None:
            lease = await self._wait(origin, seconds)
        await self._close_unwanted()
        return lease

    async def _wait(self, origin: Origin, seconds: float | None) -> PoolPlace:
        waiter = _Waiter(origin, next(self._tickets))
        self._waiting.setdefault(origin, deque()).append(waiter)
        try:
            with anyio.move_on_after(seconds):
                await waiter.event.wait()
        except BaseException:
            if waiter.lease is None:
                self._leave(waiter)
            else:
                await self.give_back(waiter.lease, reuse=True)
            raise
        # A lease that came together with the deadline is used: it has been paid for.
        if waiter.lease is not None:
            return waiter.lease
        if self._closed:
            raise SessionClosed("the session was closed while the request waited for a connection")
        self._leave(waiter)
        raise PoolTimeout(f"no connection became free within {seconds:g} s")

    def _leave(self, waiter: _Waiter) -> None:
        with suppress(KeyError, ValueError):  # ``aclose`` has sent all away
            queue = self._waiting[waiter.origin]
            queue.remove(waiter)
            if not queue:
                del self._waiting[waiter.origin]

    def _take(self, origin: Origin) -> PoolPlace | None:
        """A lease if one can be had now: of the most recently used idle connection, else of a new one."""
        self._expire()
        for connection in reversed(list(self._idle)):
            if connection.origin == origin:
                del self._idle[connection]
                if connection.quiet():
                    return self._lease(origin, connection)
                self._unwanted.append(connection)
        if self._full(self._leased[origin], self.limits.per_host):
            return None
        if self._full(len(self._leases) + len(self._idle), self.limits.total):
            if not self._idle:
                return None
            # An idle connection to another origin makes room.
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            self._unwanted.append(oldest)
        return self._lease(origin, None)

    @staticmethod
    def _full(number: int, limit: int | None) -> bool:
        return limit is not None and number >= limit

    def _lease(self, origin: Origin, connection: Connection | None) -> PoolPlace:
        lease = PoolPlace(origin, connection)
        self._leases.add(lease)
        self._leased[origin] += 1
        return lease

    async def give_back(self, lease: PoolPlace, *, reuse: bool) -> None:
        """Return a lease once; its connection is kept if ``reuse``, which takes a recycled one, else closed."""
        self.put_back(lease, reuse=reuse)
        await self._close_unwanted()

    def put_back(self, lease: PoolPlace, *, reuse: bool) -> None:
        """Do the same at once; connections are closed when the pool is next awaited."""
        if lease.returned:
            return
        lease.returned = True
        self._leases.remove(lease)
        self._leased[lease.origin] -= 1
        if not self._leased[lease.origin]:
            del self._leased[lease.origin]
        if lease.connection is not None:
            if reuse and not self._closed and self.limits.idle:
                self._idle[lease.connection] = anyio.current_time()
            else:
                self._unwanted.append(lease.connection)
        self._serve()
        self._expire()

    def _serve(self) -> None:
        """Give what has become free to those who wait, in the order in which they came."""
        passed: set[Origin] = set()
        while candidates := [queue[0] for origin, queue in self._waiting.items() if origin not in passed]:
            waiter = min(candidates, key=lambda waiter: waiter.ticket)
            waiter.lease = self._take(waiter.origin)
            if waiter.lease is None:
                passed.add(waiter.origin)
            else:
                self._leave(waiter)
                waiter.event.set()

    def _expire(self) -> None:
        """Take out what has been idle for too long, and the oldest of what is too many."""
        expiry = self.limits.idle_expiry
        horizon = float("-inf") if expiry is None else anyio.current_time() - expiry
        surplus = len(self._idle) - self.limits.idle
        for place, (connection, since) in enumerate(list(self._idle.items())):
            if place < surplus or since < horizon:
                del self._idle[connection]
                self._unwanted.append(connection)

    async def _close_unwanted(self) -> None:
        while self._unwanted:
            await self._unwanted.pop().aclose()


def _may_repeat(request: OutgoingRequest) -> bool:
    return request.method in IDEMPOTENT_METHODS and (isinstance(request.body, bytes) or request.body.ready)


class _Body(Chunks):
    """The raw body of one response; its end, an error, a cancellation or ``aclose`` gives the lease back."""

    def __init__(self, pool: Pool, lease: PoolPlace, connection: Connection, request: OutgoingRequest) -> None:
        self._pool = pool
        self._lease = lease
        self._connection = connection
        self._request = request
        self._ended = False

    async def __anext__(self) -> bytes:
        if self._ended:
            raise StopAsyncIteration
        if self._lease.returned:
            raise StreamClosed("the body was closed before it had been read")
        try:
            piece = await self._connection.next_piece(self._request.timeout.read)
        except TransportError as exc:
            exc.url = self._request.url
            await self._pool.give_back(self._lease, reuse=False)
            raise
        except BaseException:
            await self._pool.give_back(self._lease, reuse=False)
            raise
        await self._settle()
        if not piece:
            raise StopAsyncIteration
        return piece

    def parsed(self) -> bytes | None:
        return None if self._lease.returned else self._connection.parsed()

    async def arrived(self) -> bytes | None:
        if self._lease.returned:
            return b"" if self._ended else None
        piece = await self._connection.arrived()
        await self._settle()
        return piece

    def abort(self) -> None:
        if not self._lease.returned:
            self._connection.shut()
            self._pool.put_back(self._lease, reuse=False)

    async def aclose(self) -> None:
        """Take what has already come; if it completes the message the connection is kept, else it is closed."""
        taken = 0
        try:
            while not self._lease.returned and taken < TAKE_AT_CLOSE:
                piece = await self.arrived()
                if not piece:
                    break
                taken += len(piece)
        except TransportError:
            pass  # the broken rest was not asked for
        finally:
            await self._settle(closing=True)
            if taken:
                self._ended = False  # complete, but not for a reader, who must not take this for a clean end

    async def _settle(self, *, closing: bool = False) -> None:
        if self._lease.returned:
            return  # the connection may be another's by now
        self._ended = self._connection.complete
        if self._ended or closing:
            await self._pool.give_back(self._lease, reuse=self._ended and self._connection.recycle())
