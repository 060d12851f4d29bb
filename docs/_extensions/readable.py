"""What makes the pages readable: plain signatures, links in docstrings, tables that fit."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Any, Protocol

from sansio_cache import Policy
from sansio_cache_adapters.cache.options import CacheKeywords

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SAID = frozenset({"secret_key", "policy", "on_event", "peer", "clock"})
"""Keywords that a signature shows; the settings have a page of their own."""
SETTINGS = frozenset(CacheKeywords.__annotations__) - SAID
PLAIN = {"Ungiven.UNGIVEN": "...", "<built-in function time>": "time.time"}
"""Defaults as a reader would write them."""
PAGE = re.compile(r"``docs/([\w/-]+)\.md``")
TABLE = re.compile(r"<table.*?</table>", re.DOTALL)
HEADING = re.compile(r"<th\b.*?</th>", re.DOTALL)
ROW = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
CODE = re.compile(r'(?<=<span class="pre">)[^<]+')
PLACE = re.compile(r"(?<=[_.,=/:(\[|])(?=\w)|(?<=[a-z])(?=[A-Z])")
"""Where a long name may go on in the next line."""
LONG = 16
EMPTY = re.compile(r"<td([^>]*)>(?=(?:<p></p>)?</td>)")
NARROW = 4
"""Columns from which a table of words is shown row by row where the page is narrow."""


def signature(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    text: str | None,
    returned: str | None,
) -> tuple[str | None, str | None] | None:
    """A signature that says what a user may write."""
    if what == "class" and not made_by_users(name, obj):
        return "", None
    if text is None:
        return None
    if obj is Policy:
        return "(*, ...)", None
    for written, meant in PLAIN.items():
        text = text.replace(written, meant)
    if "**" in text:
        text = re.sub(rf", (?:{'|'.join(SETTINGS)})=None(?=[,)])", "", text)
    return re.sub(r"<class '(\w+)'>, ?", r"\1,", text), returned


def made_by_users(name: str, obj: Any) -> bool:
    """Whether a class is one that users make objects of."""
    if issubclass(obj, enum.Enum) or Protocol in obj.__mro__:
        return False
    return "_adapters.cache." not in name and not name.endswith("Response")


def linked(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Docstrings name pages by their files; a page links to them."""
    lines[:] = [PAGE.sub(r":doc:`/\1`", line) for line in lines]


def undocumented(
    app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out the fields of tuples that say no more than their number."""
    return (
        True
        if (getattr(obj, "__doc__", None) or "").startswith("Alias for field number")
        else None
    )


def fitted(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Make the tables of a page fit it."""
    if "body" in context:
        context["body"] = TABLE.sub(lambda found: fitted_table(found[0]), context["body"])


def fitted_table(table: str) -> str:
    """A table whose names break between words, and whose cells know their headings."""
    table = CODE.sub(
        lambda name: PLACE.sub("<wbr>", name[0]) if len(name[0]) >= LONG else name[0], table
    )
    headings = [re.sub("<.*?>", "", each) for each in HEADING.findall(table)]
    numbers = table.count('<td class="text-right">')
    if len(headings) < NARROW or numbers:
        return table
    table = EMPTY.sub(
        r'<td\1 class="empty">', table.replace('<table class="', '<table class="by-row ', 1)
    )
    return ROW.sub(lambda row: labelled(row[0], headings), table)


def labelled(row: str, headings: list[str]) -> str:
    """A row whose cells say what they are, for where there is no heading above them."""
    labels = iter(headings)
    return re.sub("<td", lambda _: f'<td data-label="{next(labels)}"', row)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-docstring", linked)
    app.connect("autodoc-skip-member", undocumented)
    app.connect("html-page-context", fitted)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
