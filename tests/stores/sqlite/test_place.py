"""What lies at the store's path: made private, never somebody else's, and taken up again when it heals (G20, G26)."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sansio_cache.errors import ForeignStore, StoreError
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.testing import make_item, name, put

NOW = time.time()
Opened = Callable[..., SQLiteStore]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        each.name: each.read_bytes() if each.is_file() and not each.is_fifo() else None for each in folder.iterdir()
    }


class TestPrivate:
    def test_files_are_0600_and_new_folders_0700(self, tmp_path: Path) -> None:
        """G26: the log beside the file too, whatever the umask."""
        before = os.umask(0)
        try:
            store = SQLiteStore(tmp_path / "a" / "b" / "cache.sqlite")
            put(store, make_item("one", now=NOW), now=NOW)
            files = list((tmp_path / "a" / "b").iterdir())
            assert {each.name for each in files} == {"cache.sqlite", "cache.sqlite-wal", "cache.sqlite-shm"}
            assert {mode(each) for each in files} == {0o600}
            assert {mode(tmp_path / "a"), mode(tmp_path / "a" / "b")} == {0o700}
            store.close()
        finally:
            os.umask(before)

    def test_an_empty_file_is_begun_and_made_0600(self, path: Path, opened: Opened) -> None:
        """G20: an empty file is what ``tempfile`` and ``touch`` leave."""
        path.touch(0o644)
        put(opened(), make_item("one", now=NOW), now=NOW)
        assert mode(path) == 0o600

    def test_a_symbolic_link_leads_to_what_is_there(self, path: Path, opened: Opened) -> None:
        """And stays one."""
        store = opened()
        put(store, make_item("one", now=NOW), now=NOW)
        store.close()
        path.rename(path.with_name("target.sqlite"))
        path.symlink_to("target.sqlite")
        put(opened(), make_item("two", now=NOW), now=NOW)
        assert path.is_symlink()
        assert opened().size().entries == 2

    def test_nothing_is_made_where_a_link_leads(self, path: Path, opened: Opened) -> None:
        """G29: a user who may put one there could have a file made wherever the cache's user may."""
        path.symlink_to(path.with_name("authorized_keys"))
        with pytest.raises(ForeignStore, match="a link that leads to nothing"):
            put(opened(), make_item("one", now=NOW), now=NOW)
        assert [each.name for each in path.parent.iterdir()] == [path.name]

    def test_what_a_dead_process_began_is_cleared_away(self, path: Path, opened: Opened) -> None:
        """G21: a draft of a minute ago; a younger one may be somebody's work."""
        old, young = path.with_name(path.name + ".new-1-00aa11bb"), path.with_name(path.name + ".new-2-00aa11bb")
        for each in (old, young):
            each.write_bytes(b"draft")
        os.utime(old, (NOW - 100, NOW - 100))
        opened().open(signed=False)
        assert not old.exists()
        assert young.exists()

    def test_of_many_that_begin_at_once_all_have_the_same(
        self, path: Path, script: Callable[..., subprocess.Popen[str]]
    ) -> None:
        """First writer wins: one store id."""
        code = """
            say("ready")
            hear()
            say(SQLiteStore(path).open(signed=False).store_id.hex())
        """
        processes = [script(code, path) for _ in range(4)]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        answers = [process.communicate("go\n")[0].splitlines()[-1] for process in processes]
        assert len(set(answers)) == 1
        assert list(path.parent.glob("*.new-*")) == []


def text_file(path: Path) -> None:
    path.write_text("Dear diary, " * 100)


def short_file(path: Path) -> None:
    path.write_bytes(b"\0")


def document(path: Path) -> None:
    path.write_bytes(b"PK\3\4" + os.urandom(5000))


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE records (mine TEXT)")
    connection.commit()
    connection.close()


