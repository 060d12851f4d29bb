"""Cache-Control (RFC 9111 §5.2), from one table, read strictly.

What is malformed or doubled is read towards not storing and not reusing: a prohibition holds however it is spelled
(``no-store=x``, ``private=""``), a permission or a time only when it is well formed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import cast

import msgspec

__all__ = ["NO_DIRECTIVES", "Directives", "parse_cache_control", "parse_delta"]

_MAX_DELTA = 2_147_483_648.0  # RFC 9111 §1.2.2: the greatest integer that every recipient can represent, 2^31
INVALID = -1.0
"""A time that cannot be read: stale in a response, and the strictest demand in a request."""


class Directives(msgspec.Struct, frozen=True):
    """The directives of one message; times in seconds, None where absent, negative where unreadable.

    ``no_cache`` and ``private`` are False, True, or the field names (lower case) that they are restricted to.
    """

    no_store: bool = False
    no_cache: bool | frozenset[str] = False
    private: bool | frozenset[str] = False
    public: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    must_understand: bool = False
    immutable: bool = False
    no_transform: bool = False
    only_if_cached: bool = False
    max_age: float | None = None
    s_maxage: float | None = None
    max_stale: float | None = None
    min_fresh: float | None = None
    stale_while_revalidate: float | None = None
    stale_if_error: float | None = None


NO_DIRECTIVES = Directives()

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# cache-directive = token [ "=" ( token / quoted-string ) ]
# White space around "=" is not in the grammar: it is accepted here so that `private = "a"` still prohibits, and
# marks the argument as malformed.
_DIRECTIVE = re.compile(
    rf"[\s,]*(?P<name>{_NAME})(?P<gap>\s*)(?:=(?P<gap2>\s*)(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)(?P<end>\"?)|(?P<bare>[^,]*)))?"
    r"(?P<junk>[^,]*)",
    re.ASCII | re.DOTALL,
)
_DELTA = re.compile(r"[0-9]+", re.ASCII)


class _Argument(msgspec.Struct, frozen=True):
    """What stands after the name: its text, and whether it is spelled as the grammar says."""

    text: str | None
    well_formed: bool


def parse_delta(text: str) -> float | None:
    """The seconds of a delta-seconds (RFC 9111 §1.2.2), at most 2^31; None where the text is none."""
    if not _DELTA.fullmatch(text):
        return None
    return _MAX_DELTA if len(text) > 10 else min(float(text), _MAX_DELTA)


def _flag(argument: _Argument) -> bool:
    return argument.text is None and argument.well_formed


def _prohibition(_argument: _Argument) -> bool:
    return True


def _fields(argument: _Argument) -> bool | frozenset[str]:
    # The unqualified form prohibits more, so every spelling that does not clearly name fields is read as that.
    if argument.text is None or not argument.well_formed:
        return True
    names = [name.strip().lower() for name in argument.text.split(",")]
    return frozenset(names) if all(re.fullmatch(_NAME, name) for name in names) else True


def _seconds(argument: _Argument) -> float:
    delta = parse_delta(argument.text) if argument.well_formed and argument.text is not None else None
    return INVALID if delta is None else delta


def _max_stale(argument: _Argument) -> float:
    # "If no value is assigned to max-stale, then the client will accept a stale response of any age." (§5.2.1.2)
    return _MAX_DELTA if argument.text is None and argument.well_formed else _seconds(argument)


_KNOWN: dict[str, Callable[[_Argument], object]] = {
    "no-store": _prohibition,
    "no-cache": _fields,
    "private": _fields,
    "public": _flag,
    "must-revalidate": _prohibition,
    "proxy-revalidate": _prohibition,
    "must-understand": _flag,
    "immutable": _flag,
    "no-transform": _flag,
    "only-if-cached": _prohibition,
    "max-age": _seconds,
    "s-maxage": _seconds,
    "max-stale": _max_stale,
    "min-fresh": _seconds,
    "stale-while-revalidate": _seconds,
    "stale-if-error": _seconds,
}
_ATTRIBUTES = {name: name.replace("-", "_") for name in _KNOWN}
assert set(_ATTRIBUTES.values()) == set(Directives.__struct_fields__)  # noqa: S101 - the table is whole

# A second, different time: RFC 9111 §4.2.1 allows "the first occurrence or considering the response stale".
_PERMISSIVE_TIMES = frozenset({"max-age", "s-maxage", "max-stale", "stale-while-revalidate", "stale-if-error"})


def _as_seconds(value: object) -> float:
    return value if isinstance(value, float) else INVALID


def _combine(name: str, old: object, new: object) -> object:
    if old == new:
        return old
    if name in _PERMISSIVE_TIMES:
        return INVALID
    if name == "min-fresh":
        return INVALID if INVALID in (old, new) else max(old, new, key=_as_seconds)
    if name in ("no-cache", "private"):
        return _both_fields(old, new)
    return bool(old or new)


def _both_fields(old: object, new: object) -> bool | frozenset[object]:
    if old is True or new is True:
        return True
    return cast(frozenset[object], old) | cast(frozenset[object], new)


@lru_cache(maxsize=1024)
def _parse(text: str) -> Directives:
    found: dict[str, object] = {}
    for match in _DIRECTIVE.finditer(text):
        name = match["name"].lower()
        read = _KNOWN.get(name)
        if read is None:
            continue
        value = read(_argument(match))
        attribute = _ATTRIBUTES[name]
        found[attribute] = _combine(name, found[attribute], value) if attribute in found else value
    return Directives(**found) if found else NO_DIRECTIVES  # type: ignore[arg-type]


def _argument(match: re.Match[str]) -> _Argument:
    tidy = not match["gap"].strip(" \t") and not match["junk"].strip(" \t")
    if match["quoted"] is not None:
        closed = bool(match["end"])
        text = re.sub(r"\\(.)", r"\1", match["quoted"], flags=re.DOTALL)
        return _Argument(text, tidy and closed and not match["gap"] and not match["gap2"])
    bare = match["bare"]
    if bare is None:
        return _Argument(None, tidy)
    spaced = bool(match["gap"] or match["gap2"])
    return _Argument(bare.rstrip(" \t"), tidy and not spaced)


def parse_cache_control(lines: Iterable[str]) -> Directives:
    """The directives of all Cache-Control lines of a message together (RFC 9111 §5.2); unknown ones are ignored."""
    text = ",".join(lines)
    return _parse(text) if text else NO_DIRECTIVES
