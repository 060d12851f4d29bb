"""Cache-Control (RFC 9111 §5.2), from one table, read strictly.

Malformed and doubled directives are read strictly, towards not storing and not reusing: a prohibition holds however it
is spelled (``no-store=x``, ``private=""``), a permission or a time only when it is well formed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, cast

import msgspec

from .lists import combined

__all__ = ["NO_DIRECTIVES", "STRICTEST", "Directives", "parse_cache_control", "parse_delta", "parse_targeted"]

_MAX_DELTA = 2_147_483_648.0  # RFC 9111 §1.2.2: the greatest integer that every recipient can represent, 2^31
_MEMOISED = 256
"""Characters: longer fields are rare, and the memory for them is an origin's to fill."""
_MAX_TARGETED: Final = 8_192
"""Characters of a structured field, which takes far longer to read."""
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
STRICTEST = Directives(no_store=True, no_cache=True, private=True, must_revalidate=True, no_transform=True)
"""Stands for a list of more directives than are read: all prohibitions hold."""

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r"\"((?:[^\"\\]|\\.)*+)\""
_FLAGS = re.ASCII | re.DOTALL
# cache-directive = token [ "=" ( token / quoted-string ) ]
_DIRECTIVE = re.compile(rf"[ \t]*+({_NAME})(?:=(?:({_NAME})|{_QUOTED}))?[ \t]*+", _FLAGS)
# Cache-Control = #cache-directive: a comma within a quoted string separates nothing.
_MEMBER = re.compile(rf"(?:[^,\"]|{_QUOTED})*+", _FLAGS)
_WORD = re.compile(_NAME, _FLAGS)
_DELTA = re.compile(r"[0-9]+", re.ASCII)


class _Argument(msgspec.Struct, frozen=True):
    """The part after the name: its text, and whether all of it follows the grammar."""

    text: str | None
    well_formed: bool


_MALFORMED = _Argument(None, well_formed=False)


def parse_delta(text: str) -> float | None:
    """The seconds of a delta-seconds (RFC 9111 §1.2.2), at most 2^31; None where the text is none."""
    if not _DELTA.fullmatch(text):
        return None
    digits = text.lstrip("0") or "0"
    return _MAX_DELTA if len(digits) > 10 else min(float(digits), _MAX_DELTA)


# Readers: the value of one directive.


def _flag(argument: _Argument) -> bool:
    return argument.text is None and argument.well_formed


def _with_any_argument(argument: _Argument) -> bool:
    # "If any arguments are present, they have no meaning and MUST be ignored." (RFC 8246 §2)
    return argument.well_formed


def _prohibition(_argument: _Argument) -> bool:
    return True


def _fields(argument: _Argument) -> bool | frozenset[str]:
    # The unqualified form prohibits more, so every spelling that does not clearly name fields is read as that.
    if argument.text is None or not argument.well_formed:
        return True
    names = [name.strip().lower() for name in argument.text.split(",")]
    return frozenset(names) if all(_WORD.fullmatch(name) for name in names) else True


def _seconds(argument: _Argument) -> float:
    delta = parse_delta(argument.text) if argument.well_formed and argument.text is not None else None
    return INVALID if delta is None else delta


def _max_stale(argument: _Argument) -> float:
    # "If no value is assigned to max-stale, then the client will accept a stale response of any age." (§5.2.1.2)
    return _MAX_DELTA if argument.text is None and argument.well_formed else _seconds(argument)


# Combiners: the value of a directive that occurs several times. All at once: two by two, sets of names that grow would
# take time by the square of their number.


def _all(values: Sequence[object]) -> object:
    return all(values)


def _most_prohibited(values: Sequence[object]) -> object:
    return True if True in values else frozenset[str]().union(*cast(Sequence[frozenset[str]], values))


def _only(values: Sequence[object]) -> object:
    # RFC 9111 §4.2.1 allows "the first occurrence", or to consider the response stale.
    return values[0] if len(set(values)) == 1 else INVALID


def _most(values: Sequence[object]) -> object:
    return INVALID if INVALID in values else max(cast(Sequence[float], values))


class _Known(NamedTuple):
    """How a directive is read, and what becomes of several."""

    read: Callable[[_Argument], object]
    combine: Callable[[Sequence[object]], object]


