"""The store of the how-to keeps the promises of a store, as the page says: its code is taken from the page and run."""

from __future__ import annotations

import importlib
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sansio_cache import StoreError
from sansio_cache_adapters.stores.protocol import Store

pytestmark = pytest.mark.once

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "own-store.md"
BLOCK = re.compile(r"^```(?:python|\{code-block\} python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    """The store, and its test."""
    return BLOCK.findall(PAGE.read_text("utf-8"))


def run_contract(store: str, test: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Save both as the page says, and run pytest there."""
    (folder / "own_store.py").write_text(store, "utf-8")
    (folder / "test_own_store.py").write_text(test, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", "made", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=50)


def test_the_store_of_the_page_keeps_the_contract(blocks: list[str], tmp_path: Path) -> None:
    """G20, G21, G24, G28 and all else that StoreContract asks for; nothing of it is skipped."""
    store, test = blocks
    done = run_contract(store, test, tmp_path)
    assert done.returncode == 0, done.stdout
    [passed] = re.findall(r"^(\d+) passed in ", done.stdout, re.MULTILINE)
    assert int(passed) > 45


def test_a_broken_promise_is_noticed(blocks: list[str], tmp_path: Path) -> None:
    """The contract that the page runs is one that can fail: a table that forgets on closing breaks some of it."""
    store, test = blocks
    forgetful = store.replace("self._path, timeout", '":memory:", timeout')
    assert forgetful != store
    done = run_contract(forgetful, test, tmp_path)
    assert done.returncode == 1
    assert "test_closing_twice_is_nothing_and_using_it_reopens" in done.stdout


def test_it_is_about_a_hundred_lines(blocks: list[str]) -> None:
    """Store and test together, as the page promises."""
    assert sum(len(block.splitlines()) for block in blocks) < 110


def test_opening_goes_on_where_it_was_disturbed(
    blocks: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is locked at first is no store for a while only."""
    (tmp_path / "own_store_opened.py").write_text(blocks[0], "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    store: Store = importlib.import_module("own_store_opened").own_store(tmp_path / "own.db")
    with closing(sqlite3.connect(tmp_path / "own.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked"):
            store.open(signed=False)
        other.execute("ROLLBACK")
    assert not store.open(signed=False).signed
    store.close()
