"""The folder of a file store: its layout, how it is made and told from a foreign one, and its locks.

::

    CACHEDIR.TAG                         says whose folder it is (and keeps it out of backups)
    meta                                 the store's id and salt, JSON; first writer wins
    signed                               is there if the store was ever opened with a secret
    resources/aa/RESOURCE/PARTITION      the records of a partition, small bodies included
    partitions/bb/PARTITION              points to that file, for who knows only the partition
    bodies/cc/ENTRY                      a large body with the hashes of its chunks, never changed
    pending/ENTRY                        a body on its way in; temporary files, too
    marks/aa/RESOURCE
    claims                               bytes of it are locked by those who fetch for all
    leases                               of an earlier version: a folder of ours, without a use now

There is no index: a pointer follows from the partition's key, which covers the resource's. Anyone who changes something
holds the lock of the folder ``resources/aa`` or ``marks/aa``; readers need none. A pointer is a symbolic link, which is
read and never followed; no other link has a place here. Any folder may go at any time (cleaners remove empty ones): it
is made again when it is missed.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from sansio_cache.errors import ForeignStore, StoreError
from sansio_cache_adapters.stores.foreign import describe_folder, left_alone
from sansio_cache_adapters.stores.system.folders import Folder, is_absent, is_misplaced, open_root, runs_as_root

__all__ = [
    "LOCK_FILE",
    "SHARDS",
    "TROUBLE",
    "Ids",
    "Root",
    "check_writable",
    "establish",
    "is_hex",
    "is_of_one_key",
    "is_signed",
    "mapped",
    "mark_signed",
    "names_in",
    "new_name",
    "probe",
    "replace",
    "restrict_all",
    "skipping",
    "take_salt",
    "trouble",
]

SHARDS: Final = tuple(f"{number:02x}" for number in range(256))
_KINDS: Final = ("resources", "partitions", "bodies", "pending", "marks", "leases")
LOCK_FILE: Final = "claims"
_TAG_FILE: Final = "CACHEDIR.TAG"
_TAG: Final = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# This folder is an HTTP cache made by sansio-cache (files, format 1). It may be deleted as a whole.\n"
)
_MOST_SMALL: Final = 4096
_MOST_OPEN: Final = 128
_MOST_KNOWN: Final = 4096
_OPEN_SECONDS: Final = 1.0
_LOOKED_AT: Final = 500
"""Names whose modes are looked at before a store is used; a sweep sees to the rest."""
_DEPTH: Final = 4


class Ids(NamedTuple):
    """The id and the salt of a store: 16 and 32 random bytes."""

    store_id: bytes
    salt: bytes


class Root(Folder):
    """The open folder of a store.

    All is reached from it, so that a folder put in its place later is not written to.

    :ivar known: to which resources partitions belong, hexadecimal: as the pointers say, without reading them.
    :ivar modes_left: whether files may be left that others can read (if they can come so far).
    """

    __slots__ = ("_folders", "_recent_until", "is_link", "known", "location", "modes_left")

    def __init__(self, location: str) -> None:
        self.location = location
        opened, self.is_link = open_root(location)
        super().__init__(opened)
        self.known: dict[str, str] = {}
        self.modes_left = False
        self._folders: dict[str, Folder] = {}
        self._recent_until = 0.0

    def reach(self, kind: str, *names: str, make: bool = False) -> Folder:
        """A folder below one of the six; with ``make`` each is made that is not there.

        :raises ForeignStore: if something else lies in the place of one of the six.
        """
        recent = self._recent().get(kind) if names or not make else None
        if recent is not None:
            try:
                return recent.below(names, make)
            except FileNotFoundError:
                self.forget()  # it may be gone, and made again by others
        return self._one_of_six(kind, make).below(names, make)

    def _recent(self) -> dict[str, Folder]:
        """Folders that were opened just now. Not for long: they may be moved away, and others be in their places."""
        now = time.monotonic()
        if now > self._recent_until:
            self._folders, self._recent_until = {}, now + _OPEN_SECONDS
        return self._folders

    def _one_of_six(self, kind: str, make: bool) -> Folder:
        try:
            folder = self.made(kind) if make else self.at(kind)
        except OSError as error:
            if is_misplaced(error):
                raise self.foreign(kind) from error
            raise
        self._folders[kind] = folder
        return folder

    def found(self, kind: str, *names: str) -> Folder | None:
        """The same; None where it is not there, or no folder of ours."""
        with skipping():
            return self.reach(kind, *names)
        return None

    def foreign(self, kind: str) -> ForeignStore:
        """The error for something else in the place of one of the six folders."""
        return ForeignStore(left_alone(f"{self.location}/{kind}", "is not a folder of ours"))

    @contextmanager
    def locked(self, kind: str, number: str) -> Generator[Folder]:
        """Hold the lock of a shard's folder.

        :raises StoreBusy: if others hold it for half a second.
        """
        folder = self.reach(kind, number, make=True)
        with folder.lock():
            yield folder

    def read_record(self, resource: str, partition: str, most: int) -> bytes | None:
        """The file of a partition's records; None where it is larger than ``most``."""
        number, recent = resource[:2], self._recent()
        shard = recent.get(number)
        if shard is not None:
            try:
                return shard.read_below(resource, partition, most)
            except FileNotFoundError:
                self.forget()
        shard = self.reach("resources", number)
        if len(recent) < _MOST_OPEN:
            self._folders[number] = shard
        return shard.read_below(resource, partition, most)

    def forget(self) -> None:
        """Close the folders that were opened a moment ago, and open them anew when they are asked for."""
        self._folders = {}

    def know(self, partition: str, resource: str) -> None:
        """Remember a pointer."""
        if len(self.known) >= _MOST_KNOWN:
            self.known = {}
        self.known[partition] = resource


