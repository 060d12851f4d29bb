"""Small tools of requests-cache that programs have been seen to use."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from inspect import signature
from typing import Any

__all__ = ["RichMixin", "coalesce", "get_placeholder_class", "get_valid_kwargs", "patch_form_boundary", "try_int"]


class RichMixin:
    """What shows an object of a dataclass or of attrs by those attributes that are not as they are by default."""

    def __rich_repr__(self) -> Iterator[tuple[str, Any, Any]]:
        """Triples of a name, a value and what it is by default."""
        for name, default in _shown(type(self)):
            value = getattr(self, name)
            yield name, str(value) if isinstance(value, datetime) else value, default

    def __repr__(self) -> str:
        shown = [f"{name}={value!r}" for name, value, default in self.__rich_repr__() if value != default]
        return f"{type(self).__name__}({', '.join(shown)})"


def _shown(kind: Any) -> Iterator[tuple[str, Any]]:
    if is_dataclass(kind):
        for each in fields(kind):
            if each.repr:
                yield each.name, each.default if each.default_factory is MISSING else each.default_factory()
        return
    for each in getattr(kind, "__attrs_attrs__", ()):
        if each.repr:
            make: Any = getattr(each.default, "factory", None)
            yield each.name, each.default if make is None else make()


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
