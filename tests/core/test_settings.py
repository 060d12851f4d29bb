"""The settings as type checkers see them are those that there are."""

from __future__ import annotations

from dataclasses import fields

import pytest

from sansio_cache.policy import ALIASES, SETTINGS, Policy
from sansio_cache.settings import Settings

POLICY = {each.name: each.type for each in fields(Policy) if each.init}


def test_they_are_all_there() -> None:
    assert Settings.__optional_keys__ == SETTINGS


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_each_has_the_type_of_the_policy(name: str) -> None:
    """Under its other names too."""
    said = Settings.__annotations__[name]
    assert getattr(said, "__forward_arg__", said) == POLICY[ALIASES.get(name, name)]
