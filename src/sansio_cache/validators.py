"""Validators: entity tags and dates of modification (RFC 9110 §8.8), as they are compared and sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from .lists import combined
from .messages import Headers

__all__ = ["entity_tags", "is_strong", "usable_date", "usable_tag", "weak"]

# field-value = *( field-vchar [ 1*( SP / HTAB / field-vchar ) field-vchar ] )   (RFC 9110 §5.5)
_FIELD_CONTENT: Final = re.compile(r"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")
# entity-tag = [ weak ] opaque-tag   (RFC 9110 §8.8.3), and a blank, which some origins put in.
_ENTITY_TAG: Final = r'(?:W/)?"[\x20\x21\x23-\x7e\x80-\xff]*"'
# Some origins forget the quotes: such a tag can stand in a list as it came.
_BARE_TAG: Final = r"[\x21\x23-\x2b\x2d-\x7e\x80-\xff]+"
_TAG: Final = re.compile(rf"{_ENTITY_TAG}|{_BARE_TAG}")
_TAGS: Final = re.compile(rf"[\t ,]*+(?:(?:{_TAG.pattern})[\t ]*+(?:,[\t ,]*+|\Z))*+")


def usable_tag(headers: Headers) -> str | None:
    """The entity tag of a response, or None where there is none that a request can carry and an origin can read."""
    lines = headers.lines("etag")
    tag = lines[0].strip(" \t") if len(lines) == 1 else ""
    return tag if tag != "*" and _TAG.fullmatch(tag) else None


def usable_date(headers: Headers) -> str | None:
    """The Last-Modified of a response, or None where there is none that a request can carry."""
    lines = headers.lines("last-modified")
    date = lines[0].strip(" \t") if len(lines) == 1 else ""
    return date if _FIELD_CONTENT.fullmatch(date) else None


def entity_tags(lines: Sequence[str]) -> list[str] | None:
    """The tags that an If-None-Match lists, as they are spelled; None where it cannot be read as a list of tags.

    A comma within a tag separates nothing.
    """
    text = combined(lines)
    return None if text is None or not _TAGS.fullmatch(text) else _TAG.findall(text)


def weak(tag: str) -> str:
    """The part of a tag that the weak comparison compares (RFC 9110 §8.8.3.2)."""
    return tag.removeprefix("W/")


def is_strong(tag: str) -> bool:
    """Whether a tag is a strong validator."""
    return not tag.startswith("W/")
