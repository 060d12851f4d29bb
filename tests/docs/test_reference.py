"""The reference has every public name, by the path that users import it from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sansio_cache
from sansio_cache import testing

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
TEXT = "\n".join(page.read_text("utf-8") for page in sorted(REFERENCE.glob("*.md")))
TOLD = set(re.findall(r"^\.\. (?:py:)?(?:auto)?(?:class|exception|function|data):: (\S+)", TEXT, re.MULTILINE))
MODULES = set(re.findall(r"^\.\. automodule:: (\S+)", TEXT, re.MULTILINE))


@pytest.mark.parametrize("name", sorted(sansio_cache.__all__))
def test_every_public_name_has_its_place(name: str) -> None:
    assert TOLD & {name, f"sansio_cache.{name}"}


@pytest.mark.parametrize("name", testing.__all__)
def test_what_tests_a_store_of_ones_own_has_its_place(name: str) -> None:
    assert f"sansio_cache_adapters.testing.{name}" in TOLD


def test_what_a_world_of_ones_own_needs_has_its_place() -> None:
    """The modules that the how-to imports from."""
    howto = (REFERENCE.parent / "howto" / "sansio.md").read_text("utf-8")
    used = set(re.findall(r"^from (sansio_cache\.\w+) import", howto, re.MULTILINE))
    assert used - MODULES == {"sansio_cache.policy"}, "Policy is among the settings"
