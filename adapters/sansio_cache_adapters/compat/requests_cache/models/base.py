"""How objects show themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["RichMixin"]


class RichMixin:
    """What shows an object by its public attributes, to rich too."""

    def __rich_repr__(self) -> Iterator[tuple[str, Any]]:
        """Pairs of a name and a value."""
        yield from ((name, value) for name, value in vars(self).items() if not name.startswith("_"))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"
