"""What the tests of both transports share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from clock import Clock
from colours import COLOURS, Client, Colour
from httpx_answers import Open
from left_behind import no_flight_is_left
from watched_origin import WatchedOrigin

from sansio_cache import CacheTransport, MemoryStore


@pytest.fixture(params=COLOURS[1:])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Every test of tasks runs on both libraries; one of clients of any colour says :data:`COLOURS`."""
    colour: str = request.param
    return "asyncio" if colour == "blocking" else colour


@pytest.fixture
async def colour(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Colour]:
    """Makes transports and clients of one colour."""
    made = Colour(request.node.callspec.params["anyio_backend"])
    yield made
    await made.close()


@pytest.fixture
async def client(colour: Colour, store: MemoryStore, clock: Clock) -> Client:
    """A client of that colour over a cache."""
    return colour.over(colour.transport(cache=store, clock=clock))


@pytest.fixture
def origin() -> Iterator[WatchedOrigin]:
    """An origin that counts its connections."""
    server = WatchedOrigin()
    yield server
    server.close()


@pytest.fixture
def store() -> MemoryStore:
    """The store of the test."""
    return MemoryStore()


@pytest.fixture
def opened(store: MemoryStore) -> Iterator[Open]:
    """Opens clients, on one store unless said otherwise."""
    clients: list[httpx2.Client] = []

    def make(inner: httpx2.BaseTransport | None = None, **settings: Any) -> httpx2.Client:
        clients.append(httpx2.Client(transport=CacheTransport(inner, **{"cache": store, **settings})))
        return clients[-1]

    yield make
    for each in clients:
        each.close()


@pytest.fixture(autouse=True)
def _nothing_in_flight() -> Iterator[None]:
    """Every test leaves no flight behind: anyone who came next would wait for it."""
    yield
    no_flight_is_left()
