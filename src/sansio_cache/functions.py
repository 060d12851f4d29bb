"""Functions that users give, checked when the session is made and not at the first response."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar, cast

from .errors import SettingError

__all__ = ["arguments_of", "plain_result"]

T = TypeVar("T")
_DEFERRED: Final[tuple[Callable[[object], bool], ...]] = (
    inspect.iscoroutinefunction,
    inspect.isasyncgenfunction,
    inspect.isgeneratorfunction,
)


def arguments_of(function: object, name: str, *shapes: tuple[str, ...]) -> int:
    """How many positional arguments a user's function is called with.

    :param name: the setting's.
    :param shapes: the arguments that it may take, in words; of those that fit, what it requires, else the first.
    :raises SettingError: for what is no function, takes other arguments, or would have to be awaited or iterated:
        a coroutine counts as true, whatever it was to say.
    """
    said = " or ".join(f"({', '.join(shape)})" if shape else "no arguments" for shape in shapes)
    takes = f"{name} takes a plain function of {said}"
    if not callable(function):
        raise SettingError(f"{takes}, not {function!r}")
    if _is_deferred(function):
        raise SettingError(f"{takes}, not an async function or a generator: {function!r}. Its result is not awaited")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        # One written in C does not always say.
        return len(shapes[0])
    fitting = [shape for shape in shapes if _fits(signature, shape)]
    if not fitting:
        called = getattr(function, "__name__", type(function).__name__)
        raise SettingError(f"{takes}, not {called}{signature}")
    required = [name for name, each in signature.parameters.items() if _is_required(each)]
    # ``def keep(response, strict=True)`` could be called with two, and would take the one for the other.
    exact = [shape for shape in fitting if len(shape) == len(required) and required[:1] != [*shapes[0][:1]]]
    return len((exact or fitting)[0])


def plain_result(result: T, name: str) -> T:
    """What a user's function returned.

    :raises TypeError: where that would have to be awaited: no signature tells of a lambda around a coroutine.
    """
    if inspect.isawaitable(result):
        close: Any = getattr(cast(Any, result), "close", None)
        if close is not None:
            close()
        raise TypeError(f"{name} returned something to be awaited: it takes a plain function")
    return result


def _is_deferred(function: object) -> bool:
    while isinstance(function, partial):
        function = function.func
    called = getattr(type(function), "__call__", None)  # noqa: B004 - the method itself is looked at
    return any(is_so(function) or is_so(called) for is_so in _DEFERRED)


def _fits(signature: inspect.Signature, shape: tuple[str, ...]) -> bool:
    try:
        signature.bind(*shape)
    except TypeError:
        return False
    return True


def _is_required(parameter: inspect.Parameter) -> bool:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return parameter.kind in positional and parameter.default is inspect.Parameter.empty
