"""Entries of aiohttp-client-cache 0.x: each is the note of an object (:class:`~.pickles.Made`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final, cast
from urllib.parse import urlunsplit

from sansio_cache.expiry import Expiry
from sansio_cache.messages import EMPTY, HTTP_1_1, Headers
from sansio_cache.storing import Storing
from sansio_cache.vary import nominated

from .entries import MOST_HOPS, ForeignEntry, ForeignExchange, damaged, expiry_at, fields_of, moment, undecoded
from .pickles import Made
from .report import Reason, Skipped

__all__ = ["entry_of", "is_entry"]

_RESPONSE: Final = "aiohttp_client_cache.response.CachedResponse"
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def is_entry(value: object) -> bool:
    """Whether a value is one of that cache's."""
    return isinstance(value, Made) and value.name == _RESPONSE


def entry_of(value: object) -> ForeignEntry:
    """The content of an entry.

    :raises Skipped: it is none of that cache's, or cannot be imported.
    """
    state = _state(value)
    expires = state.get("expires")
    expiry = expiry_at(None if expires is None else _moment(expires))
    hops: Any = state.get("history") or ()
    if not isinstance(hops, tuple | list):
        raise damaged()
    listed = cast("Sequence[object]", hops)
    if len(listed) > MOST_HOPS:
        raise Skipped(Reason.TOO_LARGE)
    return ForeignEntry(_exchange(state, expiry), tuple(_exchange(_state(hop), expiry) for hop in listed))


def _state(value: object) -> Mapping[str, Any]:
    if not is_entry(value):
        raise damaged()
    state = cast(Made, value).state
    if isinstance(state, tuple):
        # Of a class with slots: what is in a dict, and what in slots.
        parts = cast("tuple[object, ...]", state)
        state = parts[1] if len(parts) == 2 else None
    if not isinstance(state, dict):
        raise damaged()
    return cast("dict[str, Any]", state)


def _exchange(state: Mapping[str, Any], expiry: Expiry) -> ForeignExchange:
    method, status, body = state.get("method"), state.get("status"), state.get("_body")
    if not isinstance(method, str) or not isinstance(status, int) or not isinstance(body, bytes | None):
        raise damaged()
    method = method.upper()
    said = state.get("request_raw_headers")
    asked = EMPTY if said is None else _fields(said, "utf-8")
    headers = undecoded(method, _fields(state.get("raw_headers"), "latin-1"))
    if said is None and set(nominated(headers)) - {"accept-encoding"}:
        raise Skipped(Storing.VARY.value)
    received = moment(_moment(state.get("created_at")))
    return ForeignExchange(
        method=method,
        url=_url(state.get("url")),
        asked=asked,
        sent=b"" if method in _WITHOUT_BODY and _sends_nothing(asked) else _nothing(asked),
        status=status,
        reason=_reason(state.get("reason")),
        headers=headers,
        body=body or b"",
        requested_at=received,
        received_at=received,
        expiry=expiry,
        version=_version(state.get("version")),
        asker_known=said is not None,  # since 0.14
    )


def _sends_nothing(asked: Headers) -> bool:
    return "transfer-encoding" not in asked and (asked.get("content-length") or "0").strip() == "0"


def _nothing(asked: Headers) -> bytes | None:
    """The content of a request that says that it has none; that cache does not keep any other."""
    return b"" if (asked.get("content-length") or "").strip() == "0" else None


def _fields(value: object, charset: str) -> Headers:
    if not isinstance(value, tuple | list):
        raise damaged()
    pairs: list[tuple[object, object]] = []
    for pair in cast("tuple[object, ...]", value):
        match pair:
            case (bytes() as name, bytes() as said):
                pairs.append((_decoded(name, "latin-1"), _decoded(said, charset)))
            case _:
                raise damaged()
    return fields_of(pairs)


def _decoded(value: bytes, charset: str) -> str:
    """Field text as the core has it: bytes by latin-1. That cache encodes what was sent in UTF-8."""
    if charset == "latin-1":
        return value.decode("latin-1")
    try:
        text = value.decode(charset)
        text.encode("latin-1")
    except UnicodeError:
        return value.decode("latin-1")
    return text


def _url(value: object) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, Made) or value.name not in ("yarl.URL", "yarl._url.URL"):
        raise damaged()
    # Versions of yarl differ in how often the parts are wrapped.
    parts: object = value.state if value.state is not None else value.args
    for _ in range(3):
        if len(_row(parts)) == 1:
            (parts,) = _row(parts)
        if isinstance(parts, Made):
            parts = parts.args
    match _row(parts):
        case (str() as scheme, str() as host, str() as path, str() as query, str() as fragment):
            return urlunsplit((scheme, host, path, query, fragment))
        case _:
            raise damaged()


def _row(value: object) -> tuple[object, ...]:
    return cast("tuple[object, ...]", value) if isinstance(value, tuple) else ()


def _moment(value: object) -> datetime:
    """The datetime that a pickle notes."""
    if not isinstance(value, Made) or value.name != "datetime.datetime":
        raise damaged()
    match value.args:
        case (bytes() as packed,):
            zone = None
        case (bytes() as packed, Made(name="datetime.timezone", args=given)):
            zone = _zone(given)
        case _:
            raise damaged()
    if len(packed) != 10:
        raise damaged()
    year, (month, day, hour, minute, second) = int.from_bytes(packed[:2], "big"), packed[2:7]
    try:
        # The highest bit of the month says which of two times is meant when clocks are put back.
        made = datetime(year, month & 0x7F, day, hour, minute, second, int.from_bytes(packed[7:], "big"))  # noqa: DTZ001
    except ValueError:
        raise damaged() from None
    return made.replace(tzinfo=zone)


def _zone(args: tuple[object, ...]) -> timezone:
    match args:
        case (Made(name="datetime.timedelta", args=(int() as days, int() as seconds, int() as rest)), *_):
            try:
                return timezone(timedelta(days, seconds, rest))
            except (ValueError, OverflowError):
                raise damaged() from None
        case _:
            raise damaged()


def _reason(value: object) -> str:
    if not isinstance(value, str | None) or len(value or "") > 512 or not (value or "").isprintable():
        raise damaged()
    return value or ""


def _version(value: object) -> int:
    match value:
        case Made(name="aiohttp.http_writer.HttpVersion", args=(int() as major, int() as minor)):
            version = major * 10 + minor
            return version if 0 <= version <= 99 else HTTP_1_1
        case _:
            return HTTP_1_1