TROUBLE: Final = (OSError, MemoryError, RecursionError)
"""Errors of reading and writing; a lack of memory counts as one, since the request must go on."""


def trouble(location: str, error: BaseException) -> StoreError:
    """The error of the store for one of these."""
    said = error.strerror if isinstance(error, OSError) else ""
    return StoreError(f"{location}: {said or str(error) or type(error).__name__}")


@contextmanager
def mapped(location: str) -> Generator[None]:
    """Turns trouble that the operating system reports into a StoreError; the only place that does."""
    try:
        yield
    except TROUBLE as error:
        raise trouble(location, error) from error


@contextmanager
def skipping() -> Generator[None]:
    """Pass over what is absent, or cannot be changed."""
    try:
        yield
    except OSError as error:
        if not is_absent(error) and not isinstance(error, PermissionError):
            raise


def is_hex(name: str, size: int = 64) -> bool:
    """Whether a name is one of ours, of so many hexadecimal digits."""
    return len(name) == size and set(name) <= set("0123456789abcdef")


def new_name() -> str:
    """A name for something temporary."""
    return f"{os.urandom(16).hex()}.new"


def names_in(root: Root, kind: str, number: str, *, size: int = 64) -> list[str]:
    """The names of ours in a shard's folder; none where there is no such folder."""
    folder = root.found(kind, number)
    return [] if folder is None else [name for name in folder.names() if is_hex(name, size)]


def establish(location: str, known: Ids | None) -> tuple[Root, Ids]:
    """The folder, begun where there is none, and its ids; a new one gets those ``known``, if any.

    :raises ForeignStore: if something else lies there; it is left as it is.
    """
    try:
        root = Root(location)
    except (FileExistsError, NotADirectoryError) as error:
        raise ForeignStore(left_alone(location, "is a file, where FileStore needs a folder")) from error
    if not root.is_ours:
        _close_for(root)
        raise ForeignStore(left_alone(location, "belongs to another user"))
    for kind in _KINDS:
        seen = root.look(kind)
        if seen is not None and not (stat.S_ISDIR(seen.st_mode) and root.owns(seen)):
            raise root.foreign(kind)
    ids = _read_ids(root) or _begun(root, known)
    root.modes_left = _restrict(root, _LOOKED_AT) <= 0
    return root, ids


def _close_for(root: Root) -> None:
    """Restrict the folder as its owner does at opening: root may do so for any user."""
    with suppress(OSError):
        if runs_as_root() and _read_ids(root) is not None:
            _restrict(root, _LOOKED_AT)


def _begun(root: Root, known: Ids | None) -> Ids:
    if root.is_link:
        # A stranger may have put it there, to have a folder of ours taken for a cache.
        raise ForeignStore(left_alone(root.location, "is a link that leads to no cache yet"))
    with root.lock():
        return _read_ids(root) or _begin(root, known)


