"""The folder of a file store: what lies where, how it is begun and told from somebody else's, and its locks.

::

    CACHEDIR.TAG                         says whose folder it is (and keeps it out of backups)
    meta                                 the store's id and salt, JSON; first writer wins
    signed                               is there if the store was ever opened with a secret
    resources/aa/RESOURCE/PARTITION      the records of a partition, small bodies included
    partitions/bb/PARTITION              a link to that file, for who knows only the partition
    bodies/cc/ENTRY                      a large body with the hashes of its chunks, never changed
    pending/ENTRY                        a body on its way in; temporary files, too
    marks/aa/RESOURCE, leases/bb/PARTITION

There is no index: a link follows from the partition's key, which covers the resource's. Whoever changes something
holds the lock (``flock``) of the directory ``resources/aa``, ``marks/aa`` or ``leases/bb``; readers need none.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from sansio_cache.errors import ForeignStore, StoreBusy, StoreError
from sansio_cache_adapters.stores.foreign import describe_folder, left_alone

__all__ = [
    "OPEN_FLAGS",
    "Ids",
    "Root",
    "check_writable",
    "establish",
    "is_signed",
    "locked",
    "mark_signed",
    "mapped",
    "names_in",
    "remove",
    "shard",
    "write_new",
]

# O_NONBLOCK: somebody may have put a FIFO in the place of our file.
OPEN_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_DIRECTORY: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
_LOCK_WAIT: Final = 0.5
_TAG_FILE: Final = "CACHEDIR.TAG"
_TAG: Final = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# This folder is an HTTP cache made by sansio-cache (files, format 1). It may be deleted as a whole.\n"
)
_FOLDERS: Final = ("resources", "partitions", "bodies", "pending", "marks", "leases")


class Ids(NamedTuple):
    """What a store is told by: 16 and 32 random bytes."""

    store_id: bytes
    salt: bytes


class Root:
    """An open folder, closed when nobody uses it any more: never while another thread is about to.

    All paths are relative to it, so that a folder put in its place later is not written to.
    """

    __slots__ = ("fd", "location")

    def __init__(self, location: str) -> None:
        self.location = location
        self.fd = os.open(location, _DIRECTORY)

    def __del__(self) -> None:
        # Not set where opening failed.
        with suppress(OSError, AttributeError):
            os.close(self.fd)


@contextmanager
def mapped(location: str) -> Generator[None]:
    """The one door for what the operating system says: an OSError becomes a StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{location}: {error.strerror or error}") from error


def shard(folder: str, key: bytes) -> str:
    """The directory in which what belongs to a key lies."""
    return f"{folder}/{key[:1].hex()}"


def establish(location: str, known: Ids | None) -> tuple[Root, Ids]:
    """The folder, begun where there is none, and its ids; a new one gets those ``known``, if any.

    :raises ForeignStore: if something else lies there; it is left as it is.
    """
    try:
        os.makedirs(location, 0o700, exist_ok=True)
        root = Root(location)
    except (FileExistsError, NotADirectoryError) as error:
        raise ForeignStore(left_alone(location, "is a file, where FileStore needs a folder")) from error
    ids = _read_ids(root)
    if ids is not None:
        return root, ids
    _take(root.fd, location)
    try:
        return root, _read_ids(root) or _begin(root, known)
    finally:
        fcntl.flock(root.fd, fcntl.LOCK_UN)


def _begin(root: Root, known: Ids | None) -> Ids:
    present = set(os.listdir(root.fd))
    tag = _read(root, _TAG_FILE) if _TAG_FILE in present else b""
    # A tag that was not written to its end is ours if nothing else is there yet.
    if tag != _TAG and (present - {_TAG_FILE} or not _TAG.startswith(tag)):
        raise ForeignStore(left_alone(root.location, describe_folder(present)))
    if tag != _TAG:
        remove(root, _TAG_FILE)
        write_new(root, _TAG_FILE, [_TAG])
    for folder in _FOLDERS:
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700, dir_fd=root.fd)
    if "meta" in present:
        # It could not be read: set aside, so that a person can look at it.
        os.rename("meta", f"meta.broken-{os.urandom(4).hex()}", src_dir_fd=root.fd, dst_dir_fd=root.fd)
    ids = known or Ids(os.urandom(16), os.urandom(32))
    text = json.dumps({"store_id": ids.store_id.hex(), "salt": ids.salt.hex()})
    temporary = f"pending/{os.urandom(16).hex()}.new"
    write_new(root, temporary, [text.encode(), b"\n"])
    os.rename(temporary, "meta", src_dir_fd=root.fd, dst_dir_fd=root.fd)
    return ids


