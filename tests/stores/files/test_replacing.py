"""A file of heads is replaced in one step: by exchanging names where the system can, else by renaming one over it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.stores.system import exchanging, posix_folder
from sansio_cache_adapters.testing import make_item, name


@pytest.fixture(params=["exchanged", "renamed"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What came of each wish to exchange names."""
    came: list[bool] = []
    exchange = exchanging.exchanged

    def noted(*arguments: Any) -> bool:
        came.append(request.param == "exchanged" and exchange(*arguments))
        return came[-1]

    monkeypatch.setattr(posix_folder, "exchanged", noted)
    return came


def test_what_is_replaced_leaves_nothing_behind(store: FileStore, path: Path, now: float, ways: list[bool]) -> None:
    for number in range(5):
        assert store.commit(make_item("one", b"%d" % number, now=now), vary_limit=32, now=now)
    (there,) = store.load(name("one"))
    assert there.body == b"4"
    assert len(ways) == 4  # the first has nothing to replace
    assert os.listdir(path / "pending") == []


def test_only_a_file_is_exchanged(tmp_path: Path, ways: list[bool]) -> None:
    """What somebody has put there stays out of our folders."""
    folder = tmp_path / "f"
    folder.mkdir(0o700)
    (folder / "new").write_bytes(b"new")
    (folder / "elsewhere").write_bytes(b"theirs")
    (folder / "there").symlink_to("elsewhere")
    place = posix_folder.Folder(posix_folder.open_root(str(folder))[0])
    place.put("new", place, "there")
    assert ways == []
    assert not (folder / "there").is_symlink()
    assert ((folder / "there").read_bytes(), (folder / "elsewhere").read_bytes()) == (b"new", b"theirs")
    assert not (folder / "new").exists()


def test_what_cannot_be_exchanged_says_so(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"1")
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        assert not exchanging.exchanged("one", folder, "missing", folder)
    finally:
        os.close(folder)
