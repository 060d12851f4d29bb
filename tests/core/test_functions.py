"""Functions of users: what cannot be called as it will be is an error when it is given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from sansio_cache.errors import SettingError
from sansio_cache.functions import arguments_of, plain_result

SHAPES = (("request", "response"), ("response",))


async def awaited(request: Any, response: Any) -> bool:
    return True


async def streamed(request: Any, response: Any) -> AsyncIterator[bool]:
    yield True


def iterated(request: Any, response: Any) -> Iterator[bool]:
    yield True


class Judge:
    def __call__(self, request: Any, response: Any) -> bool:
        return True

    def alone(self, response: Any) -> bool:
        return True

    async def later(self, response: Any) -> bool:
        return True


class LateJudge:
    async def __call__(self, response: Any) -> bool:
        return True


def many(*arguments: Any) -> bool:
    return True


def with_default(response: Any, strict: bool = True) -> bool:
    return strict


def request_alone(request: Any, response: Any = None) -> bool:
    return True


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (lambda request, response: True, 2),
        (lambda response: True, 1),
        (many, 2),
        (with_default, 1),
        (request_alone, 2),
        (lambda response, *, strict=True: True, 1),
        (Judge(), 2),
        (Judge().alone, 1),
        (partial(with_default, strict=False), 1),
        (partial(lambda limit, response: True, 5), 1),
        (Mock(), 2),
        (print, 2),
    ],
)
def test_it_is_called_with_what_it_takes(function: Callable[..., Any], count: int) -> None:
    assert arguments_of(function, "filter_fn", *SHAPES) == count


@pytest.mark.parametrize(
    "function",
    [
        *(awaited, streamed, iterated, Judge().later, LateJudge(), AsyncMock()),
        *(partial(awaited, None), partial(partial(awaited), None), partial(LateJudge())),
    ],
)
def test_what_would_have_to_be_awaited_is_refused(function: Callable[..., Any]) -> None:
    """A coroutine is true: what the filter was to keep out would be kept."""
    with pytest.raises(SettingError, match=r"filter_fn takes a plain function of .*, not an async function"):
        arguments_of(function, "filter_fn", *SHAPES)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda: True, r"\(request, response\) or \(response\), not <lambda>\(\)"),
        (lambda a, b, c: True, r"not <lambda>\(a, b, c\)"),
        (lambda *, response: True, r"not <lambda>\(\*, response\)"),
        (5, "not 5"),
        ("keep", "not 'keep'"),
        ([len], "not "),
    ],
)
def test_another_signature_is_an_error_that_shows_both(function: Any, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        arguments_of(function, "filter_fn", *SHAPES)


def test_a_function_that_does_not_show_its_signature_is_believed() -> None:
    assert arguments_of(type, "key_fn", ("request",)) == 1


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_result_that_must_be_awaited_is_an_error() -> None:
    """No signature tells of a plain function around a coroutine; it is closed, so that no warning says to await it."""
    with pytest.raises(TypeError, match="key_fn returned something to be awaited"):
        plain_result(awaited(1, 2), "key_fn")
    assert plain_result(None, "key_fn") is None


def test_an_awaitable_without_a_close_is_one_too() -> None:
    class Later:
        def __await__(self) -> Iterator[None]:
            yield

    with pytest.raises(TypeError, match="to be awaited"):
        plain_result(Later(), "key_fn")
