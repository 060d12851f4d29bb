"""Settings as frozen values: what ``dataclass(frozen=True)`` makes of a class, at a hundredth of its price.

A dataclass writes six functions of its own and compiles them, and its module reads classes by others that take as long:
together that was a good part of the time in which a session is made. ``dataclasses`` and ``inspect`` take such a value
for a dataclass all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

from .names import advice, unexpected

if TYPE_CHECKING:
    from dataclasses import Field

__all__ = ["Frozen", "Value"]


class Frozen:
    """Objects that are what their fields are: compared, shown and counted as one by them, and never changed.

    ``__match_args__`` names the fields; a constructor puts them into ``vars(self)``.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ()

    def _parts(self) -> tuple[Any, ...]:
        own = vars(self)
        return tuple(own[name] for name in self.__match_args__)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in zip(self.__match_args__, self._parts(), strict=True))
        return f"{type(self).__qualname__}({shown})"

    def __setattr__(self, name: str, value: object) -> None:
        raise _frozen(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise _frozen(f"cannot delete field {name!r}")


def _frozen(said: str) -> AttributeError:
    from dataclasses import FrozenInstanceError

    return FrozenInstanceError(said)


class _OfTwin:
    """Attributes that ``dataclasses`` and ``inspect`` look for, taken from a dataclass with the same fields."""

    def __init__(self, take: Callable[[type[Any]], object]) -> None:
        self._take = take

    def __get__(self, value: object | None, kind: type[Any]) -> object:
        from dataclasses import field, make_dataclass

        fields: list[tuple[str, Any, Any]] = []
        for name, annotation in kind._fields.items():
            default: Any = getattr(kind, name)
            given: dict[str, Any] = {"default_factory": default.copy} if type(default) is dict else {"default": default}
            fields.append((name, annotation, field(**given)))
        return self._take(make_dataclass(kind.__name__, fields, frozen=True))


def _is_class_variable(annotation: object) -> bool:
    """As ``dataclasses`` does for annotations that may be text, which nothing evaluates."""
    return str(annotation).partition("[")[0].rpartition(".")[2] == "ClassVar"


def _signature(twin: type[Any]) -> object:
    from inspect import signature

    return signature(twin)


@dataclass_transform(frozen_default=True)
class Value(Frozen):
    """A frozen value. Its fields are the annotated names of its class but class variables, each with a default.

    A dict as default is copied for each value.

    :raises TypeError: for a class with a field without a default.
    """

    _fields: ClassVar[dict[str, Any]] = {}
    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    else:
        __dataclass_fields__ = _OfTwin(lambda twin: twin.__dataclass_fields__)
        __dataclass_params__ = _OfTwin(lambda twin: twin.__dataclass_params__)
        __signature__ = _OfTwin(_signature)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = {name: kind for name, kind in cls.__annotations__.items() if not _is_class_variable(kind)}
        for name in own:
            if name not in vars(cls):
                raise TypeError(f"{cls.__name__}.{name} has no default: write {name}: ... = ..., as for each field")
        cls._fields = {**cls._fields, **own}
        setattr(cls, "__match_args__", tuple(cls._fields))  # noqa: B010 - which mypy takes for fixed

    def __init__(self, *values: Any, **named: Any) -> None:
        kind = type(self)
        names = kind.__match_args__
        if len(values) > len(names):
            raise TypeError(f"{kind.__name__}() takes {len(names)} arguments at most, not {len(values)}")
        own = vars(self)
        for name in names:
            default = getattr(kind, name)
            own[name] = default.copy() if type(default) is dict else default
        own.update(zip(names, values, strict=False))
        for name, value in named.items():
            if name not in own:
                raise unexpected(kind.__name__, name, advice(name, names))
            if name in names[: len(values)]:
                raise TypeError(f"{kind.__name__}() got two values for {name}")
            own[name] = value
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check the fields, and work out what they mean."""

    def __replace__(self, **changes: Any) -> Self:
        """The same value with other fields, for ``copy.replace``."""
        return type(self)(**{**dict(zip(self.__match_args__, self._parts(), strict=True)), **changes})
