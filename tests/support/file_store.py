"""What is asked of a file store in many tests."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from sansio_cache.records import CHUNK_SIZE, Item
from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.stores.protocol import Lease
from sansio_cache_adapters.testing import make_item, name, put, stream

__all__ = ["in_folder", "large", "picture", "sweep_all", "vanish", "works"]


def large(index: int, now: float, *, resource: str = "resource") -> Item:
    """An item of two chunks."""
    return make_item(f"{index}", bytes([index]) * (CHUNK_SIZE + 1), now=now, resource=resource)


def in_folder(path: Path, pattern: str) -> list[Path]:
    """All but folders."""
    return [each for each in path.glob(pattern) if not each.is_dir() or each.is_symlink()]


def picture(path: Path) -> dict[str, tuple[int, bytes]]:
    """All that is in a folder, to see whether anything was touched."""
    files = [each for each in path.rglob("*") if not each.is_symlink() and each.is_file()]
    return {str(each): (each.stat().st_mtime_ns, each.read_bytes()) for each in files}


def vanish(folder: Path) -> None:
    """Remove a folder in one step, with the files that a maintenance thread puts into it meanwhile."""
    aside = folder.with_name(f"{folder.name}.going")
    folder.rename(aside)
    while aside.exists():
        shutil.rmtree(aside, ignore_errors=True)


def sweep_all(store: FileStore, now: float) -> int:
    """Sweep until nothing is left to sweep; how much went."""
    swept = 0
    while batch := store.sweep(now=now):
        swept += batch
    return swept


def works(store: FileStore) -> None:
    """Take, give, lease and drop."""
    store.open(signed=False)
    now = time.time()
    put(store, make_item("works", b"body", resource="works", now=now), now=now)
    big = put(store, stream(store, make_item("large", b"x" * 70_000, resource="works", now=now)), now=now)
    assert store.chunk(big.entry, 0) == b"x" * 70_000
    assert store.claim(name("works"), name("works"), b"token", now=now, until=now + 9) is Lease.GRANTED
    assert store.drop(name("works"), now=now) == 2
