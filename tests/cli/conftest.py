"""A cache in every store that a command can be given, filled by a session of requests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clock import Clock
from command_line import Command, fill
from local_origin import Origin
from redis_servers import RedisServer, make_redis, redis_server, shared_redis, short_path

from sansio_cache import RedisStore

__all__ = ["make_redis", "redis_server", "shared_redis", "short_path"]


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """What ``cache=`` and ``--cache`` name: a SQLite file, unless the test asks for others."""
    kind = getattr(request, "param", "sqlite")
    if kind == "redis":
        server: RedisServer = request.getfixturevalue("shared_redis")
        yield server.tcp_url
        store = RedisStore(server.tcp_url)
        store.clear()
        store.close()
        return
    yield {"sqlite": str(tmp_path / "http.sqlite"), "files": f"file://{tmp_path}/folder"}[kind]


@pytest.fixture
def command(place: str, clock: Clock) -> Command:
    """Runs commands on the cache."""
    return Command(place, clock)


@pytest.fixture
def urls(place: str, origin: Origin, clock: Clock) -> dict[str, str]:
    """What is stored there, by name."""
    return fill(place, origin, clock)


@pytest.fixture
def signed(place: str, origin: Origin, clock: Clock, key: str) -> dict[str, str]:
    """What is stored there, signed."""
    return fill(place, origin, clock, secret_key=key)


@pytest.fixture
def secret_file(tmp_path: Path) -> Callable[..., str]:
    """Writes a file of secrets; its path."""

    def write(*secrets: str) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.secret"
        path.touch(0o600)
        path.write_text("".join(f"{each}\n" for each in secrets))
        os.chmod(path, 0o600)
        return str(path)

    return write


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Processes begun meanwhile heed Ctrl-C, even where a shell has it ignored, as for what runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