def _read_ids(root: Root) -> Ids | None:
    try:
        found = json.loads(_read(root, "meta"))
        ids = Ids(bytes.fromhex(found["store_id"]), bytes.fromhex(found["salt"]))
    except (FileNotFoundError, IsADirectoryError, ValueError, TypeError, LookupError, RecursionError):
        return None
    return ids if (len(ids.store_id), len(ids.salt)) == (16, 32) and _is_tagged(root) else None


def _is_tagged(root: Root) -> bool:
    try:
        return _read(root, _TAG_FILE) == _TAG
    except FileNotFoundError:
        return False


def _read(root: Root, path: str) -> bytes:
    fd = os.open(path, OPEN_FLAGS, dir_fd=root.fd)
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)


def is_signed(root: Root) -> bool:
    """Whether the store bears the mark that it was ever opened with a secret."""
    try:
        os.stat("signed", dir_fd=root.fd)
    except FileNotFoundError:
        return False
    return True


def mark_signed(root: Root, signed: bool) -> None:
    """Set or remove the mark."""
    if not signed:
        remove(root, "signed")
        return
    with suppress(FileExistsError):
        write_new(root, "signed", [])


def write_new(root: Root, path: str, pieces: Sequence[bytes]) -> None:
    """Write a file that does not exist yet, readable by its owner only; nothing is left of it on failure."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=root.fd)
    try:
        with open(fd, "wb", buffering=0) as file:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    view = view[file.write(view) :]
    except BaseException:
        remove(root, path)
        raise


def remove(root: Root, path: str) -> bool:
    """Remove a file; whether it was there."""
    try:
        os.unlink(path, dir_fd=root.fd)
    except FileNotFoundError:
        return False
    return True


def names_in(root: Root, path: str) -> list[str]:
    """The names in a directory, each once; none where there is no such directory."""
    try:
        fd = os.open(path, _DIRECTORY, dir_fd=root.fd)
    except (FileNotFoundError, NotADirectoryError):
        return []
    try:
        # A set: a file that is renamed over another while we read may come twice on some file systems.
        return sorted(set(os.listdir(fd)))
    finally:
        os.close(fd)


def check_writable(root: Root) -> None:
    """Nothing, if a page can be written and nobody holds a lock.

    :raises StoreBusy: if somebody does.
    """
    probe = f"pending/{os.urandom(16).hex()}.new"
    write_new(root, probe, [bytes(4096)])
    remove(root, probe)
    for folder in ("leases", "marks", "resources"):
        for name in names_in(root, folder):
            # What is no folder of ours concerns few keys; its lock would be waited for by nobody.
            with suppress(NotADirectoryError), locked(root, f"{folder}/{name}"):
                pass


@contextmanager
def locked(root: Root, path: str) -> Generator[None]:
    """Hold the lock of a directory, which is made if it is not there; it ends with its process.

    :raises StoreBusy: if others hold it for half a second.
    """
    try:
        fd = os.open(path, _DIRECTORY, dir_fd=root.fd)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(path, 0o700, dir_fd=root.fd)
        fd = os.open(path, _DIRECTORY, dir_fd=root.fd)
    try:
        _take(fd, root.location)
        yield
    finally:
        os.close(fd)


def _take(fd: int, location: str) -> None:
    pause, end = 0.0001, time.monotonic() + _LOCK_WAIT
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            # flock knows no time limit; a lock is held for a fraction of a millisecond.
            if time.monotonic() > end:
                raise StoreBusy(f"{location}: somebody holds a lock") from error
            time.sleep(pause)
            pause = min(2 * pause, 0.01)
        else:
            return
