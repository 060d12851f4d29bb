"""Bodies of requests as part of the key, for methods that were opted in: which spellings are one request.

JSON is read by its value: members have no order (RFC 8259 §4), white space says nothing. Numbers stay as they are
spelled, since two that differ may read as one float. A multipart body is its parts: the boundary between them says
nothing (RFC 2046 §5.1.1). A body that does not read as its Content-Type promises stands for itself, byte for byte; so
does one of more parts than can be read in the time that a request may take.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Any, Final, cast
from urllib.parse import unquote_plus

from .lists import MAX_MEMBERS

__all__ = ["body_parts", "ignores"]

_LONGEST_TYPE: Final = 1024
"""Characters of a Content-Type that are looked at; nothing that is longer has a meaning for us."""
_LONGEST_PART_HEAD: Final = 1024
_LONGEST_JSON: Final = 262_144
"""Bytes of JSON that are read."""
_MOST_VALUES: Final = 8192
"""Commas in JSON that is read: each value is made an object of its own."""
_MOST_NAMED_PARTS: Final = 64
"""Parts of a multipart body that are looked at for names to leave out."""


def body_parts(body: bytes, content_type: str, ignored: frozenset[str], *, ordered: bool = True) -> tuple[bytes, ...]:
    """The parts that a body's key is made of: its form, then what it says. Equal only for bodies that say the same.

    :param ordered: whether form fields in another order are another body.
    :param ignored: names to leave out: of form fields, of the parts of a multipart body, and of JSON members, nested
        ones by their path with dots (``"variables.now"``; a list on the way counts for nothing).
    """
    if not body or len(content_type) > _LONGEST_TYPE:
        return b"raw", _utf8(content_type), body
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("application/json", "text/json") or kind.endswith("+json"):
        if len(body) > _LONGEST_JSON or body.count(b",") > _MOST_VALUES:
            return b"raw", _utf8(content_type), body
        return _json(body, content_type, ignored)
    if kind == "multipart/form-data":
        return _multipart(body, content_type, ignored)
    looked_at = bool(ignored) or not ordered
    if looked_at and kind == "application/x-www-form-urlencoded" and body.count(b"&") < MAX_MEMBERS:
        # The parts that are not left out keep their spelling: "a" and "a=" are two bodies.
        kept = [pair for pair in body.decode("latin-1").split("&") if not ignores(pair, ignored)]
        if not ordered:
            kept.sort()
        body = "&".join(kept).encode("latin-1")
    return b"raw", _utf8(content_type), body


def ignores(pair: str, ignored: frozenset[str]) -> bool:
    """Whether a name is to be left out, spelled as it is or encoded; ``pair`` is ``name=value`` or ``name``."""
    name = pair.partition("=")[0]
    return name in ignored or unquote_plus(name) in ignored


def _json(body: bytes, content_type: str, ignored: frozenset[str]) -> tuple[bytes, ...]:
    try:
        value = json.loads(
            body,
            object_pairs_hook=_members,
            parse_int=_number,
            parse_float=_number,
            parse_constant=_no_json,
        )
        if ignored:
            value = _without(value, "", ignored)
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return b"raw", _utf8(content_type), body
    return b"json", _utf8(content_type), text.encode()


# Members are marked by a dot, so that a number, which has its text as the only member "#", is like no object.
def _number(text: str) -> dict[str, str]:
    return {"#": text}


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = {f".{name}": value for name, value in pairs}
    if len(members) < len(pairs):
        raise ValueError("a name occurs twice: which of the values counts is up to the origin")
    return members


def _no_json(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _without(value: object, path: str, ignored: frozenset[str]) -> object:
    if isinstance(value, list):
        return [_without(each, path, ignored) for each in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, object]", value)
    # A member's mark is also the dot between it and what it lies in.
    return {
        name: _without(each, path + name, ignored)
        for name, each in members.items()
        if (path + name)[1:] not in ignored or name == "#"
    }


def _multipart(body: bytes, content_type: str, ignored: frozenset[str]) -> tuple[bytes, ...]:
    head = Message()
    head["Content-Type"] = content_type
    boundary = head.get_boundary()
    parts = list(_split(body, boundary.encode("latin-1", "replace"))) if boundary else []
    if not boundary or not parts or (ignored and len(parts) > _MOST_NAMED_PARTS):
        return b"raw", _utf8(content_type), body
    said = sorted(f"{name.lower()}={value}" for name, value in head.get_params([])[1:] if name.lower() != "boundary")
    kept = [part for part in parts if not (ignored and _part_name(part) in ignored)]
    return b"multipart", *map(_utf8, [str(len(said)), *said]), *kept


def _split(body: bytes, boundary: bytes) -> Iterable[bytes]:
    """The parts of a multipart body, heads and all; none where anything but parts and delimiters is in it."""
    first, between, last = b"--" + boundary + b"\r\n", b"\r\n--" + boundary + b"\r\n", b"\r\n--" + boundary + b"--"
    if not body.startswith(first) or body.count(between) >= MAX_MEMBERS:
        return ()
    inner = body[len(first) :].removesuffix(b"\r\n")
    if not inner.endswith(last):
        return ()
    parts = inner[: -len(last)].split(between)
    # A delimiter may also have white space after it, or end the message early: then who reads it decides.
    return () if any(b"\r\n--" + boundary in part or part.startswith(b"--" + boundary) for part in parts) else parts


def _part_name(part: bytes) -> str | None:
    head, blank, _ = part.partition(b"\r\n\r\n")
    if not blank or len(head) > _LONGEST_PART_HEAD:
        return None
    return next(_names(head), None)


def _names(head: bytes) -> Iterator[str]:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            message = Message()
            message["Content-Disposition"] = value.decode("utf-8", "replace").strip()
            found = message.get_param("name", header="Content-Disposition")
            if found is not None:
                yield collapse_rfc2231_value(found)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
