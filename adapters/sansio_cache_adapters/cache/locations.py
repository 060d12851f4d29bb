"""The store that a path or a URL names: ``"redis://…"``, ``"memory:"``, ``"sqlite:///…"``, ``"file:///…"``."""

from __future__ import annotations

import os
from typing import Any, Final, cast

from sansio_cache.errors import SettingError
from sansio_cache_adapters.stores import system
from sansio_cache_adapters.stores.paths import absolute_path, expand_home, is_url
from sansio_cache_adapters.stores.settings import DEFAULT_MAX_BYTES

__all__ = ["no_store", "sqlite_path", "store_at"]

_TAKES: Final = 'a path or a store, or one of "redis://…", "rediss://…", "memory:", "sqlite:///…", "file:///…"'
_OTHERS: Final = ("aiohttp_client_cache", "cachecontrol", "diskcache", "hishel", "requests_cache")
"""Packages with caches and storages of their own, which users give out of habit."""


def store_at(location: str | os.PathLike[str], *, max_bytes: int = DEFAULT_MAX_BYTES) -> Any:
    """The store that a user's path or URL names; a path is that of a SQLite file.

    :param max_bytes: how much it holds at most; a Redis server has bounds of its own.
    :raises SettingError: for a URL of another kind, or one that names no place.
    """
    path = sqlite_path(location)
    if path is not None:
        from sansio_cache_adapters.stores.sqlite.store import SQLiteStore

        return SQLiteStore(path, max_bytes=max_bytes)
    if not isinstance(location, str) or not is_url(location):
        from sansio_cache_adapters.stores.default import Nowhere

        return Nowhere(f"there is no home folder for {os.fspath(location)}")
    scheme = location.partition(":")[0].lower()
    if scheme in ("redis", "rediss") and "://" in location:
        from sansio_cache_adapters.stores.redis.store import RedisStore

        return RedisStore(scheme + location[len(scheme) :])
    if location.lower() == "memory:":
        from sansio_cache_adapters.stores.memory import MemoryStore

        return MemoryStore(max_bytes=max_bytes)
    in_memory = ":memory:" in location.lower()
    if scheme == "file" and not in_memory:
        from sansio_cache_adapters.stores.files.store import FileStore

        return FileStore(_path_of(location), max_bytes=max_bytes)
    raise SettingError(f"cache takes {_TAKES}, not {_shown(location)}: {_advice(scheme, location)}")


def sqlite_path(cache: object) -> str | None:
    """The absolute path of the SQLite file that a user's ``cache=`` stands for; None where it is another store.

    :raises SettingError: for a path or a URL of a file that names no place.
    """
    if not isinstance(cache, str | os.PathLike):
        return None
    location = cast("str | os.PathLike[str]", cache)
    text: object = os.fspath(location)
    if isinstance(text, str) and text.startswith(("~/", f"~{os.sep}")) and expand_home(text) is None:
        return None
    if isinstance(location, str) and is_url(location):
        if location.partition(":")[0].lower() != "sqlite" or ":memory:" in location.lower():
            return None
        location = _file_of(location)
    return absolute_path(location, "SQLiteStore takes the path of a file")


def _path_of(url: str) -> str:
    """The path in ``sqlite:///…`` or ``file:///…``; absolute, as in any URL (RFC 8089), save after ``~``."""
    from urllib.parse import unquote, urlsplit  # most caches are named by a path

    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or not url[len(scheme) + 1 :].startswith("//") or not path.strip("/"):
        raise SettingError(
            f'cache takes "{scheme}:///…" with an absolute path after it, not {_shown(url)}; '
            "a relative path is given without a scheme"
        )
    if parts.query or parts.fragment:
        raise SettingError(
            f"cache takes {scheme}:///… without a query or a fragment: in a path write %3F for ? and %23 for #"
        )
    path = "/" + path.lstrip("/")
    return path[1:] if path.startswith("/~") else system.SYSTEM.path_in(path)


def _file_of(url: str) -> str:
    path = _path_of(url)
    if path.startswith("/") and "/" not in path[1:]:
        # Elsewhere three slashes begin a relative path, and four an absolute one. A file in the root is never meant.
        raise SettingError(
            f'{url} is a file in the root folder: for one in the current folder write cache="{path[1:]}"'
        )
    return path


def _shown(url: str) -> str:
    """Enough of a URL to know it again: the scheme alone, since the rest may hold a password."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{'…' if rest else ''}" if mark else url.partition("@")[0]


def _advice(scheme: str, location: str) -> str:
    if scheme == "memory" or ":memory:" in location.lower():
        return 'for a cache in memory write cache="memory:" or cache=MemoryStore()'
    if scheme == "unix":
        return 'for Redis at a socket write cache=RedisStore("unix://…")'
    if scheme in ("redis", "rediss"):
        return f'write "{scheme}://host:port/0"'
    if scheme in ("http", "https"):
        return "it names where responses are kept, not whom to ask"
    return "there is no store for that; a file or folder with a colon in its name is given as ./name"


def no_store(cache: object) -> SettingError:
    """The error for a value that is neither a path nor a store."""
    root = type(cache).__module__.partition(".")[0]
    said = f"cache takes {_TAKES}, not {cache!r}"
    if isinstance(cache, type):
        said = f"cache takes {_TAKES}; {cache.__name__} is a class: give {cache.__name__}(…)"
    elif isinstance(cache, bytes):
        said += ": give a path as str"
    elif isinstance(cache, dict):
        said += ": for a cache in memory write cache=MemoryStore()"
    elif root in ("redis", "valkey", "fakeredis"):
        said = f"cache takes {_TAKES}; a client is given as cache=RedisStore(client)"
    elif root in _OTHERS:
        said += (
            f". {root} has stores of its own: here there are SQLiteStore(path), FileStore(folder), RedisStore(url) and "
            "MemoryStore(), and expire_after and the like are given to the session"
        )
    return SettingError(said)
