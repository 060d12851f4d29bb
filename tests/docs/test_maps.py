"""The maps of the rooms are true: each names all its modules, and each shared module has a test file of its own."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import sansio_cache_adapters

ADAPTERS = Path(sansio_cache_adapters.__file__).parent
ROOMS = sorted(
    path.parent for path in ADAPTERS.rglob("__init__.py") if "compat" not in path.relative_to(ADAPTERS).parts
)
TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ADAPTERS.parent)))
def test_a_map_names_every_module(room: Path) -> None:
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
    modules = {path.stem for path in room.glob("*.py")} | {path.parent.name for path in room.glob("*/__init__.py")}
    assert sorted(modules - {"__init__"} - set(re.findall(r"\w+", said))) == []


def test_every_shared_module_has_a_test_file() -> None:
    modules = {path.stem for path in (ADAPTERS / "cache").glob("*.py")} - {"__init__"}
    tested = {path.stem.removeprefix("test_") for path in (TESTS / "cache").glob("test_*.py")}
    assert sorted(modules - tested) == []