_KNOWN: dict[str, _Known] = {
    "no-store": _Known(_prohibition, _most_prohibited),
    "no-cache": _Known(_fields, _most_prohibited),
    "private": _Known(_fields, _most_prohibited),
    "public": _Known(_flag, _all),
    "must-revalidate": _Known(_prohibition, _most_prohibited),
    "proxy-revalidate": _Known(_prohibition, _most_prohibited),
    "must-understand": _Known(_flag, _all),
    "immutable": _Known(_with_any_argument, _all),
    "no-transform": _Known(_prohibition, _most_prohibited),
    "only-if-cached": _Known(_prohibition, _most_prohibited),
    "max-age": _Known(_seconds, _only),
    "s-maxage": _Known(_seconds, _only),
    "max-stale": _Known(_max_stale, _only),
    "min-fresh": _Known(_seconds, _most),
    "stale-while-revalidate": _Known(_seconds, _only),
    "stale-if-error": _Known(_seconds, _only),
}
_ATTRIBUTES = {name: name.replace("-", "_") for name in _KNOWN}
assert set(_ATTRIBUTES.values()) == set(Directives.__struct_fields__)  # noqa: S101 - the table is whole


def _arguments(text: str) -> Iterator[tuple[str, _Argument]]:
    """The known directives of a list, their names in lower case, with their arguments."""
    for member, closed in _members(text):
        match = _DIRECTIVE.fullmatch(member) if closed else None
        if match is None:
            # The meaning is unknown: each directive that is named in it counts as there, and malformed.
            for word in _KNOWN.keys() & set(_WORD.findall(member.lower())):
                yield word, _MALFORMED
            continue
        name, bare, quoted = match.groups()
        name = name.lower()
        if name in _KNOWN:
            argument = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
            yield name, _Argument(argument, well_formed=True)


def _members(text: str) -> Iterator[tuple[str, bool]]:
    """The members of a list, and whether their quotes are closed."""
    start = 0
    while start <= len(text):
        end = next(_MEMBER.finditer(text, start)).end()
        if text[end : end + 1] == '"':
            # A quote that is never closed must not hide what follows it.
            yield from ((part, False) for part in text[start:].split(","))
            return
        yield text[start:end], True
        start = end + 1


def _directives(arguments: Iterable[tuple[str, _Argument]]) -> Directives:
    found: dict[str, list[object]] = {}
    for name, argument in arguments:
        known = _KNOWN.get(name)
        if known is not None:
            found.setdefault(name, []).append(known.read(argument))
    if not found:
        return NO_DIRECTIVES
    values = {
        _ATTRIBUTES[name]: each[0] if len(each) == 1 else _KNOWN[name].combine(each) for name, each in found.items()
    }
    return Directives(**values)  # type: ignore[arg-type]


def _parse(text: str) -> Directives:
    return _directives(_arguments(text))


_remembered = lru_cache(maxsize=1024)(_parse)
_lately = lru_cache(maxsize=4)(_parse)
"""Longer ones: the same is asked more than once while one response is judged."""


def parse_cache_control(lines: Sequence[str]) -> Directives:
    """The directives of all Cache-Control lines of a message together (RFC 9111 §5.2); unknown ones are ignored.

    Of more than is read (``lists.py``) it is :data:`STRICTEST`.
    """
    if not lines:
        return NO_DIRECTIVES
    if len(lines) == 1 and 0 < len(lines[0]) <= _MEMOISED:
        return _remembered(lines[0])  # nearly all that there are
    text = combined(lines)
    if not text:
        return NO_DIRECTIVES if text is not None else STRICTEST
    return _remembered(text) if len(text) <= _MEMOISED else _lately(text)


def parse_targeted(lines: Sequence[str]) -> Directives | None:
    """The directives of a targeted field, which is a structured dictionary (RFC 9213 §2.1).

    None where there is no such field, and where it is empty or cannot be parsed, since it "MUST be ignored" then;
    :data:`STRICTEST` where it is longer than is read.
    """
    if not lines:
        return None
    text = combined(lines)
    if text is None or len(text) > _MAX_TARGETED:
        return STRICTEST
    if not text.strip(" \t"):
        return None
    import http_sf

    try:
        parsed: object = http_sf.parse(text.encode("latin-1"), tltype="dictionary")
    except ValueError:
        return None
    members = cast(dict[str, tuple[object, object]], parsed)
    return _directives((name, _targeted(name, value)) for name, (value, _) in members.items())


def _targeted(name: str, value: object) -> _Argument:
    """A structured value as an argument; one of a type that the directive does not take is malformed."""
    if value is True:
        return _Argument(None, well_formed=True)
    if _KNOWN.get(name, _KNOWN["no-store"]).read in (_seconds, _max_stale):
        return _Argument(str(value), well_formed=isinstance(value, int))
    return _Argument(value, well_formed=True) if isinstance(value, str) else _MALFORMED
