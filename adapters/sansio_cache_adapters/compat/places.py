"""Where caches of other libraries lie, and where ours goes when one of theirs is there already."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import gettempdir
from typing import Final

from platformdirs import user_cache_dir

from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.stores.foreign import START, describe_file, describe_folder
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore

from .notes import Peer

__all__ = ["MOST_BYTES", "cache_path", "in_memory", "store_in_file", "store_in_folder"]

MOST_BYTES: Final = 2**36
"""64 GiB: those caches have no bound, and a program counts on what it has stored."""
_THEIRS: Final = "is a cache of "


def in_memory(path: str) -> bool:
    """Whether a name of a SQLite file means one in memory."""
    return ":memory:" in path or "mode=memory" in path


def cache_path(path: object, *, use_cache_dir: bool = False, use_temp: bool = False, suffix: str = "") -> Path:
    """The absolute path that a name stands for, as those libraries read it.

    :param suffix: what a name without one gets.
    """
    text = str(path)
    place = Path(text)
    if suffix and not place.suffix:
        place = Path(f"{text}{suffix}")
    if use_cache_dir and not place.is_absolute():
        place = Path(user_cache_dir()) / place
    elif use_temp and not place.is_absolute():
        place = Path(gettempdir()) / place
    return Path(os.path.abspath(place.expanduser()))


def store_in_file(peer: Peer, path: Path, **options: object) -> SQLiteStore:
    """A store in a SQLite file; beside it where theirs is there already, which is not touched."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        with path.open("rb") as file:
            what = describe_file(file.read(START))
        if what.startswith(_THEIRS):
            path = _aside(peer, path, path.with_name(f"{path.stem}.sansio-cache{path.suffix}"))
    return SQLiteStore(path, **{"max_bytes": MOST_BYTES, **options})  # type: ignore[arg-type]


def store_in_folder(peer: Peer, path: Path, **options: object) -> FileStore:
    """A store in a folder; beside it where theirs is there already, which is not touched."""
    if path.is_dir() and describe_folder(os.listdir(path)).startswith(_THEIRS):
        path = _aside(peer, path, path.with_name(f"{path.name}.sansio-cache"))
    return FileStore(path, **{"max_bytes": MOST_BYTES, **options})  # type: ignore[arg-type]


def _aside(peer: Peer, theirs: Path, ours: Path) -> Path:
    peer.differs(
        "old-caches",
        f"{theirs} is a cache that it has written itself: it is left as it is, and this program keeps its responses in "
        f"{ours}. What is in the old one can be brought along: sansio_cache.import_cache({str(theirs)!r}, session)",
    )
    return ours
