"""Stores that several processes share, and clients in processes of their own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis_servers import RedisServer, make_redis, redis_server, shared_redis, short_path
from remotes import Remote

__all__ = ["make_redis", "redis_server", "shared_redis", "short_path"]

KINDS = ["sqlite", "files", "redis"]
Remotes = Callable[..., list[Remote]]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users may enter."""
    folder = Path(tempfile.mkdtemp(prefix="sc-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """A kind of store."""
    return str(request.param)


@pytest.fixture
def location(kind: str, place: Path, request: pytest.FixtureRequest) -> str:
    """Where the store of this kind lies: empty."""
    if kind == "redis":
        server: RedisServer = request.getfixturevalue("shared_redis")
        with server.client() as client:
            client.flushall()
        return server.tcp_url
    return str(place / "cache")


@pytest.fixture(scope="session")
def crew() -> Iterator[Callable[[str, int], list[Remote]]]:
    """Processes of each client, started when first needed and kept for all tests."""
    started: dict[str, list[Remote]] = {}

    def of(client: str, count: int) -> list[Remote]:
        known = started.setdefault(client, [])
        for dead in [each for each in known if each.process.poll() is not None]:
            dead.kill()
            known.remove(dead)
        while len(known) < count:
            known.append(Remote(client))
        return known[:count]

    yield of
    for each in [remote for known in started.values() for remote in known]:
        each.end()


@pytest.fixture
def remotes(crew: Callable[[str, int], list[Remote]]) -> Iterator[Remotes]:
    """Clients by name, each with a session on one store; closed after the test. A name twice is two processes."""
    used: list[Remote] = []

    def open_all(kind: str, location: str, *clients: str, **settings: Any) -> list[Remote]:
        counts = dict.fromkeys(clients, 0)
        chosen: list[Remote] = []
        for client in clients:
            counts[client] += 1
            chosen.append(crew(client, counts[client])[-1])
        used.extend(chosen)
        for each in chosen:
            each.tell("open", kind, location, **settings)
        for each in chosen:
            each.answer()
        return chosen

    yield open_all
    for each in used:
        if each.process.poll() is None:
            each.do("close")
