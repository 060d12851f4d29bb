"""Checks of the trio client's arguments, where they are given: a message names the argument and what it takes.

Values are not shown where they may be secrets.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from sansio_cache.errors import SettingError

__all__ = ["credentials", "flag", "jar_or_mapping", "number", "pairs", "text", "tls", "whole"]

T = TypeVar("T")


def _kind(given: Any) -> str:
    return type(given).__name__


def flag(name: str, given: object, hint: str = "") -> bool:
    """A switch.

    :raises SettingError: for anything but True and False.
    """
    if not isinstance(given, bool):
        raise SettingError(f"{name} takes True or False, not {given!r}{hint}")
    return given


def text(name: str, given: object, hint: str = "") -> str:
    """A text.

    :raises SettingError: for another type.
    """
    if not isinstance(given, str):
        raise SettingError(f"{name} takes a str, not {_kind(given)}{hint}")
    return given


def whole(name: str, given: object, least: int, *, optional: bool = False) -> None:
    """A whole number.

    :param optional: None is taken too.
    :raises SettingError: for less, or another type.
    """
    if optional and given is None:
        return
    if not isinstance(given, int) or isinstance(given, bool) or given < least:
        raise SettingError(f"{name} must be at least {least}{', or None' if optional else ''}, not {given!r}")


def number(given: object) -> float:
    """A number as a float; NaN for what is none."""
    return float(given) if isinstance(given, (int, float)) and not isinstance(given, bool) else math.nan


def pairs(name: str, given: Mapping[str, T] | Iterable[tuple[str, T]] | None) -> list[tuple[str, T]]:
    """Names and values: what a mapping holds, or the pairs themselves; None holds nothing.

    :raises SettingError: for what is neither, and for a name that is no str.
    """
    if given is None:
        return []
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise SettingError(f"{name} takes a mapping, or pairs of a name and a value, not {_kind(given)}")
    items: Any = cast("Mapping[str, T]", given).items() if isinstance(given, Mapping) else given
    found: list[Any] = list(items)
    for each in found:
        parts: tuple[Any, ...] = tuple(each) if type(each) in (tuple, list) else ()
        if len(parts) != 2:
            raise SettingError(f"{name} takes pairs of a name and a value, not {_kind(each)} among them")
        text(f"a name in {name}", parts[0])
    return found


def credentials(given: Any) -> tuple[str, str] | None:
    """User and password for the Basic scheme, or None.

    :raises SettingError: for anything else.
    """
    if given is None:
        return None
    parts: list[Any] = list(cast("Iterable[Any]", given)) if isinstance(given, (tuple, list)) else []
    if len(parts) == 2 and isinstance(parts[0], str) and isinstance(parts[1], str):
        return parts[0], parts[1]
    raise SettingError(f"auth takes a user and a password, as ('me', 'secret'), or None, not {_kind(given)}")


def jar_or_mapping(given: object) -> None:
    """Cookies.

    :raises SettingError: for what is neither a jar nor a mapping of texts.
    """
    if given is None:
        return
    from http.cookiejar import CookieJar

    if isinstance(given, CookieJar):
        return
    if not isinstance(given, Mapping):
        raise SettingError(f"cookies takes a mapping of names and values, or a CookieJar, not {_kind(given)}")
    for name, value in pairs("cookies", cast("Mapping[str, object]", given)):
        text(f"cookies[{name!r}]", value)


def tls(context: object, verify: object) -> None:
    """How peers are verified.

    :raises SettingError: for other types, and for both at once.
    """
    if context is not None and verify is False:
        raise SettingError("verify=False and ssl_context= exclude each other")
    if context is not None and not isinstance(context, ssl.SSLContext):
        raise SettingError(f"ssl_context takes an ssl.SSLContext, not {_kind(context)}")
    hint = "; for authorities of your own give ssl_context=ssl.create_default_context(cafile=…)"
    flag("verify", verify, hint)
