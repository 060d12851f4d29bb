"""What can happen to a store that others share: each fault lasts as long as its context, and has healed after it."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from file_store import vanish
from redis_servers import RedisServer
from remotes import Remote

__all__ = ["Fault", "Scene"]

DAY = 86_400.0


@dataclass
class Scene:
    """A store, and the processes that use it.

    :ivar path: the file or folder.
    :ivar of_redis: the server, where it is one.
    """

    kind: str
    path: Path
    pair: list[Remote]
    of_redis: RedisServer | None = None

    @property
    def server(self) -> RedisServer:
        assert self.of_redis is not None
        return self.of_redis

    def close(self) -> None:
        """All sessions, so that the file is not open anywhere."""
        for each in self.pair:
            each.do("close")

    def open(self) -> None:
        """The sessions anew."""
        for each in self.pair:
            each.do("open", self.kind, str(self.path))

    def remove(self) -> None:
        """All that lies there, with what lies beside it."""
        for each in self.path.parent.glob(self.path.name + "*"):
            vanish(each) if each.is_dir() else each.unlink()

    def files(self) -> list[Path]:
        """The files of a folder, but the tag that says whose it is."""
        return [
            each
            for each in self.path.rglob("*")
            if each.is_file() and not each.is_symlink() and each.name != "CACHEDIR.TAG"
        ]


Fault = Callable[[Scene], AbstractContextManager[None]]

# Of any store


@contextmanager
def clock_set_back(scene: Scene) -> Generator[None]:
    for each in scene.pair:
        each.do("shift_clock", -DAY)
    yield
    for each in scene.pair:
        each.do("shift_clock", 0.0)


@contextmanager
def another_cache(scene: Scene) -> Generator[None]:
    """Somebody removes it, and one of them comes later: it begins another, with other ids."""
    late = scene.pair[1]
    late.do("close")
    scene.remove()
    late.do("open", scene.kind, str(scene.path))
    yield


# Of what lies on a disk


@contextmanager
def full(scene: Scene) -> Generator[None]:
    """As far as one user can fill it for one process; on file systems of their own see the tests of the stores."""
    for each in scene.pair:
        each.do("limit", 1)
    yield
    for each in scene.pair:
        each.do("limit", -1)


@contextmanager
def read_only(scene: Scene) -> Generator[None]:
    scene.close()
    _give_rights(scene.path, 0o555, 0o444)
    for each in scene.pair:
        each.do("be", 65_534)
    scene.open()
    yield
    _give_rights(scene.path, 0o700, 0o600)
    for each in scene.pair:
        each.do("be", 0)


def _give_rights(path: Path, folders: int, files: int) -> None:
    for each in [path.parent, *path.parent.rglob("*")]:
        if not each.is_symlink():
            each.chmod(folders if each.is_dir() else files)


@contextmanager
def deleted(scene: Scene) -> Generator[None]:
    scene.remove()
    yield


@contextmanager
def a_folder_in_its_place(scene: Scene) -> Generator[None]:
    scene.remove()
    scene.path.mkdir()
    (scene.path / "mine").write_text("mine")
    yield
    assert [each.name for each in scene.path.iterdir()] == ["mine"]
    shutil.rmtree(scene.path)


@contextmanager
def a_text_in_its_place(scene: Scene) -> Generator[None]:
    scene.remove()
    scene.path.write_text("mine")
    yield
    assert scene.path.read_text() == "mine"
    scene.path.unlink()


# Of SQLite


@contextmanager
def garbage_in_the_file(scene: Scene) -> Generator[None]:
    data = scene.path.read_bytes()
    scene.path.write_bytes(data[:100] + b"\x5a" * (len(data) - 100))
    yield


@contextmanager
def file_cut_in_half(scene: Scene) -> Generator[None]:
    with closing(sqlite3.connect(scene.path)) as other:
        # What is in the log only would not be missed.
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.truncate(scene.path, scene.path.stat().st_size // 2)
    yield


@contextmanager
def file_emptied(scene: Scene) -> Generator[None]:
    os.truncate(scene.path, 0)
    yield


@contextmanager
def without_a_table(scene: Scene) -> Generator[None]:
    with closing(sqlite3.connect(scene.path)) as database:
        database.execute("DROP TABLE records")
        database.commit()
    yield


@contextmanager
def anothers_database_in_its_place(scene: Scene) -> Generator[None]:
    scene.remove()
    with closing(sqlite3.connect(scene.path)) as database:
        database.execute("CREATE TABLE mine (id)")
    before = scene.path.read_bytes()
    yield
    assert scene.path.read_bytes() == before
    scene.remove()


@contextmanager
def locked_for_writing(scene: Scene) -> Generator[None]:
    # Begun and ended by different threads where it strikes in the midst of a request.
    with closing(sqlite3.connect(scene.path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def locked_as_a_whole(scene: Scene) -> Generator[None]:
    """Before any session opens it: later such a lock cannot be had."""
    scene.close()
    with closing(sqlite3.connect(scene.path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        scene.open()
        yield


# Of a folder of files


@contextmanager
def garbage_in_every_file(scene: Scene) -> Generator[None]:
    for each in scene.files():
        each.write_bytes(b"\x5a" * each.stat().st_size)
    yield


@contextmanager
def every_file_cut_in_half(scene: Scene) -> Generator[None]:
    for each in scene.files():
        os.truncate(each, each.stat().st_size // 2)
    yield


@contextmanager
def without_its_tag(scene: Scene) -> Generator[None]:
    """As a folder of somebody else's looks: left as it is until its owner takes it away."""
    scene.close()
    (scene.path / "CACHEDIR.TAG").write_text("mine")
    before = {each: each.stat().st_mtime_ns for each in scene.files()}
    scene.open()
    yield
    assert {each: each.stat().st_mtime_ns for each in scene.files()} == before
    scene.remove()


