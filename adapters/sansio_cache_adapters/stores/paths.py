"""Where a store lies that has a path: ``~`` stands for a home folder, and a URL is no path."""

from __future__ import annotations

import os
from typing import Final, cast

from sansio_cache.errors import SettingError

from . import system
from .off_loop import off_loop

__all__ = ["absolute_path", "expand_home", "is_url"]

_SCHEMES: Final = frozenset({"file", "http", "https", "memory", "mongodb", "redis", "rediss", "sqlite", "unix"})
_IN_SCHEME: Final = "abcdefghijklmnopqrstuvwxyz0123456789+.-"


def absolute_path(path: object, takes: str) -> str:
    """The absolute path that a user's path stands for. Nothing is looked up in the folders that it names.

    :param takes: says what is expected, for messages: "SQLiteStore takes the path of a file".
    :raises SettingError: for another type, a URL, and a home folder that does not exist.
    """
    text: object = os.fspath(cast("os.PathLike[str]", path)) if hasattr(path, "__fspath__") else path
    if not isinstance(text, str) or not text or "\0" in text:
        raise SettingError(f"{takes}, not {path!r}")
    if is_url(text):
        scheme = text.partition("/")[0]
        raise SettingError(
            f"{takes}, not a URL ({scheme}…): the URL of a store is given as cache=. ./{scheme} is a path"
        )
    expanded = expand_home(text)
    if expanded is None:
        home = text.replace("\\", "/").partition("/")[0]
        raise SettingError(f"{takes}: {home} is no home folder here. A file of that name is given as ./{home}")
    path = off_loop(lambda: os.path.abspath(expanded))
    fault = system.SYSTEM.fault_of(path)
    if fault:
        raise SettingError(f"{takes}, not {path!r}: {fault}")
    return path


def is_url(text: str) -> bool:
    """Whether a text is a URL rather than a path: its beginning is not one that a folder would have.

    A drive of Windows has one letter; a path object shortens ``//``.
    """
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if not scheme:
        return rest.lower().startswith("memory:")
    if not colon or scheme in _SCHEMES:
        return bool(colon)
    return rest.startswith("//") and len(scheme) > 1 and scheme[0].isalpha() and not scheme.strip(_IN_SCHEME)


def expand_home(text: str) -> str | None:
    """A path with the home folder that its ``~`` or ``~user`` stands for; None where there is no such folder."""
    expanded = os.path.expanduser(text)
    return None if text.startswith("~") and expanded == text else expanded
