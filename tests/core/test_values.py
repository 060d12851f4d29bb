"""Frozen values: to everybody who asks they are dataclasses, which they are not."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import pprint
import typing
from typing import Any, ClassVar

import pytest

from sansio_cache import Heuristic, Policy
from sansio_cache.expiry import Resident, Until
from sansio_cache.values import Value


class Sizes(Value):
    """A value of three fields."""

    width: int = 1
    height: int = 2
    names: dict[str, int] = {"a": 1}  # noqa: RUF012 - what is tested

    def __post_init__(self) -> None:
        if self.width < 0:
            raise ValueError("width")


class More(Sizes):
    """The same with one more."""

    depth: int = 3


@dataclasses.dataclass(frozen=True)
class Twin:
    """What ``More`` is like."""

    width: int = 1
    height: int = 2
    names: dict[str, int] = dataclasses.field(default_factory=lambda: {"a": 1})
    depth: int = 3


def test_it_is_made_compared_and_shown_as_a_dataclass_is() -> None:
    value, twin = More(5, depth=6), Twin(5, depth=6)
    assert repr(value) == repr(twin).replace("Twin", "More")
    assert [vars(value), inspect.signature(More)] == [vars(twin), inspect.signature(Twin)]
    assert value == More(5, 2, depth=6) != More(5)
    assert value != twin
    assert hash(Heuristic()) == hash(Heuristic(0.1))
    assert Sizes(1) != More(1)


def test_the_dataclasses_module_takes_it_for_one() -> None:
    value = More(5)
    assert [each.name for each in dataclasses.fields(More)] == ["width", "height", "names", "depth"]
    assert [each.type for each in dataclasses.fields(value)] == ["int", "int", "dict[str, int]", "int"]
    assert dataclasses.is_dataclass(value)
    assert dataclasses.replace(value, depth=7) == More(5, depth=7)
    assert dataclasses.asdict(value) == dataclasses.asdict(Twin(5))
    assert pprint.pformat(value) == repr(value)
    match value:
        case More(width, height, _, depth):
            assert (width, height, depth) == (5, 2, 3)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
@pytest.mark.parametrize("value", [More(5), Policy(expire_after=60), Resident(1.0), Until(2.0, any_status=True)])
def test_it_travels(value: Any, again: Any) -> None:
    assert again(value) == value


def test_it_can_be_replaced_and_never_changed() -> None:
    value = More(5)
    changed = value.__replace__(height=9)
    assert (value.height, changed.height, changed.width) == (2, 9, 5)
    for attempt in (
        lambda: setattr(value, "width", 1),
        lambda: delattr(value, "width"),
        lambda: setattr(value, "a", 1),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            attempt()
    with pytest.raises(ValueError, match="width"):
        value.__replace__(width=-1)


def test_a_dict_as_default_is_nobody_elses() -> None:
    Sizes().names["b"] = 2
    assert Sizes().names == {"a": 1}


@pytest.mark.parametrize(
    ("arguments", "keywords", "said"),
    [
        ((1, 2, {}, 4), {}, "takes 3 arguments at most, not 4"),
        ((1,), {"width": 1}, "two values for width"),
        ((), {"heigth": 1}, "unexpected keyword argument 'heigth': did you mean height="),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...], keywords: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=f"Sizes.. .*{said}"):
        Sizes(*arguments, **keywords)


def test_times_of_two_kinds_are_never_equal() -> None:
    assert Resident(1.0) == Resident(1)
    assert Resident(1.0) != Until(1.0)
    assert len({Resident(1.0), Resident(1.0), Until(1.0)}) == 2
    assert repr(Resident(1.0)) == "Resident(seconds=1.0, any_status=False)"


def test_class_variables_are_no_fields() -> None:
    class Counted(Sizes):
        made: ClassVar[int] = 0
        known: typing.ClassVar = None

    assert Counted.__match_args__ == Sizes.__match_args__
    assert "made" not in repr(Counted())


def test_a_field_without_a_default_is_refused_with_its_class() -> None:
    with pytest.raises(TypeError, match=r"Endless\.end has no default: write end: \.\.\. = \.\.\."):

        class Endless(Sizes):
            end: int