@contextmanager
def every_folder_locked(scene: Scene) -> Generator[None]:
    with ExitStack() as held:
        for folder in ("resources", "leases", "marks", "partitions", "bodies"):
            for number in range(256):
                each = scene.path / folder / f"{number:02x}"
                each.mkdir(mode=0o700, exist_ok=True)
                descriptor = os.open(each, os.O_RDONLY)
                held.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


# Of Redis


@contextmanager
def frozen(scene: Scene) -> Generator[None]:
    scene.server.freeze()
    yield
    scene.server.thaw()


@contextmanager
def killed(scene: Scene) -> Generator[None]:
    scene.server.stop()
    yield
    scene.server.start()


@contextmanager
def out_of_memory(scene: Scene) -> Generator[None]:
    """With ``noeviction``, as a server is by default."""
    with scene.server.client() as client:
        client.config_set("maxmemory", 1)
        yield
        client.config_set("maxmemory", 0)


@contextmanager
def a_replica(scene: Scene) -> Generator[None]:
    with scene.server.client() as client:
        client.replicaof("127.0.0.1", "1")
        yield
        client.replicaof("NO", "ONE")


@contextmanager
def behind_a_password(scene: Scene) -> Generator[None]:
    with scene.server.client() as client:
        client.config_set("requirepass", "sesame")
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        yield
        client.execute_command("AUTH", "sesame")
        client.config_set("requirepass", "")


@contextmanager
def flushed(scene: Scene) -> Generator[None]:
    with scene.server.client() as client:
        client.flushall()
        client.script_flush()
    yield


@contextmanager
def of_wrong_types(scene: Scene) -> Generator[None]:
    with scene.server.client() as client:
        for each in client.keys("*"):
            wrong = client.lpush if client.type(each) == b"string" else client.set
            client.delete(each)
            wrong(each, "mine")
        yield
        client.flushall()


@contextmanager
def anothers_meta_record(scene: Scene) -> Generator[None]:
    """Text in its place: somebody else has our prefix. Left as it is."""
    scene.close()
    name = "{sansio-cache}:meta"
    with scene.server.client() as client:
        client.set(name, "mine")
        for each in scene.pair:
            each.do("open", "redis", scene.server.tcp_url)
        yield
        assert client.get(name) == b"mine"
        client.delete(name)


@contextmanager
def garbage_in_every_row(scene: Scene) -> Generator[None]:
    with scene.server.client() as client:
        for each in client.keys("*:heads"):
            for row in client.hkeys(each):
                client.hset(each, row, b"\x5a" * 300)
    yield


@contextmanager
def every_row_cut_in_half(scene: Scene) -> Generator[None]:
    with scene.server.client() as client:
        for each in client.keys("*:heads"):
            for row, data in client.hgetall(each).items():
                client.hset(each, row, data[: len(data) // 2])
    yield
