"""The core is pure: time enters as a value, randomness not at all, and nothing it imports touches the world."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import sansio_cache

FOLDER = Path(sansio_cache.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py"))
THIRD_PARTIES = {"http_sf", "itsdangerous", "msgspec"}
STANDARD = {
    "base64", "binascii", "collections", "dataclasses", "datetime", "difflib", "email", "enum", "fnmatch", "functools",
    "hashlib", "hmac", "importlib", "inspect", "json", "math", "re", "typing", "urllib", "warnings", "zlib",
}  # fmt: skip
"""All that the core imports of the standard library: data and arithmetic."""
WORLDLY = {
    "datetime.now", "datetime.today", "datetime.utcnow", "date.today", "datetime.fromtimestamp",
    "open", "input", "print", "eval", "exec", "compile", "__import__", "id", "hash", "globals",
}  # fmt: skip
"""What reads a clock, the world or the process, though no import tells."""
ALLOWED = {
    # with a zone given it is arithmetic: asserted below
    ("dates", "datetime.fromtimestamp"),
    # a value's own hash, which decides nothing
    ("messages", "hash"),
    ("sealing", "hash"),
    ("values", "hash"),
    # the front door keeps what it has loaded
    ("__init__", "globals"),
}


def tree_of(module: str) -> ast.Module:
    return ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))


def imports_of(tree: ast.AST) -> Iterator[str]:
    """The top-level names of all absolute imports, those within functions too, but for type checkers' eyes only."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from (name for each in node.orelse for name in imports_of(ast.Module([each], [])))
            case ast.Import():
                yield from (alias.name.partition(".")[0] for alias in node.names)
            case ast.ImportFrom(level=0):
                yield (node.module or "").partition(".")[0]
            case _:
                yield from imports_of(node)


def calls_of(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_all_of_it_is_looked_at() -> None:
    assert {"__init__", "exchange", "rules", "drivers", "freshness", "records"} <= set(MODULES)
    assert not [path for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_data_and_arithmetic(module: str) -> None:
    """No socket, os, time, random, secrets, threading, asyncio, sqlite3, requests: nothing but what is listed."""
    imported = set(imports_of(tree_of(module)))
    assert imported <= STANDARD | THIRD_PARTIES | {"__future__"}
    assert "importlib" not in imported or module in ("__init__", "__main__", "compat", "digests", "testing")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_reads_no_clock(module: str) -> None:
    for name, call in calls_of(tree_of(module)):
        if name in WORLDLY or name.endswith((".now", ".utcnow", ".today")):
            assert (module, name) in ALLOWED, f"{module}.py line {call.lineno}: {name}()"
        if name == "datetime.fromtimestamp":
            assert len(call.args) == 2, "without a zone it asks the machine for its own"
        # A naive datetime of the user's is in the machine's zone: the one place where that is read.
        if name.endswith(".astimezone"):
            assert module == "expiry"


def test_what_is_allowed_is_used() -> None:
    """A list of exceptions that are not needed any more hides the next one."""
    used = {(module, name) for module in MODULES for name, _ in calls_of(tree_of(module))}
    assert used >= ALLOWED
    assert {name for module in MODULES for name in imports_of(tree_of(module))} >= STANDARD | THIRD_PARTIES
