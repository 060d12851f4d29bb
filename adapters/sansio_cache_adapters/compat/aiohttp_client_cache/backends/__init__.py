"""Caches, under the names of aiohttp-client-cache."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from .base import CacheBackend, ResponseOrKey
from .dynamodb import DynamoDBBackend
from .filesystem import FileBackend
from .mongodb import MongoDBBackend
from .redis import RedisBackend
from .sqlite import SQLiteBackend
from .storage import BaseCache, DictCache

__all__ = [
    "BaseCache",
    "CacheBackend",
    "DictCache",
    "DynamoDBBackend",
    "FileBackend",
    "MongoDBBackend",
    "RedisBackend",
    "ResponseOrKey",
    "SQLiteBackend",
]


def get_placeholder_backend(original_exception: Exception) -> type[Any]:
    """A class of which nothing can be made, for what is not installed."""

    class PlaceholderBackend:
        def __init__(self, *_: Any, **__: Any) -> None:
            raise original_exception

    return PlaceholderBackend


def get_valid_kwargs(func: Callable[..., Any], kwargs: dict[str, Any], accept_varkwargs: bool = True) -> dict[str, Any]:
    """Those of some keywords that a function takes and that are not None."""
    parameters = signature(func).parameters
    if accept_varkwargs and any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return kwargs
    return {name: value for name, value in kwargs.items() if name in parameters and value is not None}
