"""The relay for an async session under test: one task per connection, on any event loop that anyio knows."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from .messages import Answer, Request, body_length, check_length, parse_head, render_answer, render_request
from .relay import BACKLOG, LOOPBACK, MAX_HEAD, Failures, base_url, note


class AsyncClient(Protocol):
    """An async session under test; used from many tasks at once."""

    async def send(self, origin: str, request: Request) -> Answer:
        """The answer to `request`, made to the base URL `origin`."""
        ...


@contextlib.asynccontextmanager
async def serve(
    open_client: Callable[[], AbstractAsyncContextManager[AsyncClient]], origin_port: int, failures: Failures
) -> AsyncIterator[int]:
    """The port of a relay that hands requests to the client it opens, within the loop."""

    async def handle(stream: SocketStream) -> None:
        async with stream:
            # The suite's client going away early is not ours to report.
            with contextlib.suppress(anyio.IncompleteRead, anyio.BrokenResourceError):
                request = await _read(stream)
                if request.is_suite_traffic:
                    await _bypass(request, origin_port, stream)
                else:
                    await stream.send(render_answer(await answer(request), request.method))

    async def answer(request: Request) -> Answer:
        try:
            return check_length(await client.send(base_url(origin_port), request), request.method)
        except Exception as error:
            return note(failures, request, error)

    async with (
        open_client() as client,
        await anyio.create_tcp_listener(local_host=LOOPBACK, local_port=0, backlog=BACKLOG) as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, handle)
        yield listener.extra(SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


async def _read(stream: SocketStream) -> Request:
    buffered = BufferedByteReceiveStream(stream)
    request = parse_head(await buffered.receive_until(b"\r\n\r\n", MAX_HEAD))
    body = await buffered.receive_exactly(length) if (length := body_length(request)) else b""
    return Request(request.method, request.target, request.fields, body)


async def _bypass(request: Request, origin_port: int, back: SocketStream) -> None:
    async with await anyio.connect_tcp(LOOPBACK, origin_port) as origin:
        await origin.send(render_request(request, f"{LOOPBACK}:{origin_port}"))
        async for chunk in origin:
            await back.send(chunk)
