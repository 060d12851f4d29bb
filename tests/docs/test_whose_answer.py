"""``docs/topics/whose-answer.md`` says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from client_arguments import CLIENT_ARGUMENTS, Decides

from sansio_cache.credentials import DEFAULT_IDENTITY, EXCEPTIONS

pytestmark = pytest.mark.once

PAGE = (Path(__file__).parents[2] / "docs" / "topics" / "whose-answer.md").read_text("utf-8")


def named_between(start: str, end: str) -> list[str]:
    return re.findall(r"`([^`]+)`", PAGE[PAGE.index(start) : PAGE.index(end)])


def test_the_page_prints_the_rule() -> None:
    """Each pattern once, in the order of the alphabet."""
    assert named_between("which are `DEFAULT_IDENTITY`:", "Not with these")[1:] == sorted(DEFAULT_IDENTITY)
    assert named_between("Not with these", "`identity=` takes") == list(EXCEPTIONS)


def test_the_page_prints_the_arguments() -> None:
    """A row for each place, a column for what is decided."""
    rows = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith(("| `", "| every"))]
    printed = {cells[0].strip(" `"): [set(re.findall(r"`([^`]+)`", cell)) for cell in cells[1:]] for cells in rows}
    columns = [what for what in Decides if what is not Decides.NOTHING]
    assert printed == {
        each.place: [set(each.names.get(what, "").split()) for what in columns] for each in CLIENT_ARGUMENTS
    }
