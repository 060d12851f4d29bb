"""What the tests of the file store share: a folder, and an open store on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sansio_cache_adapters.stores import maintenance
from sansio_cache_adapters.stores.files.store import FileStore


@pytest.fixture(autouse=True)
def _only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maintenance begins two seconds after a write, in which not every machine comes to a test's end."""
    monkeypatch.setattr(maintenance, "_PAUSE", 600.0)


@pytest.fixture
def now() -> float:
    return time.time()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def store(path: Path) -> Iterator[FileStore]:
    made = FileStore(path)
    made.open(signed=False)
    yield made
    made.close()
