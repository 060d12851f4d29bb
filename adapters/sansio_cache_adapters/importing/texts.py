"""JSON and YAML, read as data."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from .report import Reason, Skipped

__all__ = ["read_json", "read_yaml"]

_MOST_DEPTH: Final = 64
_MOST_EVENTS: Final = 500_000


def read_json(text: str | bytes) -> object:
    """The value of a JSON text.

    :raises Skipped: it is damaged.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Skipped(Reason.DAMAGED) from None


def read_yaml(text: str | bytes) -> object:
    """The value of a YAML text: mappings, lists and plain values, in bounded depth.

    Aliases are refused: no cache writes any, and a page of them may stand for more than the memory holds.

    :raises Skipped: it is damaged, asks for anything else, or PyYAML is not installed.
    """
    try:
        library: Any = import_module("yaml")
    except ModuleNotFoundError:
        raise Skipped(Reason.NEEDS_LIBRARY) from None
    loader = getattr(library, "CSafeLoader", library.SafeLoader)
    builder = _Builder(library)
    try:
        for number, event in enumerate(library.parse(text, Loader=loader)):
            if number > _MOST_EVENTS:
                raise Skipped(Reason.TOO_LARGE)
            builder.take(event)
    except (library.YAMLError, ValueError, RecursionError):
        raise Skipped(Reason.DAMAGED) from None
    return builder.value


class _Builder:
    """Makes a value of the events of a YAML text."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self._resolver: Any = library.resolver.Resolver()
        self._open: list[tuple[list[object], bool]] = []
        self.value: object = None

    def take(self, event: Any) -> None:
        """Take the next event."""
        library = self._library
        if isinstance(event, library.AliasEvent):
            raise Skipped(Reason.DAMAGED)
        if isinstance(event, library.ScalarEvent):
            self._add(self._scalar(event))
        elif isinstance(event, library.SequenceStartEvent | library.MappingStartEvent):
            if event.tag not in (None, "!", _TAG + "map", _TAG + "seq"):
                raise Skipped(Reason.NOT_DATA)
            if len(self._open) >= _MOST_DEPTH:
                raise Skipped(Reason.DAMAGED)
            self._open.append(([], isinstance(event, library.MappingStartEvent)))
        elif isinstance(event, library.SequenceEndEvent | library.MappingEndEvent):
            values, is_mapping = self._open.pop()
            self._add(_mapping(values) if is_mapping else values)

    def _add(self, value: object) -> None:
        if self._open:
            self._open[-1][0].append(value)
        else:
            self.value = value

    def _scalar(self, event: Any) -> object:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._resolver.resolve(self._library.ScalarNode, event.value, event.implicit)
        read = _SCALARS.get(tag)
        if read is None:
            raise Skipped(Reason.NOT_DATA)
        return read(event.value)


def _mapping(values: list[object]) -> dict[str, object]:
    members: dict[str, object] = {}
    for at in range(0, len(values), 2):
        name = values[at]
        if not isinstance(name, str | int | float | bool | None):
            raise Skipped(Reason.DAMAGED)
        members[name if isinstance(name, str) else str(name)] = values[at + 1]
    return members


def _whole(text: str) -> object:
    digits = text.replace("_", "")
    try:
        return int(digits)
    except ValueError:  # octal, sixty to the minute: nothing that is read here
        return text


def _number(text: str) -> object:
    try:
        return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        return text


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Skipped(Reason.DAMAGED) from None


def _as_it_is(text: str) -> object:
    return text


_TAG: Final = "tag:yaml.org,2002:"
_SCALARS: Final[dict[str, Callable[[str], object]]] = {
    _TAG + "str": _as_it_is,
    _TAG + "timestamp": _as_it_is,
    _TAG + "value": _as_it_is,
    _TAG + "merge": _as_it_is,
    _TAG + "int": _whole,
    _TAG + "float": _number,
    _TAG + "bool": lambda text: text.lower() in ("yes", "true", "on"),
    _TAG + "null": lambda _: None,
    _TAG + "binary": _bytes,
}
