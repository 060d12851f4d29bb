"""What Sphinx is told to leave out of signatures, and how tables fit a narrow page."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from sansio_cache import CachedSession, Policy
from sansio_cache.drivers import World

FILE = Path(__file__).resolve().parents[2] / "docs" / "_extensions" / "readable.py"


@pytest.fixture(scope="module")
def readable() -> Any:
    spec = importlib.util.spec_from_file_location("readable", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "obj", "text", "expected"),
    [
        (
            "sansio_cache.CachedSession",
            CachedSession,
            "(cache=None, secret_key=Ungiven.UNGIVEN, clock=<built-in function time>, shared=None, **keywords)",
            "(cache=None, secret_key=..., clock=time.time, **keywords)",
        ),
        ("sansio_cache.Policy", Policy, "(cache_control=True, identity=frozenset({'*-2fa-*'}))", "(*, ...)"),
        ("sansio_cache.drivers.World", World, "(*args, **kwargs)", ""),
    ],
    ids=["settings", "policy", "protocol"],
)
def test_signatures_say_what_a_user_may_write(readable: Any, name: str, obj: Any, text: str, expected: str) -> None:
    assert readable.signature(None, "class", name, obj, None, text, None)[0] == expected


def test_pages_named_in_docstrings_are_links(readable: Any) -> None:
    lines = ["See ``docs/topics/security.md``."]
    readable.linked(None, "class", "x", None, None, lines)
    assert lines == ["See :doc:`/topics/security`."]


def test_cells_of_a_wide_table_say_their_headings(readable: Any) -> None:
    heads = "".join(f"<th><p>{each}</p></th>" for each in "abcd")
    table = f'<table class="docutils"><tr>{heads}</tr><tr><td><p>1</p></td><td></td><td>3</td><td>4</td></tr></table>'
    context = {"body": f"before {table} after"}
    readable.fitted(None, "page", "", context, None)
    assert '<table class="by-row docutils">' in context["body"]
    assert '<td data-label="a"><p>1</p></td><td data-label="b" class="empty"></td>' in context["body"]


def test_long_names_in_tables_break_between_words(readable: Any) -> None:
    code = '<span class="pre">{}</span>'
    table = "<table><td>" + code.format("stale_while_revalidate") + code.format("max_bytes") + "</td></table>"
    fitted = readable.fitted_table(table)
    assert "stale_<wbr>while_<wbr>revalidate" in fitted
    assert "max_bytes" in fitted
