"""The connections to one cache file: one that writes, one or two for each thread that reads, all known and closed.

A thread that uses a connection holds its lock, so that it is not closed meanwhile: not by ``close()``, the end of a
thread, or a fork. After a fork the child closes those that were at rest and does not abandon them: SQLite keeps
its table of locks by inode, so an abandoned connection would make the child's next one believe that it holds the
parent's locks, and the parent's close would then remove the log while the child uses it.

A handler of signals or a finalizer may run while its own thread holds such a lock, which is not released before the
handler is done: it reads by another connection, and does not write.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, TypeVar, cast

from sansio_cache.errors import ForeignStore, ReadOnlyStore, StoreBusy, StoreError
from sansio_cache_adapters.stores import system
from sansio_cache_adapters.stores.forking import Living, follow_forks

from . import place
from .guarded import Guarded, Opener, bulk_limit
from .opening import UNCHANGING, WRITING, open_at
from .reader import FOREIGN, Corrupt, Interrupted, Mapping, Reader, TooLarge, Unopened, abandon, close_dropped
from .records import remove_unsound

__all__ = ["MAINTENANCE", "Connections", "Work"]

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
"""What is done within a transaction."""

MAINTENANCE: Final = 30.0
"""Seconds after which work of maintenance is broken off: something must be wrong."""


class Connections:
    """Opens a cache file when it is first needed, notices when it is gone, and closes it.

    :param patience: seconds that a write, a read that may wait, or an opening takes at most before it is StoreBusy.
    :param max_bytes: of the store: no value in it is longer than what that allows.
    :param only_reads: nothing is made, written or set aside, whatever the disk would allow.
    :ivar read_only: the file is open, and can only be read.
    :ivar ids: id and salt under which the store is in use; a file that is begun in the place of one that has gone gets
        them, so that all who had that one open go on with the same. None as long as any will do.
    """

    def __init__(self, path: str, patience: float, max_bytes: int, *, only_reads: bool = False) -> None:
        self.path = path
        self.patience = patience
        self._only_reads = only_reads
        self._longest_value = bulk_limit(max_bytes)
        # For who closes or forks; however long others may wait for the file.
        self._briefly = min(patience, 1.0)
        # For what runs once it has all locks: nothing of ours comes near it, whatever lies in the file.
        self._longest = max(patience, 1.0)
        self.mapping = Mapping(path)
        self.ids: tuple[bytes, bytes] | None = None
        self._begin_anew()
        follow_forks(self)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._holder = 0
        self._local = threading.local()
        # Held during a fork: a reader that came meanwhile could be in use when the child parts. A handler of signals or
        # a finalizer may make one while its own thread does.
        self._arriving = threading.RLock()
        self._readers: Living[Reader] = Living()
        self._dropped = deque[sqlite3.Connection]()
        self._writer: Guarded | None = None
        self._inode: place.Inode | None = None
        self._opener = Opener(self.path, WRITING)
        self.read_only = False
        self._looked_at: place.State | None = None
        self._batch: tuple[int, sqlite3.Connection] | None = None
        self._resting: list[Reader] = []
        self._rests = self._keeps_out = False

    @property
    def is_open(self) -> bool:
        """Whether the file is open."""
        return self._inode is not None

    # Reading

    def reader(self) -> Reader | None:
        """The reader of this thread, or None as long as the file is not open."""
        if self._inode is None or (self.read_only and self._has_changed()):
            return None
        reader: Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._new_reader()
        return reader

    def _new_reader(self) -> Reader:
        with self._arriving:
            reader: Reader = Reader(self._opener, self._longest_value, self._dropped)
            self._local.reader = reader
            self._readers.add(reader)
        return reader

    def read(self, work: Callable[[Reader], T], *, anew: bool = False) -> T:
        """The result of ``work`` with this thread's reader; waits for others' locks, within ``patience``.

        :param anew: look first whether it is still the file at the path.
        :raises StoreError: in all its kinds.
        """
        deadline = time.monotonic() + self.patience
        mended = False
        while True:
            seen: place.Inode | None = None
            try:
                self.ensure_open(deadline, anew=anew)
                seen, reader = self._inode, self.reader()
                if reader is not None:
                    if reader.lock.locked():
                        # This thread is reading, and was interrupted.
                        reader = self._new_reader()
                    with self.mapping, reader.lock:
                        reader.until = time.monotonic() + self._longest
                        try:
                            return work(reader)
                        finally:
                            reader.settle()
            except (Corrupt, Unopened) as error:
                if mended:
                    raise
                self._mend(error, error.inode or seen, deadline)
                mended = True
            except Interrupted:
                raise
            except StoreBusy:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.001)

    # Writing

    def write(
        self, work: Work[T], *, at_once: Work[T] | None = None, wait: bool = True, longest: float | None = None
    ) -> T:
        """The result of ``work`` in a transaction, which is rolled back if it raises.

        :param at_once: does the same in one statement, or gives what is false.
        :param wait: whether to wait for others, within ``patience``, before it is StoreBusy.
        :param longest: seconds that it may take then, if it is the work of maintenance.
        :raises StoreError: in all its kinds.
        """
        batch = self._batch
        if batch is not None and batch[0] == threading.get_ident():
            return work(batch[1])
        deadline = time.monotonic() + (self.patience if wait else 0.0)
        longest = self._longest if longest is None else longest
        try:
            return self._write(work, deadline, longest, at_once)
        except TooLarge:
            self._remove_unsound(deadline)
        except (Corrupt, Unopened) as error:
            self._mend(error, error.inode, deadline)
        return self._write(work, deadline, longest)

    def _remove_unsound(self, deadline: float) -> None:
        """Take out what is too large to be ours; a file where that cannot be done is set aside."""
        try:
            self._write(partial(remove_unsound, longest=self._longest_value), deadline, MAINTENANCE)
        except (Corrupt, TooLarge) as error:
            self._mend(error, error.inode, deadline)

    def _write(self, work: Work[T], deadline: float, longest: float, at_once: Work[T] | None = None) -> T:
        if not self._lock.acquire(blocking=False):
            self._wait_for_lock(deadline)
        self._holder = threading.get_ident()
        try:
            try:
                db = self._open()
                if self.read_only:
                    self.refuse_if_read_only()
                done = None if at_once is None else db.at_once(at_once)
                return done or db.transact(work, deadline, longest)
            except FOREIGN as error:
                raise self.mapping.of(error) from error
        except (Corrupt, TooLarge, Unopened) as error:
            error.inode = error.inode or self._inode
            raise
        except ReadOnlyStore as error:
            if error.__cause__ is not None:
                # A connection that found the file read-only goes on believing so.
                with suppress(sqlite3.Error):
                    self._close()
            raise
        finally:
            self._holder = 0
            self._lock.release()

    def alone(self, work: Callable[[Guarded], T]) -> T:
        """The result of ``work``, outside any transaction, while no other thread of this process writes."""
        with self._held(time.monotonic() + self.patience), self.mapping:
            db = self._open()
            db.allow(time.monotonic() + MAINTENANCE)
            try:
                return work(db)
            finally:
                db.shut()

    def together(self, work: Callable[[], T]) -> T:
        """The result of ``work``; all that this thread writes within it is one transaction."""

        def inside(db: sqlite3.Connection) -> T:
            self._batch = (threading.get_ident(), db)
            try:
                return work()
            finally:
                self._batch = None

        return self.write(inside, longest=MAINTENANCE)

    @contextmanager
    def _held(self, deadline: float) -> Generator[None]:
        self._wait_for_lock(deadline)
        self._holder = threading.get_ident()
        try:
            yield
        finally:
            self._holder = 0
            self._lock.release()

    def _wait_for_lock(self, deadline: float) -> None:
        if self._holder == threading.get_ident():
            raise Interrupted(f"{self.path}: this thread was interrupted while it was using the file")
        if not self._lock.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
            raise StoreBusy(f"{self.path}: another thread is writing")

    # Opening and closing

    def ensure_open(self, deadline: float | None = None, *, anew: bool = False) -> None:
        """Open the file, making it if it is not there; nothing if it is open.

        :param anew: look whether it is still the one at the path.
        :raises StoreError: in all its kinds.
        """
        if self._inode is None or (anew and self._has_gone()) or (self.read_only and self._has_changed()):
            with self._held(time.monotonic() + self.patience if deadline is None else deadline), self.mapping:
                self._open()

    def _open(self) -> Guarded:
        """The writing connection to the file that lies at the path now; the caller holds the lock.

        :raises StoreError: that is another store than the one in use: no session could read records written there under
            the ids of ours. It is taken as it is when the store is opened again.
        """
        writer = self._writer
        if writer is None or place.inode_at(self.path) != self._inode or (self.read_only and self._has_changed()):
            # Deleted or replaced: nothing is written any more to a file that has no name.
            self._close()
            opened = open_at(self.path, self.ids, self._longest_value, self.patience, only_reads=self._only_reads)
            self._writer = writer = opened.connection
            self._opener.how, self._looked_at = opened.how, opened.looked_at
            self.read_only = opened.how != WRITING
            self._inode = opened.inode
        if self.ids not in (None, writer.ids):
            raise StoreError(f"{self.path}: another store has taken the place of ours")
        return writer

    def _state(self) -> place.State:
        return place.state_of(self.path, only_reads=self._only_reads)

    def _has_gone(self) -> bool:
        """Whether another file lies at the path, or none."""
        try:
            return place.inode_at(self.path) != self._inode
        except OSError:
            return True

    def refuse_if_read_only(self) -> None:
        """Do nothing, unless the file is open and can only be read.

        :raises ReadOnlyStore: then.
        """
        if self.read_only:
            raise ReadOnlyStore(f"{self.path} can only be read here: nothing new is stored")

    def _has_changed(self) -> bool:
        """Whether a file that can only be read may be written to by now; or was, where SQLite does not look."""
        if not self.read_only:
            return False
        try:
            now, before = self._state(), self._looked_at
        except OSError:  # it has gone
            return True
        return now != before if self._opener.how == UNCHANGING else now.may_be_written

    def _mend(self, error: Corrupt | Unopened | TooLarge, inode: place.Inode | None, deadline: float) -> None:
        """Close a file, and if it is corrupt and ours set it aside; the next use opens or begins one.

        Does nothing where another thread or process has done so already: another file lies there now.

        :raises ForeignStore: if it is not ours any more: it is left as it is.
        """
        with self._held(deadline), self.mapping:
            try:
                if inode is not None and not isinstance(error, Unopened):
                    may_be_written = self._state().may_be_written
                    if place.inode_at(self.path) == inode:  # else the file has been replaced meanwhile
                        if not may_be_written:
                            raise error
                        if not system.SYSTEM.moves_open_files:
                            self._leave_as_it_is()
                            self._close()
                        place.set_aside(self.path, inode)
            except FileNotFoundError:
                pass  # another process was faster
            except ForeignStore:
                self._leave_as_it_is()
                raise
            finally:
                if self._inode in (None, inode):
                    self._close()

    def close(self) -> None:
        """Close every connection, waiting a while for those in use. The next use opens the file again."""
        with suppress(StoreBusy), self._held(time.monotonic() + 2 * self._briefly), suppress(sqlite3.Error):
            self._close()

    def _close(self) -> None:
        inode, self._inode = self._inode, None
        self._opener.how, self.read_only = WRITING, False
        own = getattr(self._local, "reader", None)
        for reader in self._readers.all():
            # This thread's own is in use only if that was interrupted.
            if reader.lock.acquire(timeout=0.0 if reader is own else self._briefly):
                try:
                    reader.close()
                finally:
                    reader.lock.release()
        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                writer.close()
        finally:
            # While any is open the file must not be looked at: that would take the locks of all of them.
            close_dropped(self._dropped)
            if inode is not None:
                place.forget(inode)

    def _leave_as_it_is(self) -> None:
        """See to it that closing brings no log into the file, as far as this Python can say so (3.12 and later)."""
        connections = [self._writer, *(each for reader in self._readers.all() for each in reader.opened())]
        for each in connections:
            setting = getattr(sqlite3, "SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE", None)
            if each is not None and setting is not None:
                with suppress(sqlite3.Error):
                    cast(Any, each).setconfig(setting, True)

    # Forking

    def before_fork(self) -> None:
        """Wait until no connection is in use."""
        deadline = time.monotonic() + self._briefly
        self._rests = self._lock.acquire(timeout=self._briefly)
        self._keeps_out = self._arriving.acquire(timeout=self._briefly)
        self._resting = [
            reader
            for reader in self._readers.all()
            if reader.lock.acquire(timeout=max(deadline - time.monotonic(), 0.0))
        ]

    def after_fork(self, *, child: bool) -> None:
        """Go on, the child with connections of its own."""
        if not child:
            for reader in self._resting:
                reader.lock.release()
            if self._keeps_out:
                self._arriving.release()
            if self._rests:
                self._lock.release()
            self._resting = []
            return
        for reader in self._readers.all():
            with suppress(sqlite3.Error):
                reader.close(at_rest=reader in self._resting)
        if self._writer is not None:
            if self._rests:
                with suppress(sqlite3.Error):
                    self._writer.close()
            else:
                abandon(self._writer)
        if self._inode is not None:
            place.forget(self._inode)
        self._begin_anew()