def _begin(root: Root, known: Ids | None) -> Ids:
    present = set(root.names())
    if (seen := root.look(LOCK_FILE)) is not None and stat.S_ISREG(seen.st_mode) and seen.st_size == 0:
        # Made by who claimed something while the folder was being deleted.
        present.discard(LOCK_FILE)
    tag = _read(root, _TAG_FILE)
    # A tag that was not written to its end is ours if nothing else is there yet.
    if tag != _TAG and (present - {_TAG_FILE} or tag is None or not _TAG.startswith(tag)):
        raise ForeignStore(left_alone(root.location, describe_folder(present)))
    if tag != _TAG:
        root.remove(_TAG_FILE)
        root.write_new(_TAG_FILE, [_TAG])
    for kind in _KINDS:
        root.reach(kind, make=True)
    if "meta" in present:
        # It could not be read: set aside, so that a person can look at it.
        root.rename("meta", root, f"meta.broken-{os.urandom(4).hex()}")
    return _write_ids(root, known or Ids(os.urandom(16), os.urandom(32)))


def _write_ids(root: Root, ids: Ids) -> Ids:
    text = json.dumps({"store_id": ids.store_id.hex(), "salt": ids.salt.hex()})
    replace(root, root, "meta", [text.encode(), b"\n"])
    return ids


def take_salt(root: Root, salt: bytes) -> Ids | None:
    """Write down another salt; None where the ids cannot be read."""
    with root.lock():
        ids = _read_ids(root)
        return None if ids is None else _write_ids(root, ids._replace(salt=salt))


def replace(root: Root, folder: Folder, name: str, pieces: Sequence[bytes]) -> None:
    """Write a file in place of the one that may be there; anyone who has that open keeps it as it was."""
    pending, temporary = root.reach("pending", make=True), new_name()
    pending.write_new(temporary, pieces)
    try:
        pending.put(temporary, folder, name)
    except BaseException:
        pending.remove(temporary)
        raise


def _read_ids(root: Root) -> Ids | None:
    try:
        found = json.loads(_read(root, "meta") or b"")
        ids = Ids(bytes.fromhex(found["store_id"]), bytes.fromhex(found["salt"]))
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    return ids if (len(ids.store_id), len(ids.salt)) == (16, 32) and _read(root, _TAG_FILE) == _TAG else None


def _read(root: Root, name: str) -> bytes | None:
    """A small file, empty where there is none; None where something else has that name."""
    try:
        return root.read(name, _MOST_SMALL)
    except FileNotFoundError:
        return b""
    except OSError as error:
        if isinstance(error.__cause__, PermissionError) or not is_misplaced(error):
            raise
        return None


def _restrict(folder: Folder, most: float, depth: int = _DEPTH) -> float:
    """Take from all others what they may do in a folder of ours; how many more names may be looked at."""
    folder.restrict()
    for name in folder.names():
        most -= 1
        if most <= 0:
            break
        seen = folder.look(name)
        if seen is None or not folder.owns(seen):
            continue
        if stat.S_ISREG(seen.st_mode) and seen.st_mode & 0o077:
            folder.restrict(name)
        elif stat.S_ISDIR(seen.st_mode) and depth > 0:
            with skipping():
                most = _restrict(folder.at(name), most, depth - 1)
    return most


def restrict_all(root: Root) -> None:
    """See to the modes that were left when the folder was opened."""
    if root.modes_left:
        root.modes_left = False
        _restrict(root, float("inf"))


def is_signed(root: Root) -> bool:
    """Whether the store bears the mark that it was ever opened with a secret."""
    return root.look("signed") is not None


def mark_signed(root: Root, signed: bool) -> None:
    """Set or remove the mark."""
    if not signed:
        root.remove("signed")
        if is_signed(root):
            raise StoreError(f"{root.location}/signed is no file of ours, and cannot be removed")
        return
    with suppress(FileExistsError):
        root.write_new("signed", [])


def probe(root: Root) -> None:
    """Return if a page can be written."""
    name = new_name()
    pending = root.reach("pending", make=True)
    pending.write_new(name, [bytes(4096)])
    pending.remove(name)


def is_of_one_key(root: Root, error: OSError) -> bool:
    """Whether trouble concerns one key alone: a right may be wanting in one folder, or in all."""
    if not isinstance(error, PermissionError):
        return is_misplaced(error)
    try:
        probe(root)
    except OSError:
        return False
    return True


def check_writable(root: Root) -> None:
    """Return if a page can be written and no lock is held.

    :raises StoreBusy: if somebody does.
    """
    probe(root)
    for kind in ("marks", "resources"):
        for name in filter(lambda name: is_hex(name, 2), root.reach(kind, make=True).names()):
            # An entry that is no folder of ours concerns few keys; no process would wait for its lock.
            with skipping(), root.locked(kind, name):
                pass
