"""A small fast origin on the loopback interface, in a process of its own.

It speaks just enough HTTP/1.1 (GET, keep-alive) to be far faster than any client measured against it, and counts what
it was asked. A path says what to answer:

    /b/SIZE/ID          SIZE bytes, fresh for an hour
    /v/SIZE/ID          SIZE bytes, stale at once, with a validator; 304 if asked with one
    /s/SIZE/ID          like /b/, but half a second late: a stampede has time to gather
    /u/EPOCH/SIZE/ID    SIZE bytes, fresh until that second
    /_/PATH             how often PATH was asked for, as a number
    /_                  "REQUESTS NOT_MODIFIED": how much was asked, and how much of it was answered with 304
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from email.utils import formatdate
from functools import lru_cache

LATE = 0.5
PIECE = 1 << 18
BLOCK = random.Random(9111).randbytes(16 << 20)

counts: Counter[bytes] = Counter()
totals = {"requests": 0, "not modified": 0}


@lru_cache(maxsize=256)
def head(status: bytes, size: int, cache_control: bytes, second: int) -> bytes:
    """A response head with twelve fields; the cache makes it one dictionary look-up for a second."""
    date = formatdate(second, usegmt=True).encode()
    fields = [
        b"Date: " + date,
        b"Server: origin/1",
        b"Content-Type: application/octet-stream",
        b"Content-Length: %d" % size,
        b"Cache-Control: " + cache_control,
        b'ETag: "%d-1"' % size,
        b"Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT",
        b"Content-Language: en",
        b"X-Request-Id: 7c8f0a4e-3f0b-4d7a-9a61-2a6f0f5f1c11",
        b"X-Content-Type-Options: nosniff",
        b"Strict-Transport-Security: max-age=63072000",
        b"Referrer-Policy: no-referrer",
    ]
    if status.startswith(b"304"):
        del fields[3]  # there is no content, and so no length that could be mistaken for its (RFC 9110 §15.4.5)
    return b"HTTP/1.1 " + status + b"\r\n" + b"\r\n".join(fields) + b"\r\n\r\n"


class Origin(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.pending = b""
        self.left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=4 * PIECE)

    def data_received(self, data: bytes) -> None:
        """Answer every request whose head is complete; GETs have no body."""
        self.pending += data
        while (end := self.pending.find(b"\r\n\r\n")) >= 0:
            request, self.pending = self.pending[:end], self.pending[end + 4 :]
            self.answer(request)

    def answer(self, request: bytes) -> None:
        target = request.split(b" ", 2)[1]
        kind, _, rest = target[1:].partition(b"/")
        if kind == b"_":
            self.report(rest)
            return
        counts[target] += 1
        totals["requests"] += 1
        now = int(time.time())
        cache_control = b"max-age=3600"
        if kind == b"u":
            until, _, rest = rest.partition(b"/")
            cache_control = b"max-age=%d" % max(0, int(until) - now)
        elif kind == b"v":
            cache_control = b"max-age=0"
        size = int(rest.partition(b"/")[0])
        if kind == b"v" and b"\r\nif-none-match:" in request.lower():
            totals["not modified"] += 1
            self.transport.write(head(b"304 Not Modified", size, cache_control, now))
        elif kind == b"s":
            asyncio.get_running_loop().call_later(LATE, self.send, head(b"200 OK", size, cache_control, now), size)
        else:
            self.send(head(b"200 OK", size, cache_control, now), size)

    def send(self, first: bytes, size: int) -> None:
        if size <= len(BLOCK):
            self.transport.write(first + BLOCK[:size])
            return
        self.left = size
        self.transport.write(first)
        self.pour()

    def pour(self) -> None:
        """A piece of a body too large to be written at once; the next one follows when there is room."""
        if self.left > 0 and not self.transport.is_closing():
            piece = BLOCK[: min(PIECE, self.left)]
            self.left -= len(piece)
            self.transport.write(piece)
            if self.transport.get_write_buffer_size() < 4 * PIECE:
                asyncio.get_running_loop().call_soon(self.pour)

    def resume_writing(self) -> None:
        """There is room again."""
        self.pour()

    def report(self, path: bytes) -> None:
        answer = b"%d" % counts[b"/" + path] if path else b"%d %d" % tuple(totals.values())
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))


async def main() -> None:
    """Serve until standard input ends, that is, until the parent process is gone."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Origin, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
