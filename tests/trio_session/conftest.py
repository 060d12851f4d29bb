"""What the tests of TrioCachedSession share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from left_behind import no_flight_is_left
from watched_origin import WatchedOrigin


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Every test runs on both."""
    backend: str = request.param
    return backend


@pytest.fixture
def origin() -> Iterator[WatchedOrigin]:
    """An origin that counts its connections."""
    server = WatchedOrigin()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _no_flight_is_left() -> Iterator[None]:
    yield
    no_flight_is_left()
