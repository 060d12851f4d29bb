"""``docs/topics/whose-answer.md`` says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from sansio_cache.credentials import DEFAULT_IDENTITY, EXCEPTIONS

PAGE = (Path(__file__).parents[2] / "docs" / "topics" / "whose-answer.md").read_text("utf-8")


def named_between(start: str, end: str) -> list[str]:
    return re.findall(r"`([^`]+)`", PAGE[PAGE.index(start) : PAGE.index(end)])


def test_the_page_prints_the_rule() -> None:
    """Each pattern once, in the order of the alphabet."""
    assert named_between("which are `DEFAULT_IDENTITY`:", "Not with these")[1:] == sorted(DEFAULT_IDENTITY)
    assert named_between("Not with these", "`identity=` takes") == list(EXCEPTIONS)
