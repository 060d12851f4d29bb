"""Foreign files in the place of a store: messages that tell the owner what the file is and what to do."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from .sqlite.schema import APPLICATION_ID

__all__ = ["START", "describe_file", "describe_folder", "left_alone"]

START: Final = 4096
"""Bytes of a file that are enough to tell what it is: of a database, the page with the tables of a small schema."""

_SQLITE: Final = b"SQLite format 3\0"
_TABLE: Final = re.compile(rb"CREATE TABLE (?:IF NOT EXISTS )?[`\"\[]?(\w+)[`\"\]]?\s*\(([^)]*)", re.IGNORECASE)
_UNUSABLE: Final = "whose entries cannot be used here"


def left_alone(path: str, what: str) -> str:
    """The message for a foreign file at a path, which is left as it is.

    :param what: as :func:`describe_file` and :func:`describe_folder` say it.
    """
    brought = ", and import_cache() brings along what it holds" if what.endswith(_UNUSABLE) else ""
    return f"{path} {what}: it is left as it is, and nothing is cached. Give another path: cache=…{brought}"


def describe_file(start: bytes) -> str:
    """The kind of a file, by its first bytes."""
    if start.startswith(_SQLITE):
        return _describe_database(start)
    return "is a text" if _is_text(start) else "is a file of another kind"


def _is_text(start: bytes) -> bool:
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:
            return False
        text = start[: error.start].decode()  # its last character was cut
    return "\0" not in text


def _describe_database(page: bytes) -> str:
    if int.from_bytes(page[68:72], "big") == APPLICATION_ID:
        return "is a file of SQLiteStore, which opens it: SQLiteStore(path)"
    columns = {name.decode().lower(): rest for name, rest in _TABLE.findall(page)}
    if {"responses", "redirects"} <= columns.keys():
        # Only one of the two has a column for it.
        theirs = "requests-cache" if b"expires" in columns["responses"] else "aiohttp-client-cache"
        return f"is a cache of {theirs}, {_UNUSABLE}"
    if {"entries", "streams"} <= columns.keys():
        return f"is a cache of hishel, {_UNUSABLE}"
    return "is a database of another program"


def describe_folder(names: Collection[str]) -> str:
    """The kind of a folder, by the names in it."""
    if {"CACHEDIR.TAG", "meta"} <= set(names):
        return "is a folder of FileStore, which opens it: FileStore(path)"
    if "redirects.sqlite" in names:
        return f"is a cache of requests-cache or aiohttp-client-cache, {_UNUSABLE}"
    return "is a folder with other things in it" if names else "is a folder"
