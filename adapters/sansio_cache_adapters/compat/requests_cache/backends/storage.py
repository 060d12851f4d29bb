"""``cache.responses`` and ``cache.redirects``: what is stored, as mappings."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from sansio_cache.records import Record
from sansio_cache_adapters.compat.notes import REQUESTS_CACHE
from sansio_cache_adapters.compat.requests_cache.models import CachedResponse

__all__ = ["OWN_KEYS", "OWN_STORAGE", "BaseStorage", "DictStorage", "Redirects", "Responses", "Stored", "no_storage"]

OWN_STORAGE: Final = (
    "a cache with storage of your own is not taken: records are sealed, and a storage would see pickled objects. Write "
    "a store (docs/howto/own-store.md), and give it to sansio_cache.CachedSession(cache=store)"
)

OWN_KEYS: Final = "a response is stored under the key of its request, whatever key is given"


class Stored(NamedTuple):
    """A stored response as it is listed.

    :ivar record: of the response itself.
    :ivar history: of the redirects that lead to it.
    """

    key: str
    record: Record
    history: tuple[Record, ...]


class Cache(Protocol):
    """What is asked of a cache here."""

    @property
    def db_path(self) -> Any: ...
    def by_key(self, key: str) -> CachedResponse | None: ...
    def save_response(self, response: Any, cache_key: str) -> None: ...
    def discard(self, key: str) -> bool: ...
    def entries(self) -> list[Stored]: ...
    def filter(self, *, expired: bool) -> Iterator[CachedResponse]: ...
    def sorted(self, key: str, reversed: bool, limit: int | None, expired: bool) -> Iterator[CachedResponse]: ...  # noqa: A002
    def bytes_held(self) -> int: ...
    def clear(self) -> None: ...
    def close(self) -> None: ...


class BaseStorage:
    """What the storages of requests-cache have in common; classes of a user's own cannot be used here."""

    serializer: Any = None

    def __init__(self, *_: Any, **__: Any) -> None:
        raise REQUESTS_CACHE.refusal("storages", OWN_STORAGE)


def no_storage(name: str) -> type[BaseStorage]:
    """A storage that is not to be made by itself."""
    return type(name, (BaseStorage,), {"__doc__": "A storage by itself; here there are caches alone."})


DictStorage: type[BaseStorage] = no_storage("DictStorage")


class Responses(MutableMapping[str, CachedResponse]):
    """The stored responses by their keys."""

    serializer: Any = None

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def __getitem__(self, key: str) -> CachedResponse:
        found = self._cache.by_key(key)
        if found is None:
            raise KeyError(key)
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        self._cache.save_response(value, key)

    def __delitem__(self, key: str) -> None:
        if not self._cache.discard(key):
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        # Each once: responses that differ by Vary have one key.
        return iter(dict.fromkeys(entry.key for entry in self._cache.entries()))

    def __len__(self) -> int:
        return len(self._cache.entries())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and any(entry.key == key for entry in self._cache.entries())

    def count(self, expired: bool = True) -> int:
        """How many there are."""
        return len(self) if expired else sum(1 for _ in self._cache.filter(expired=False))

    def size(self) -> int:
        """How many bytes the cache holds."""
        return self._cache.bytes_held()

    def sorted(
        self,
        key: str = "expires",
        reversed: bool = False,  # noqa: A002
        limit: int | None = None,
        expired: bool = True,
    ) -> Iterator[CachedResponse]:
        """The responses in an order: by ``expires``, ``size`` or ``key``."""
        return self._cache.sorted(key, reversed, limit, expired)

    def bulk_delete(self, keys: Iterable[str]) -> None:
        """Remove those of these keys that are there."""
        for key in list(keys):
            self._cache.discard(key)

    def clear(self) -> None:
        """Remove all."""
        self._cache.clear()

    def close(self) -> None:
        """Close the cache."""
        self._cache.close()

    def vacuum(self) -> None:
        """Nothing: room is given back by itself."""

    @contextmanager
    def bulk_commit(self) -> Generator[None]:
        """Nothing: writes are gathered by themselves."""
        yield

    @property
    def db_path(self) -> Any:
        """The path of the file, where there is one."""
        return self._cache.db_path

    @property
    def cache_dir(self) -> Path:
        """The folder, where there is one."""
        path: Path = getattr(self._cache, "cache_dir")  # noqa: B009 - of one kind of cache
        return path

    def paths(self) -> Iterator[Path]:
        """The files of the responses, where there is one for each."""
        paths: Iterator[Path] = getattr(self._cache, "paths")()  # noqa: B009 - of one kind of cache
        return paths

    def __str__(self) -> str:
        return str(list(self))


class Redirects(MutableMapping[str, str]):
    """The keys of stored redirects, each with the key of what it leads to."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def _found(self) -> dict[str, str]:
        return {_key(hop): entry.key for entry in self._cache.entries() for hop in entry.history}

    def __getitem__(self, key: str) -> str:
        return self._found()[key]

    def __setitem__(self, key: str, value: str) -> None:
        raise REQUESTS_CACHE.refusal(
            "redirects",
            "redirects are stored responses here, one by one: an alias cannot be made",
            TypeError,
        )

    def __delitem__(self, key: str) -> None:
        if not self._cache.discard(key):
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._found())

    def __len__(self) -> int:
        return len(self._found())

    def clear(self) -> None:
        """Remove them."""
        for key in list(self):
            self._cache.discard(key)

    def bulk_delete(self, keys: Iterable[str]) -> None:
        """Remove those of these keys that are there."""
        for key in list(keys):
            self._cache.discard(key)

    def close(self) -> None:
        """Nothing: it is the cache that is closed."""


def _key(record: Record) -> str:
    return record.head.partition.hex()
