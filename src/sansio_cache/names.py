"""Names: those that other caches use for our settings, and the known name that comes nearest to an unknown one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import wraps
from typing import Any, Final, TypeVar

__all__ = ["ALIASES", "OF_CACHE", "OF_SESSION", "PUBLIC", "STORES", "advice", "explains", "place_of", "unexpected"]

T = TypeVar("T", bound=Callable[..., Any])

ALIASES: Mapping[str, str] = {
    "allowable_codes": "allowed_codes",
    "allowable_methods": "allowed_methods",
    "cacheable_methods": "allowed_methods",
    "cacheable_status_codes": "allowed_codes",
    "ignored_params": "ignored_parameters",
    "include_get_headers": "match_headers",
    "include_headers": "match_headers",
    "old_data_on_error": "stale_if_error",
}
"""Names under which users of other caches know a setting."""

STORES: Final = 'SQLiteStore("cache.sqlite"), FileStore("folder"), RedisStore("redis://…") or MemoryStore()'
_OF_STORE: Final = "it is a store's: cache=SQLiteStore(path, {}=…)"
_OF_REQUEST: Final = "it belongs to one request: session.get(url, {}=…)"
_BY_ITSELF: Final = "leave it out: {}"

_THEIRS: Final[Mapping[str, str]] = {
    "backend": f"give the store itself: cache={STORES}",
    "storage": f"give the store itself: cache={STORES}",
    "cache_name": 'say where the cache lies: cache="cache.sqlite"',
    "db_path": 'say where the cache lies: cache="cache.sqlite"',
    "database_path": 'say where the cache lies: cache="cache.sqlite"',
    "base_path": 'say where the cache lies: cache=FileStore("folder")',
    "cache_dir": 'say where the cache lies: cache=FileStore("folder")',
    "use_cache_dir": "leave cache= out for a file in the user's cache folder, or name a path",
    "use_temp": 'name a path: cache=os.path.join(tempfile.gettempdir(), "cache.sqlite")',
    "use_memory": 'write cache="memory:"',
    "connection": "write cache=RedisStore(client)",
    **dict.fromkeys(("host", "port", "db", "address", "redis_url"), 'write cache="redis://host:port/0"'),
    "password": 'write cache="redis://:password@host:port/0", or cache=RedisStore(client)',
    **dict.fromkeys(("path", "url", "name", "table_name"), 'say where the cache lies: cache="cache.sqlite"'),
    "salt": _BY_ITSELF.format("a signature binds a record to its place"),
    "session_factory": "make a class of several parts: class Session(CacheMixin, …)",
    "max_file_bytes": "write max_body=",
    **dict.fromkeys(
        ("block_bytes", "extension", "lock", "sync_index"), _BY_ITSELF.format("a store sees to its files itself")
    ),
    "key_generator": "write key_fn=",
    "disabled": "switch it off for a block: with session.disabled(): …",
    "serializer": _BY_ITSELF.format("there is one form of records, without pickle, and bodies stay as they came"),
    "content_root_key": _BY_ITSELF.format("bodies stay as they came"),
    "decode_content": _BY_ITSELF.format("bodies stay as they came"),
    "fast_save": _BY_ITSELF.format("writes do not wait for the disk"),
    "wal": _BY_ITSELF.format("a file is always in WAL mode"),
    "autoclose": _BY_ITSELF.format("a session closes the store that it made"),
    "cache_etags": _BY_ITSELF.format("validators are always used"),
    "busy_timeout": _OF_STORE.format("busy_timeout"),
    "max_bytes": _OF_STORE.format("max_bytes"),
    "max_entries": _OF_STORE.format("max_entries"),
    "max_cache_bytes": _OF_STORE.format("max_bytes"),
    "rfc": "leave rfc=True out, and write cache_control=False for rfc=False",
    "ttl": "write expire_after=",
    **dict.fromkeys(("tti", "default_tti"), "a time runs from the receipt: write expire_after="),
    "max_size": _OF_STORE.format("max_bytes"),
    "max_stream_size": "write max_body=",
    "soft_delete_ttl": _BY_ITSELF.format("what is being read stays readable"),
    "collection_name": "write prefix=",
    **dict.fromkeys(
        ("forever", "filemode", "dirmode", "lock_class"),
        _BY_ITSELF.format("files are for their owner only, and processes take turns by themselves"),
    ),
    "ttl_offset": _BY_ITSELF.format("records expire by themselves"),
    "default_ttl": "write expire_after=",
    "force_cache": "write cache_control=False",
    "allow_stale": "write stale_if_error=True",
    "allow_heuristics": "write heuristic=None to have none",
    "stale_while_error": "write stale_if_error=",
    "controller": "write policy=Policy(…), or its settings as keywords",
    "controller_class": "write policy=Policy(…), or its settings as keywords",
    "next_transport": "write inner=",
    "adapter_class": "write CacheAdapter(inner=…)",
    "headers": "header fields belong to the session or client: session.headers.update(…)",
    **{name: _OF_REQUEST.format(name) for name in ("refresh", "force_refresh", "tags")},
    "only_if_cached": f"{_OF_REQUEST.format('only_if_cached')}; for a session write offline=True",
}
"""Keywords of other caches, and their names here."""

_SERIALIZERS: Final = "no serializer: there is one form of records, without pickle, and secret_key= signs them"
_RESPONSES: Final = "the client's own type of response: every session's has from_cache, cache_status and the like"
_CORE: Final = "the core (docs/howto/sansio.md)"

PUBLIC: Final[Mapping[str, str]] = {
    **dict.fromkeys(("SQLiteCache", "SQLiteBackend", "SQLiteDict", "SyncSqliteStorage"), "SQLiteStore(path)"),
    **dict.fromkeys(("AsyncSqliteStorage", "SQLiteStorage", "SqliteStorage"), "SQLiteStore(path)"),
    **dict.fromkeys(("FileCache", "FileBackend", "FileStorage", "SeparateBodyFileCache"), "FileStore(folder)"),
    **dict.fromkeys(("FileDict", "LRUFileDict"), "FileStore(folder, max_bytes=…)"),
    **dict.fromkeys(("RedisCache", "RedisBackend", "RedisStorage", "AsyncRedisStorage"), "RedisStore(url)"),
    **dict.fromkeys(("RedisDict", "RedisHashDict"), "RedisStore(url)"),
    **dict.fromkeys(("BaseCache", "CacheBackend", "DictCache", "DictStorage", "InMemoryStorage"), "MemoryStore()"),
    **dict.fromkeys(
        ("BaseStorage", "AsyncBaseStorage", "SeparateBodyBaseCache"), "a store of your own (docs/howto/own-store.md)"
    ),
    **dict.fromkeys(
        ("safe_pickle_serializer", "pickle_serializer", "json_serializer", "yaml_serializer", "bson_serializer"),
        _SERIALIZERS,
    ),
    **dict.fromkeys(("SerializerPipeline", "Stage", "CattrStage", "SERIALIZERS", "Serializer"), _SERIALIZERS),
    **dict.fromkeys(("CachedResponse", "OriginalResponse", "AnyResponse", "CacheStatus"), _RESPONSES),
    **dict.fromkeys(("CacheActions", "CacheDirectives", "State", "AnyState", "IdleClient"), _CORE),
    "create_key": "the cache_key of a response, or the key of an entry of session.cache",
    **dict.fromkeys(("CacheOptions", "CacheConfig", "AsyncCacheConfig"), "Policy, or its settings as keywords"),
    **dict.fromkeys(("ExpiresAfter", "OneDayCache", "BaseHeuristic"), "expire_after= of a session"),
    "LastModified": "Heuristic(share, cap)",
    **dict.fromkeys(("get_expiration_datetime", "get_expiration_seconds"), "expire_after=, which knows every spelling"),
    **dict.fromkeys(
        ("MongoCache", "MongoDBBackend", "GridFSCache", "DynamoDbCache", "DynamoDBBackend", "DynamoDbBackend"),
        "a store of your own (docs/howto/own-store.md)",
    ),
    **dict.fromkeys(("CacheSettings", "Controller", "CacheController", "SpecificationPolicy"), "Policy"),
    **dict.fromkeys(("SyncCacheTransport", "SyncCacheClient", "CacheClient"), "CacheTransport(inner, cache=…)"),
    "AsyncCacheClient": "AsyncCacheTransport(inner, cache=…)",
    "CacheControl": "CachedSession, or CacheAdapter to mount on a session",
    "CacheControlAdapter": "CacheAdapter",
    "get_cache": "the store that install_cache() was given: keep it, and CachedSession(store).cache looks after it",
    "clear": "CachedSession(store).cache.clear(), with the store that install_cache() was given",
    "delete": "CachedSession(store).cache.delete(…), with the store that install_cache() was given",
    "remove_expired_responses": "CachedSession(store).cache.delete(expired=True), with the store of install_cache()",
    "cache_disabled": "disabled()",
}
"""Names that other caches export, and what to use here in their place."""

OF_SESSION: Final[Mapping[str, str]] = {
    "cache_disabled": "write session.disabled()",
    "delete_expired_responses": "write session.cache.delete(expired=True)",
    "remove_expired_responses": "write session.cache.delete(expired=True)",
}
"""Attributes of their sessions."""

OF_CACHE: Final[Mapping[str, str]] = {
    "export": "write export_cache(session.cache.store, file)",
    "load": "write load_cache(session.cache.store, file)",
    **dict.fromkeys(("has_url", "has_key"), "write session.cache.contains(url)"),
    **dict.fromkeys(("delete_url", "delete_urls", "bulk_delete"), "write session.cache.delete(urls=[…])"),
    "get_urls": "write session.cache.urls()",
    **dict.fromkeys(
        ("responses", "keys", "values", "items"),
        "write session.cache.entries(), and session.cache.get(entry) for one with its body",
    ),
    "redirects": "hops of redirects are stored like other responses, each for itself",
    "response_count": "write session.cache.size()",
    **dict.fromkeys(
        ("delete_expired_responses", "remove_expired_responses", "remove_old_entries"),
        "write session.cache.delete(expired=True)",
    ),
    "count": "write len(session.cache), or session.cache.size()",
    "sorted": "write sorted(session.cache, key=lambda entry: entry.stored_at)",
    "create_key": "a response has it as cache_key, an entry as key",
    "update": "write other.cache.copy_to(store)",
    "save_response": "write session.cache.put(url, response)",
    "reset_expiration": "a session judges what is stored by its own expire_after",
    "recreate_keys": "keys need not be made anew",
    "remove_invalid_responses": "write session.cache.delete(invalid=True)",
    **dict.fromkeys(("db_path", "cache_dir", "cache_name", "paths"), "write session.cache.store.location"),
    **dict.fromkeys(("get_response", "read"), "write session.get(url, only_if_cached=True)"),
}
"""Attributes of their ``session.cache``."""

_PLACES: Final = ("cache_name", "db_path", "database_path", "base_path", "cache_dir", "directory")


def advice(name: str, known: Iterable[str], near: float = 0.6) -> str:
    """The keyword to write instead of an unknown one; ``""`` where none comes near.

    :param known: the keywords that there are.
    :param near: how near, from 0 to 1.
    """
    from difflib import get_close_matches  # of no use to a program that is right

    said = _THEIRS.get(name)
    if said is None and (found := get_close_matches(name, [*known], 1, near)):
        said = f"did you mean {ALIASES.get(found[0], found[0])}=?"
    return said or ""


def place_of(keywords: Mapping[str, object]) -> str:
    """The ``cache=`` to write for a backend and a name of other caches; ``""`` for an unknown backend."""
    name, backend = keywords.get("cache_name"), keywords.get("backend", "sqlite")
    if not isinstance(name, str | None) or not isinstance(backend, str):
        return ""
    name = name or "…"
    places = {
        "sqlite": f'"{name}.sqlite"',
        "filesystem": f'FileStore("{name}")',
        "memory": '"memory:"',
        "redis": '"redis://localhost"',
    }
    place = places.get(backend.lower())
    return f"write cache={place}" if place else ""


def unexpected(owner: str, name: str, said: str) -> TypeError:
    """The error of an unknown keyword.

    :param owner: the function or class that was called.
    :param said: what to write, or ``""``.
    """
    return TypeError(f"{owner}() got an unexpected keyword argument {name!r}{': ' if said else ''}{said}")


def explains(owner: str, settings: Collection[str] = ()) -> Callable[[T], T]:
    """Let a constructor say what to write in the place of keywords that it does not know.

    :param settings: keywords that belong to a session.
    """

    def decorate(function: T) -> T:
        parameters = inspect.signature(function).parameters.values()
        known = frozenset(one.name for one in parameters if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD))

        @wraps(function)
        def explained(*arguments: Any, **keywords: Any) -> Any:
            for name in keywords.keys() - known:
                if name in settings:
                    said = f"it is a setting of the session: {name}= is given to that"
                else:
                    said = "write path=" if name in _PLACES and "path" in known else advice(name, known)
                raise unexpected(owner, name, said)
            return function(*arguments, **keywords)

        return explained  # type: ignore[return-value]

    return decorate
