"""``docs/topics/rfc9111.md``: what it names exists, and it names all that RFC 9111 requires of a client's cache."""

from __future__ import annotations

import functools
import importlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "topics" / "rfc9111.md").read_text(encoding="utf-8")

REQUIRED = Counter(
    {
        ("1.2.2", "MUST"): 1,
        ("3", "MUST NOT"): 7,  # one sentence, seven conditions
        ("3.1", "MUST"): 1,
        ("3.1", "MUST NOT"): 1,
        ("3.2", "MUST"): 1,
        ("3.2", "SHOULD"): 1,
        ("3.3", "MUST NOT"): 3,
        ("3.5", "MUST NOT"): 1,
        ("4", "MUST"): 3,
        ("4", "MUST NOT"): 5,  # one sentence, five conditions
        ("4.1", "MUST NOT"): 1,
        ("4.1", "SHOULD"): 1,
        ("4.2", "MUST"): 1,
        ("4.2", "MUST NOT"): 1,
        ("4.2", "SHOULD"): 2,
        ("4.2.2", "MUST NOT"): 1,
        ("4.2.3", "MUST"): 1,
        ("4.2.4", "MUST NOT"): 2,
        ("4.3.1", "MUST"): 1,
        ("4.3.1", "SHOULD"): 1,
        ("4.3.2", "MUST"): 1,
        ("4.3.2", "MUST NOT"): 1,
        ("4.3.2", "SHOULD"): 2,
        ("4.3.3", "MUST"): 1,
        ("4.3.4", "MUST"): 1,
        ("4.3.4", "MUST NOT"): 1,
        ("4.3.5", "MUST"): 1,
        ("4.3.5", "SHOULD"): 3,
        ("4.4", "MUST"): 1,
        ("4.4", "MUST NOT"): 1,
        ("5.1", "SHOULD"): 2,
        ("5.2", "MUST"): 1,
        ("5.2.1.5", "MUST NOT"): 1,
        ("5.2.1.7", "SHOULD"): 1,
        ("5.2.2", "MUST"): 1,
        ("5.2.2.2", "MUST"): 1,
        ("5.2.2.2", "MUST NOT"): 2,
        ("5.2.2.2", "SHOULD"): 1,
        ("5.2.2.3", "SHOULD"): 1,
        ("5.2.2.4", "MUST NOT"): 1,
        ("5.2.2.5", "MUST NOT"): 2,
        ("5.2.2.6", "MUST NOT"): 1,
        ("5.2.2.7", "MUST NOT"): 2,
        ("5.2.2.8", "MUST NOT"): 1,
        ("5.2.2.10", "MUST NOT"): 1,
        ("5.2.3", "MUST"): 1,
        ("5.3", "MUST"): 3,
    }
)
"""The key words of RFC 9111 by section, but for those under "What never arises"."""


class Row(NamedTuple):
    """One requirement, what follows it, and what shows that."""

    chapter: str
    section: str
    word: str
    function: str
    tests: list[str]


def _rows() -> list[Row]:
    found: list[Row] = []
    chapter = ""
    for line in TEXT.splitlines():
        if line.startswith("## "):
            chapter = line.removeprefix("## ")
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 4 and cells[2].startswith("`"):
            section, requirement, function, tests = cells
            word = re.match(r"\*\*([A-Z ]+)\*\* ", requirement)
            found.append(
                Row(
                    chapter,
                    section.strip(),
                    word[1] if word else "",
                    function.strip("`"),
                    re.findall(r"`([^`]+)`", tests),
                )
            )
    return found


ROWS = _rows()


@functools.cache
def _collected() -> frozenset[str]:
    """The ids of all tests of the core."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/core"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=50)
    return frozenset(line.removeprefix("tests/core/") for line in done.stdout.splitlines() if "::" in line)


def test_the_table_is_read() -> None:
    """Rows that this test does not see would not be checked."""
    assert len(ROWS) == sum(line.startswith("| ") and line.count("`") >= 4 for line in TEXT.splitlines())
    assert len({row.chapter for row in ROWS}) == 6


@pytest.mark.parametrize("name", sorted({row.function for row in ROWS}))
def test_every_function_named_exists(name: str) -> None:
    module, *attributes = name.split(".")
    value: object = importlib.import_module(f"sansio_cache.{module}")
    for attribute in attributes:
        value = getattr(value, attribute)
    assert callable(value)


def test_every_test_named_exists() -> None:
    named = {test for row in ROWS for test in row.tests}
    assert named - _collected() == set()
    assert all(row.tests for row in ROWS)


def test_every_requirement_of_rfc_9111_is_there() -> None:
    there = Counter((row.section, row.word) for row in ROWS if row.chapter.startswith("RFC 9111"))
    assert there == REQUIRED