def logged_database(path: Path) -> None:
    database(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def newer_cache(path: Path) -> None:
    store = SQLiteStore(path)
    store.open(signed=False)
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()


FOREIGN = [text_file, short_file, document, folder, pipe, database, logged_database, newer_cache]


class TestForeign:
    @pytest.mark.parametrize("make", FOREIGN, ids=lambda make: make.__name__)
    def test_it_is_left_as_it_is(self, path: Path, opened: Opened, make: Callable[[Path], None]) -> None:
        """G20: neither changed nor given company, whatever is asked of the store; and the store says so each time."""
        make(path)
        before = snapshot(path.parent)
        store = opened()
        for _ in range(2):
            with pytest.raises(ForeignStore, match=r"cache\.sqlite"):
                store.open(signed=True)
            with pytest.raises(ForeignStore):
                store.load(name("one"))
            with pytest.raises(ForeignStore):
                store.commit(make_item("one", now=NOW), vary_limit=32, now=NOW)
            assert store.load_nowait(name("one")) is None
            assert store.flush(1.0)
            store.close()
        assert snapshot(path.parent) == before

    def test_a_database_in_use_keeps_its_locks(
        self, path: Path, opened: Opened, script: Callable[..., subprocess.Popen[str]]
    ) -> None:
        """POSIX would drop the locks of the user's own connection when its file is closed anywhere in the process."""
        database(path)
        mine = sqlite3.connect(path, isolation_level=None)
        mine.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ForeignStore):
            opened().open(signed=False)
        stranger = script(
            """
            try:
                sqlite3.connect(path, timeout=0).execute("SELECT * FROM records").fetchall()
                say("read")
            except sqlite3.OperationalError as error:
                say(str(error))
            """,
            path,
        )
        assert "locked" in stranger.communicate()[0]
        mine.execute("ROLLBACK")
        mine.close()

    def test_the_store_is_taken_up_when_it_heals(self, path: Path, opened: Opened) -> None:
        """G20: the user moves his file away."""
        text_file(path)
        store = opened()
        with pytest.raises(ForeignStore):
            store.open(signed=False)
        path.rename(path.with_name("diary.txt"))
        put(store, make_item("one", now=NOW), now=NOW)


def invalidate(path: Path, script: Callable[..., subprocess.Popen[str]], start: int, length: int) -> None:
    """Overwrite a part of the file from another process: to open it here would drop SQLite's locks."""
    code = f"""
        descriptor = os.open(path, os.O_RDWR)
        size = os.fstat(descriptor).st_size
        os.pwrite(descriptor, b"\\xa5" * min({length}, size - {start}), {start})
    """
    assert script(code, path).wait() == 0


class TestCorrupt:
    def fill(self, store: SQLiteStore) -> None:
        for index in range(50):
            put(store, make_item(str(index), b"x" * 5000, resource=str(index), now=NOW), now=NOW)

    @pytest.mark.parametrize("start", [100, 1024, 4096], ids=["schema", "in the first page", "behind the first page"])
    def test_a_broken_file_of_ours_is_set_aside(
        self, path: Path, opened: Opened, script: Callable[..., subprocess.Popen[str]], start: int
    ) -> None:
        """G20: its header says that it is ours; it is kept under another name and a new one begun."""
        store = opened()
        self.fill(store)
        store.close()
        invalidate(path, script, start, 10**9)
        broken = path.read_bytes()
        put(store, make_item("new", now=NOW), now=NOW)
        assert len(store.load(name("new"))) == 1
        assert path.with_name("cache.sqlite.corrupt-1").read_bytes() == broken
        assert mode(path) == 0o600

    def test_behind_a_link_a_new_one_is_begun(
        self, path: Path, opened: Opened, script: Callable[..., subprocess.Popen[str]]
    ) -> None:
        """G20: where the broken one was, as if there were no link."""
        store = opened()
        self.fill(store)
        store.close()
        path.rename(path.with_name("target.sqlite"))
        path.symlink_to("target.sqlite")
        invalidate(path, script, 4096, 10**9)
        assert list(store.load(name("1"))) == []
        assert path.with_name("target.sqlite.corrupt-1").exists()
        put(store, make_item("new", now=NOW), now=NOW)
        assert path.is_symlink()
        assert len(store.load(name("new"))) == 1

    def test_it_is_noticed_by_who_reads(
        self, path: Path, opened: Opened, script: Callable[..., subprocess.Popen[str]]
    ) -> None:
        """G20: a read of a broken file is a miss."""
        store = opened()
        self.fill(store)
        store.close()
        invalidate(path, script, 4096, 10**9)
        assert list(store.load(name("1"))) == []
        assert path.with_name("cache.sqlite.corrupt-1").exists()

    def test_a_second_broken_file_has_another_name(
        self, path: Path, opened: Opened, script: Callable[..., subprocess.Popen[str]]
    ) -> None:
        """Nothing is overwritten."""
        store = opened()
        for _ in range(2):
            self.fill(store)
            store.close()
            invalidate(path, script, 4096, 10**9)
            store.load(name("1"))
        assert {each.name for each in path.parent.glob("*.corrupt-*")} == {
            "cache.sqlite.corrupt-1",
            "cache.sqlite.corrupt-2",
        }

    def test_it_breaks_while_it_is_open(
        self, path: Path, opened: Opened, script: Callable[..., subprocess.Popen[str]]
    ) -> None:
        """G20: from then on the store is a new one."""
        store = opened()
        self.fill(store)
        store.close()  # so that all of it is in the file
        store.load(name("1"))
        invalidate(path, script, 4096, 10**9)
        for index in range(50):
            try:
                store.commit(make_item(f"new {index}", now=NOW), vary_limit=32, now=NOW)
            except StoreError as error:
                pytest.fail(f"it did not recover: {error}")
        assert path.with_name("cache.sqlite.corrupt-1").exists()
        assert len(store.load(name("new 49"))) == 1

    def test_a_file_without_a_sound_header_is_not_ours_any_more(
        self, path: Path, opened: Opened, script: Callable[..., subprocess.Popen[str]]
    ) -> None:
        """G20: overwritten from its first byte it may be anything; it is left as it is."""
        store = opened()
        self.fill(store)
        store.close()
        invalidate(path, script, 0, 10**9)
        before = snapshot(path.parent)
        with pytest.raises(ForeignStore):
            store.load(name("1"))
        assert snapshot(path.parent) == before

    def test_a_truncated_file_is_set_aside(self, path: Path, opened: Opened) -> None:
        """G20: half of it is gone."""
        store = opened()
        self.fill(store)
        store.close()
        os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)
        for index in range(50):
            store.load(name(str(index)))
        assert path.with_name("cache.sqlite.corrupt-1").exists()
        put(store, make_item("new", now=NOW), now=NOW)

    def test_a_file_without_its_meta_record_is_set_aside(
        self, path: Path, opened: Opened, raw: Callable[[], sqlite3.Connection]
    ) -> None:
        """Its schema is ours and its one row is gone."""
        store = opened()
        self.fill(store)
        raw().execute("DELETE FROM meta")
        store.close()
        assert not store.open(signed=False).signed
        assert path.with_name("cache.sqlite.corrupt-1").exists()

    def test_an_older_schema_is_brought_up_to_date(
        self, path: Path, opened: Opened, raw: Callable[[], sqlite3.Connection]
    ) -> None:
        """What is there stays."""
        store = opened()
        self.fill(store)
        store.close()
        raw().execute("PRAGMA user_version = 0")
        assert len(store.load(name("1"))) == 1
        assert raw().execute("PRAGMA user_version").fetchone() == (1,)

    def test_a_newer_schema_in_its_log_is_seen_too(
        self, path: Path, opened: Opened, raw: Callable[[], sqlite3.Connection]
    ) -> None:
        """The file's header is older than what was written last."""
        store = opened()
        self.fill(store)
        other = raw()
        other.execute("PRAGMA user_version = 99")
        store.close()
        with pytest.raises(ForeignStore):
            store.load(name("1"))


