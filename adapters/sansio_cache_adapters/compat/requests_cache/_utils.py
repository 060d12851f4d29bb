"""Small tools of requests-cache that programs have been seen to use."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from inspect import signature
from typing import Any

__all__ = ["coalesce", "get_placeholder_class", "get_valid_kwargs", "patch_form_boundary", "try_int"]


def coalesce(*values: Any, default: Any = None) -> Any:
    """The first value that is not None."""
    return next((value for value in values if value is not None), default)


def get_placeholder_class(original_exception: Exception | None = None) -> type[Any]:
    """A class of which nothing can be made, for what is not installed."""

    class Placeholder:
        name = "placeholder"

        def __init__(self, *_: Any, **__: Any) -> None:
            self.dumps()

        def dumps(self, *_: Any, **__: Any) -> None:
            raise original_exception or ImportError("Dependencies are not installed for this feature")

        loads = dumps

    return Placeholder


def get_valid_kwargs(func: Callable[..., Any], kwargs: dict[str, Any], extras: Iterable[str] = ()) -> dict[str, Any]:
    """Those of some keywords that a function takes and that are not None."""
    known = {*signature(func).parameters, *extras}
    return {name: value for name, value in kwargs.items() if name in known and value is not None}


@contextmanager
def patch_form_boundary() -> Generator[None]:
    """Nothing: of a multipart form the boundary says nothing, and is no part of a key."""
    yield


def try_int(value: Any) -> int | None:
    """A value as an int, where it is one."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
