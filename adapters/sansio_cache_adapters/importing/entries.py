"""An entry of another cache: the exchange that it keeps, and the redirects that led there."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sansio_cache.expiry import Expiry, Resident, Until
from sansio_cache.messages import HTTP_1_1, Headers, Received, Request
from sansio_cache.records import MAX_FIELDS
from sansio_cache.urls import MAX_URL, split

from .report import Reason, Skipped

__all__ = ["ForeignEntry", "ForeignExchange", "damaged", "expiry_at", "fields_of", "moment", "undecoded"]

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)
_NO_VALUE: Final = re.compile(r"[\0\r\n]")
_OF_THE_CODING: Final = ("content-encoding", "content-length", "transfer-encoding")
_LATEST: Final = 253_402_300_800.0
"""The end of the year 9999, POSIX seconds."""
MOST_HOPS: Final = 50


@dataclass(frozen=True, slots=True)
class ForeignExchange:
    """A request and the response to it. Times are POSIX seconds.

    :ivar sent: the request's content; None where the other cache does not keep it.
    :ivar body: the response's content, as its Content-Encoding says.
    :ivar expiry: what the other cache says of its time; None: nothing.
    :ivar asker_known: whether the other cache keeps the fields by which a request says who asks.
    """

    method: str
    url: str
    asked: Headers
    sent: bytes | None
    status: int
    reason: str
    headers: Headers
    body: bytes
    requested_at: float
    received_at: float
    expiry: Expiry | None
    version: int = HTTP_1_1
    asker_known: bool = True

    def request(self) -> Request:
        """The request as the core has it.

        :raises Skipped: the request is not known.
        """
        parts = split(self.url)
        if parts.scheme.lower() not in ("http", "https") or not parts.host:
            raise Skipped(Reason.NOT_HTTP)
        if len(self.url) > MAX_URL:
            raise Skipped(Reason.TOO_LARGE)
        if self.sent is None:
            raise Skipped(Reason.BODY_UNKNOWN)
        return Request(self.method, self.url, self.asked, self.sent)

    def received(self) -> Received:
        """The response's head as the core has it."""
        return Received(self.status, self.reason, self.headers, self.requested_at, self.received_at, self.version)


class ForeignEntry(NamedTuple):
    """The content of one entry of another cache.

    :ivar last: the answer.
    :ivar hops: the redirects that led to it, the first one first.
    """

    last: ForeignExchange
    hops: tuple[ForeignExchange, ...] = ()


def damaged() -> Skipped:
    """The error for an entry that its cache cannot have written."""
    return Skipped(Reason.DAMAGED)


def fields_of(pairs: Iterable[tuple[object, object]]) -> Headers:
    """The fields of a message.

    :raises Skipped: one is no field of HTTP.
    """
    items: list[tuple[str, str]] = []
    for name, value in pairs:
        if not isinstance(name, str) or not isinstance(value, str) or not _TOKEN.fullmatch(name):
            raise damaged()
        if _NO_VALUE.search(value) or not _is_latin(value):
            raise damaged()
        items.append((name, value))
        if len(items) > MAX_FIELDS:
            raise Skipped(Reason.TOO_LARGE)
    return Headers(items)


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def undecoded(method: str, headers: Headers) -> Headers:
    """The fields of a response whose content codings were taken off, without those about them.

    Those of an answer to HEAD are about what GET would bring.
    """
    if method == "HEAD" or "content-encoding" not in headers:
        return headers
    return headers.without(_OF_THE_CODING)


def moment(value: object) -> float:
    """The POSIX time of a datetime or of an ISO text; one without a zone is UTC, as the other caches mean it.

    :raises Skipped: it is neither, or out of range.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise damaged() from None
    if not isinstance(value, datetime):
        raise damaged()
    try:
        seconds = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        raise damaged() from None
    return checked_time(seconds)


def checked_time(seconds: object) -> float:
    """POSIX seconds that a date could have.

    :raises Skipped: they are none.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < _LATEST:
        raise damaged()
    return float(seconds)


def expiry_at(value: object) -> Expiry:
    """The value of an ``expires``: a datetime, or None for never."""
    return Resident(math.inf) if value is None else Until(moment(value))
