"""Text of strangers made safe to show: it came from origins, and from all who can write to the store."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from sansio_cache.credentials import is_secret_parameter
from sansio_cache.messages import Headers
from sansio_cache.urls import redact

__all__ = ["plain", "plain_block", "shown_fields", "shown_url"]

_UNSEEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Categories of what moves a terminal's cursor, turns text round, or is not seen at all."""
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s<>\"',]+")
_REFERENCES: Final = frozenset({"content-location", "location"})
"""Fields whose values are URLs, relative ones too."""
_SOME_HOST: Final = "http://host"


def plain(text: str) -> str:
    """A text in one line, without anything that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def plain_block(text: str) -> str:
    """The same for a text of several lines: line breaks and tabs stay."""
    return "".join(each if each in "\n\t" else _shown(each) for each in text)


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def shown_url(url: str) -> str:
    """A URL for people: without secrets, in one line."""
    return plain(redact(url))


def shown_fields(headers: Headers, *, secrets: bool) -> list[tuple[str, str]]:
    """Header fields for people.

    :param secrets: show the values of those that carry credentials, too.
    """
    return [(plain(name), plain(value if secrets else _redacted(name, value))) for name, value in headers]


def _redacted(name: str, value: str) -> str:
    if name.lower() in ("set-cookie", "cookie") or is_secret_parameter(name):
        return "REDACTED"
    if name.lower() in _REFERENCES and value.startswith("/") and not value.startswith("//"):
        return redact(_SOME_HOST + value).removeprefix(_SOME_HOST)
    return _URL.sub(lambda match: redact(match[0]), value)
