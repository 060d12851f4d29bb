"""A cache in a folder of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sansio_cache_adapters.compat.notes import REQUESTS_CACHE
from sansio_cache_adapters.compat.places import store_in_folder

from .base import BaseCache
from .sqlite import get_cache_path
from .storage import BaseStorage, no_storage

__all__ = ["FileCache", "FileDict", "LRUFileDict"]

FileDict: type[BaseStorage] = no_storage("FileDict")
LRUFileDict: type[BaseStorage] = no_storage("LRUFileDict")
_TEXTS: Final = frozenset({"json", "ujson", "orjson", "yaml"})
"""Serializers that keep the text of a body, and not its bytes."""


class FileCache(BaseCache):
    """A cache in a folder.

    :param cache_name: the folder.
    :param use_cache_dir: a relative path is one in the user's cache folder.
    :param use_temp: a relative path is one in the folder for temporary files.
    :param decode_content: taken, and of no effect: bodies stay as they came.
    :param max_cache_bytes: how much it may hold; the longest unused go first.
    """

    def __init__(
        self,
        cache_name: Any = "http_cache",
        use_temp: bool = False,
        decode_content: bool = True,
        serializer: Any = None,
        use_cache_dir: bool = False,
        max_cache_bytes: int | None = None,
        max_file_bytes: int | None = None,
        **kwargs: Any,
    ) -> None:
        options: dict[str, Any] = self._secret(serializer)
        if max_cache_bytes is not None:
            options["max_bytes"] = max_cache_bytes
        path = get_cache_path(cache_name, use_cache_dir, use_temp)
        store = store_in_folder(REQUESTS_CACHE, path, **options)
        self.decodes: bool = decode_content and (
            serializer is None or getattr(serializer, "name", serializer) in _TEXTS
        )
        self._begin(cache_name, store, kwargs)
        path = Path(store.location)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def cache_dir(self) -> Path:
        """The folder."""
        return Path(self._store.location)

    @property
    def lock(self) -> Any:
        """A lock; the cache needs none."""
        return self._lock

    def paths(self) -> Iterator[Path]:
        """The files of the stored responses."""
        REQUESTS_CACHE.differs("paths", "the files of a folder have names of their own, and are no JSON or pickle")
        for entry in self.entries():
            resource, partition = entry.record.head.resource.hex(), entry.key
            yield self.cache_dir / "resources" / resource[:2] / resource / partition