class TestGone:
    @pytest.mark.parametrize("with_folder", [False, True], ids=["file", "folder"])
    def test_a_deleted_file_is_begun_anew(self, tmp_path: Path, with_folder: bool) -> None:
        """G20: no write goes to a file that has no name."""
        path = tmp_path / "folder" / "cache.sqlite"
        store = SQLiteStore(path)
        put(store, make_item("old", now=NOW), now=NOW)
        for each in path.parent.iterdir():
            each.unlink()
        if with_folder:
            path.parent.rmdir()
        put(store, make_item("new", resource="new", now=NOW), now=NOW)
        assert list(store.load(name("old"))) == []
        assert [each.partition for each in SQLiteStore(path).listed()] == [name("new")]
        store.close()

    def test_readers_follow(self, path: Path, store: SQLiteStore) -> None:
        """A thread that has read from the old file reads from the new one."""
        put(store, make_item("old", now=NOW), now=NOW)
        assert len(store.load_nowait(name("old")) or ()) == 1
        path.unlink()
        put(store, make_item("new", now=NOW), now=NOW)
        assert [len(store.load_nowait(name(each)) or ()) for each in ("old", "new")] == [0, 1]

    def test_a_thread_that_comes_later_finds_the_new_one(self, path: Path, store: SQLiteStore) -> None:
        """The first that hears of it is a reader."""
        from concurrent.futures import ThreadPoolExecutor

        put(store, make_item("old", now=NOW), now=NOW)
        for each in path.parent.iterdir():
            each.unlink()
        with ThreadPoolExecutor(1) as pool:
            assert list(pool.submit(store.load, name("old")).result()) == []

    def test_another_file_in_its_place_is_left_alone(self, path: Path, store: SQLiteStore) -> None:
        """G20: what is foreign at the next write is foreign."""
        put(store, make_item("old", now=NOW), now=NOW)
        for each in path.parent.iterdir():
            each.unlink()
        text_file(path)
        before = snapshot(path.parent)
        with pytest.raises(ForeignStore):
            store.commit(make_item("new", now=NOW), vary_limit=32, now=NOW)
        assert snapshot(path.parent) == before
