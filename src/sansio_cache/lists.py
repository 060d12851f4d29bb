"""Lists in fields (RFC 9110 §5.6.1): their lines as one text, and never more of it than is worth reading.

An origin may send megabytes of header fields, and a client lets most of them through. No honest field has a list
of a thousand members: anyone who reads one takes the strict case, which is to store nothing and to reuse nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["MAX_LENGTH", "MAX_MEMBERS", "combined", "members"]

MAX_LENGTH: Final = 65_536
"""Characters of a list that are read, all its lines together."""
MAX_MEMBERS: Final = 1_000
"""Members of a list that are read."""


def combined(lines: Sequence[str]) -> str | None:
    """The lines of a list field as one text (RFC 9110 §5.3), or None where that is longer than is read.

    A comma within a quoted string counts, too: in the fields that matter a quoted string is a list of its own.
    """
    if not lines:
        return ""
    if len(lines) == 1:
        # Nearly all that there are; a miss asks for a dozen.
        text = lines[0]
        if len(text) > MAX_LENGTH:
            return None
    elif len(lines) > MAX_MEMBERS or sum(map(len, lines)) > MAX_LENGTH:
        return None
    else:
        text = ",".join(lines)
    return text if text.count(",") < MAX_MEMBERS else None


def members(lines: Sequence[str]) -> list[str] | None:
    """The members of a list without quoted strings, in lower case, or None where there are more than are read."""
    text = combined(lines)
    return None if text is None else [member.strip(" \t").lower() for member in text.split(",")]
