"""``docs/topics/design.md`` says what is called in a hit and in a miss, in that order; no modules import each other."""

from __future__ import annotations

import ast
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest
from local_origin import Origin, fresh

import sansio_cache
import sansio_cache_adapters
from sansio_cache import CachedSession, SQLiteStore

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
DESIGN = (ROOT / "docs" / "topics" / "design.md").read_text("utf-8")
OURS = tuple(str(Path(each.__file__ or "").parent) for each in (sansio_cache, sansio_cache_adapters))


def defined() -> set[str]:
    """The names of all functions and methods, with their classes."""
    names: set[str] = set()
    for folder in OURS:
        for path in Path(folder).rglob("*.py"):
            tree = ast.parse(path.read_text("utf-8"))
            names.update(each.name for each in tree.body if isinstance(each, ast.FunctionDef))
            for kind in tree.body:
                if isinstance(kind, ast.ClassDef):
                    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
                    names.update(f"{kind.name}.{each.name}" for each in kind.body if isinstance(each, functions))
    return names


def named(start: str, end: str) -> list[str]:
    """The calls that a part of the page names in its steps, in their order; what it says in brackets is left out."""
    part = DESIGN[DESIGN.index(start) : DESIGN.index(end)]
    steps = re.sub(r"\([^)]*\)", "", "".join(part[part.index("1. ") :].partition("\n\nAn exchange")[:1]))
    known = defined()
    return [name for name in re.findall(r"`([A-Za-z_.]+)`", steps) if name in known]


def called(request: Any) -> list[str]:
    """The functions of ours that are called, by the order of their calls."""
    names: list[str] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            names.append(frame.f_code.co_qualname)

    sys.setprofile(profile)
    try:
        request()
    finally:
        sys.setprofile(None)
    return names


@pytest.mark.parametrize(
    ("start", "end", "path"),
    [("### The way of a hit", "### The way of a miss", "/warm"), ("### The way of a miss", "## Bodies", "/cold")],
    ids=["hit", "miss"],
)
def test_the_ways_are_those_that_are_called(origin: Origin, tmp_path: Path, start: str, end: str, path: str) -> None:
    urls = {each: origin.on(each, fresh(b"x" * 500)) for each in ("/warm", "/cold")}
    with CachedSession(SQLiteStore(tmp_path / "c.sqlite"), secret_key="a secret of at least 16 bytes") as session:
        for _ in range(3):
            session.get(urls["/warm"])
        calls = iter(called(lambda: session.get(urls[path])))
    steps = named(start, end)
    assert len(steps) > 12
    missed = next((step for step in steps if step not in calls), None)
    assert missed is None, f"{missed} is not called there"


def house() -> ModuleType:
    """The script that measures how the modules stand."""
    spec = spec_from_file_location("house", ROOT / "benchmarks" / "house.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_modules_import_each_other() -> None:
    """Nor behind TYPE_CHECKING."""
    assert house().circles() == []
