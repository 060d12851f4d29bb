"""The default store: ``default.sqlite`` in the user's cache folder, or none where there is no such folder."""

from __future__ import annotations

from errno import EACCES, ENOENT, ENOTDIR, EPERM, EROFS
from pathlib import Path
from typing import Final

from sansio_cache.errors import ForeignStore, NoPlace, StoreError
from sansio_cache.records import Meta

from .memory import MemoryStore
from .sqlite.store import SQLiteStore

__all__ = ["Nowhere", "default_path", "default_store"]

_DENIED: Final = (EACCES, ENOENT, ENOTDIR, EPERM, EROFS)
_ADVICE: Final = (
    'Nothing is cached. Say where the cache lies, cache="/a/folder/cache.sqlite", or set HOME or XDG_CACHE_HOME; '
    'cache="memory:" keeps it for one run'
)


def default_path() -> Path | None:
    """Where the cache lies if nothing is said; None where the user has no home folder, as some containers run."""
    from platformdirs import user_cache_path

    try:
        return user_cache_path("sansio-cache") / "default.sqlite"
    except RuntimeError:
        return None


def default_store() -> SQLiteStore | Nowhere:
    """The store for ``cache=None``. Nothing is opened yet, and a place that cannot be had is no error."""
    path = default_path()
    return Nowhere("there is no home folder to keep a cache in") if path is None else _Default(path)


class _Default(SQLiteStore):
    """The user's default cache: where its folder cannot be made or read, the user must name another place."""

    def open(self, *, signed: bool) -> Meta:
        try:
            return super().open(signed=signed)
        except ForeignStore:
            raise
        except StoreError as error:
            if getattr(error.__cause__, "errno", None) in _DENIED:
                raise NoPlace(f"the cache cannot be kept in the user's folder ({error}). {_ADVICE}") from error
            raise


class Nowhere(MemoryStore):
    """A store that cannot be opened: sessions bypass it.

    :param why: why there is none.
    """

    def __init__(self, why: str) -> None:
        super().__init__()
        self._why = why

    @property
    def location(self) -> str:
        """No place."""
        return "no place"

    def open(self, *, signed: bool) -> Meta:
        """Nothing.

        :raises NoPlace: always.
        """
        raise NoPlace(f"{self._why}. {_ADVICE}")
