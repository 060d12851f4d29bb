"""The page of reasons knows every reason that a response can give."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sansio_cache.cache_status import Fwd
from sansio_cache.choosing import Standing
from sansio_cache.storing import Storing

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "topics" / "why-not-cached.md").read_text("utf-8")
REASON = re.compile(r"[a-z]+(-[a-z]+)*")

GIVE_REASONS = {"Bypass", "Forward", "Validate", "_Judged", "abandon", "answer", "bypassed", "gateway_timeout"}
"""Calls one of whose arguments is a reason."""
RETURN_REASONS = {"_must_validate", "_why_not_kept", "refusal", "why_not_kept"}
"""Functions that return one, or an empty text."""
CONSTANTS = {"CONNECTION_AUTH", "DISABLED", "INCOMPLETE", "INHERITED", "UNREAD"}
"""Constants that are one."""
WITHIN = {Fwd.PARTIAL.value, Storing.KEEP.value}
"""Words of the code that no response shows: parts are never stored, and what is kept says ``stored``."""


def texts(node: ast.AST | None) -> Iterator[str]:
    """The texts that an expression can be and that look like a reason: itself, or either side of an ``if``."""
    if isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and REASON.fullmatch(node.value):
        yield node.value


def of_call(node: ast.Call) -> Iterator[str]:
    """The reasons that a call hands on."""
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    if name in GIVE_REASONS:
        for argument in node.args:
            yield from texts(argument)
    for keyword in node.keywords:
        if keyword.arg in ("detail", "refusal"):
            yield from texts(keyword.value)


def reasons_in(path: Path) -> Iterator[str]:
    """The reasons that a module gives."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield from of_call(node)
        elif isinstance(node, ast.FunctionDef) and node.name in RETURN_REASONS:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return):
                    yield from texts(inner.value)
        elif isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") in CONSTANTS:
            yield from texts(node.value)


def all_reasons() -> set[str]:
    """Every reason of the project."""
    folders = (ROOT / "src" / "sansio_cache", ROOT / "adapters" / "sansio_cache_adapters")
    found = {reason for folder in folders for path in folder.rglob("*.py") for reason in reasons_in(path)}
    standings = {each.name.lower().replace("_", "-") for each in Standing} - {"fresh", "must-validate"}
    return (found | standings | {*map(str, Fwd), *map(str, Storing)}) - WITHIN


def test_reasons_are_found() -> None:
    """The search sees what it is there for, each kind of it."""
    assert {"body-not-known", "refresh", "connection-auth", "body-gone", "decoded", "offline"} <= all_reasons()


@pytest.mark.parametrize("reason", sorted(all_reasons()))
def test_page_tells_each_reason(reason: str) -> None:
    """Each reason stands on the page as a user sees it."""
    assert f"`{reason}`" in PAGE
