"""Vary: which requests a stored response answers (RFC 9111 §4.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from .lists import combined
from .messages import Headers

__all__ = ["ANYTHING", "nominated", "nominated_value"]

ANYTHING = ("*",)
"""What a Vary nominates that names more than request fields: no request ever matches."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)
_MEMOISED = 256
"""Characters: longer fields are rare, and the memory for them is an origin's to fill."""


def nominated(headers: Headers) -> tuple[str, ...]:
    """The request fields that a response's Vary names, in lower case, each once, sorted; :data:`ANYTHING` for ``*``.

    A member that is no field name is read as ``*``: what it meant to separate is unknown. So is what is longer than is
    read (``lists.py``).
    """
    lines = headers.lines("vary")
    if not lines:
        return ()
    text = combined(lines)
    if text is None:
        return ANYTHING
    return _remembered(text) if len(text) <= _MEMOISED else _lately(text)


def _members(text: str) -> tuple[str, ...]:
    members = {member for each in text.split(",") if (member := each.strip(" \t").lower())}
    if any(member == "*" or not _TOKEN.fullmatch(member) for member in members):
        return ANYTHING
    return tuple(sorted(members))


_remembered = lru_cache(maxsize=512)(_members)
_lately = lru_cache(maxsize=4)(_members)
"""Longer ones: the same is asked more than once while one response is judged."""


def nominated_value(name: str, headers: Headers) -> bytes:
    """The value of a request field as it is compared: normalised as RFC 9111 §4.1 allows, or absent.

    Lines are combined and white space around commas removed, save where quoted strings may hold it. Accept-Encoding
    is a set of codings and weights; in Accept-Language case and white space mean nothing.
    """
    lines: Sequence[str] = headers.lines(name)
    if not lines:
        return b""
    text = ",".join(line.strip(" \t") for line in lines)
    if '"' not in text:
        members = [member.strip(" \t") for member in text.split(",")]
        if name in _INSENSITIVE:
            members = [member.lower().replace(" ", "").replace("\t", "") for member in members]
        if name == "accept-encoding":
            members = sorted(set(members) - {""})
        text = ",".join(members)
    return b"=" + text.encode("utf-8", "surrogatepass")


# Fields of names and weights, both without case (RFC 9110 §12.5.3 and §12.5.4). The order of languages is kept: origins
# take it for a preference.
_INSENSITIVE = frozenset({"accept-encoding", "accept-language"})
