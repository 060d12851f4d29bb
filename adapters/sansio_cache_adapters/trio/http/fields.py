"""The fields of a message, as users give them and as they go out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from .checks import pairs, text

__all__ = ["Fields", "FieldsIn", "merge_fields"]

Fields: TypeAlias = list[tuple[str, str]]
FieldsIn: TypeAlias = Mapping[str, str | None] | Iterable[tuple[str, str | None]]


def merge_fields(*layers: FieldsIn | None) -> Fields:
    """The fields of all layers; a later layer replaces those it names, and None as value removes one.

    :raises SettingError: for other types.
    """
    merged: Fields = []
    for layer in layers:
        fields = pairs("headers", layer)
        named = {name.lower() for name, _ in fields}
        merged = [field for field in merged if field[0].lower() not in named]
        merged += [(name, text(f"headers[{name!r}]", value)) for name, value in fields if value is not None]
    return merged
