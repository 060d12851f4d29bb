"""Vary: which requests a stored response answers (RFC 9111 §4.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from .messages import Headers

__all__ = ["ANYTHING", "nominated", "nominated_value"]

ANYTHING = ("*",)
"""What a Vary nominates that names more than request fields: no request ever matches."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)


def nominated(headers: Headers) -> tuple[str, ...]:
    """The request fields that a response's Vary names, in lower case, each once, sorted; :data:`ANYTHING` for ``*``.

    A member that is no field name is read as ``*``: what it meant to separate is unknown.
    """
    lines = headers.lines("vary")
    return _members(",".join(lines)) if lines else ()


@lru_cache(maxsize=512)
def _members(text: str) -> tuple[str, ...]:
    members = {member for each in text.split(",") if (member := each.strip(" \t").lower())}
    if any(member == "*" or not _TOKEN.fullmatch(member) for member in members):
        return ANYTHING
    return tuple(sorted(members))


def nominated_value(name: str, headers: Headers) -> bytes:
    """What of a request field is compared: absence, or its value normalised as RFC 9111 §4.1 allows.

    Lines are combined and white space around commas removed. Accept-Encoding is a set of codings and weights.
    """
    lines: Sequence[str] = headers.lines(name)
    if not lines:
        return b""
    members = [member.strip(" \t") for member in ",".join(lines).split(",")]
    if name == "accept-encoding":
        members = sorted({member.lower().replace(" ", "").replace("\t", "") for member in members} - {""})
    return b"=" + ",".join(members).encode("latin-1", "backslashreplace")
