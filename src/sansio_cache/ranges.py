"""Range requests (RFC 9110 §14), answered from a complete stored response."""

from __future__ import annotations

import re
from typing import NamedTuple

from .dates import parse_date
from .messages import Headers, Request
from .records import Record

__all__ = ["Part", "Unsatisfiable", "Whole", "Elsewhere", "requested_part"]

# int-range = first-pos "-" [ last-pos ];  suffix-range = "-" suffix-length
_RANGE = re.compile(r"(?:([0-9]+)-([0-9]*)|-([0-9]+))", re.ASCII)


class Part(NamedTuple):
    """Bytes ``start`` to ``stop`` (excluded) of a body: 206."""

    start: int
    stop: int


class Whole(NamedTuple):
    """No range is asked for, or the precondition on it does not hold: the full response."""


class Unsatisfiable(NamedTuple):
    """No byte of the body is in the range: 416."""


class Elsewhere(NamedTuple):
    """More than a cache needs to answer (several ranges, another unit): the origin's."""


def requested_part(request: Request, record: Record) -> Part | Whole | Unsatisfiable | Elsewhere:
    """The part of a stored response that a request asks for (RFC 9110 §14.2, §13.1.5)."""
    field = request.headers.get("range")
    # "A server MUST ignore a Range header field received with a request method that is unrecognized" or not GET.
    if field is None or request.method != "GET" or record.head.status != 200:
        return Whole()
    if not _if_range_holds(request.headers, record):
        return Whole()
    unit, equals, spec = field.partition("=")
    if not equals or unit.strip().lower() != "bytes" or "," in spec:
        return Elsewhere()
    match = _RANGE.fullmatch(spec.strip(" \t"))
    if match is None:
        return Elsewhere()
    return _part(match, record.head.length)


def _part(match: re.Match[str], length: int) -> Part | Unsatisfiable | Elsewhere:
    first, last, suffix = match.groups()
    if suffix is not None:
        digits = suffix.lstrip("0")
        wanted = length if len(digits) > 18 else int(digits or 0)
        return Part(max(0, length - wanted), length) if wanted and length else Unsatisfiable()
    if len(first) > 18 or len(last) > 18:
        return Elsewhere()
    start = int(first)
    if last and int(last) < start:
        return Elsewhere()  # invalid: the recipient of it decides
    if start >= length:
        return Unsatisfiable()
    return Part(start, min(int(last) + 1, length) if last else length)


def _if_range_holds(headers: Headers, record: Record) -> bool:
    condition = headers.get("if-range")
    if condition is None:
        return True
    condition = condition.strip()
    if condition.startswith(('"', "W/")):
        # "the strong comparison function" (RFC 9110 §13.1.5): a weak tag never matches.
        return not condition.startswith("W/") and condition == record.headers.get("etag")
    facts = record.head.facts
    at = parse_date(condition)
    # A date is a strong validator only if the origin's clock had moved on by then (RFC 9110 §8.8.2.2).
    strong = facts.last_modified is not None and facts.date - facts.last_modified >= 1.0
    return at is not None and strong and at == facts.last_modified
