"""Answers made from a stored response (RFC 9111 §4, RFC 9110 §13–15)."""

from __future__ import annotations

import math
from typing import Final

from .cache_status import CacheStatus
from .decisions import Answer, FromStore, Given
from .freshness import current_age
from .messages import Headers, Request
from .ranges import Elsewhere, Part, Unsatisfiable, requested_part
from .records import Record
from .validation import Precondition, precondition

__all__ = ["answer_from", "gateway_timeout"]

_MAX_AGE: Final = 2_147_483_648
# RFC 9110 §15.4.5, and Last-Modified, which helps a client that has no ETag.
_IN_NOT_MODIFIED: Final = frozenset(
    {"cache-control", "content-location", "date", "etag", "expires", "last-modified", "vary"}
)
# They are about the content of the message, and a part is another content (RFC 9530 §2).
_OF_WHOLE_CONTENT: Final = frozenset({"content-digest", "content-md5"})


def answer_from(
    record: Record,
    request: Request,
    now: float,
    expires: float,
    status: CacheStatus,
    *,
    revalidated: bool = False,
) -> Answer | None:
    """The answer that a stored response gives to a request, or None where only the origin can give it.

    The user's own preconditions and a single range are evaluated; Age is that of this moment (RFC 9111 §4).
    """
    head = record.head
    age = current_age(head.facts, head.received_at, now)
    headers = Headers((*record.shown, ("Age", _delta(age))))

    def made(code: int, reason: str, fields: Headers, body: FromStore | Given) -> Answer:
        return Answer(code, reason, fields, body, status, record, revalidated, expires, head.partition)

    # Most requests carry neither, and this is the path of every hit.
    if request.headers.conditional:
        match precondition(request, record):
            case Precondition.ORIGIN:
                return None
            case Precondition.NOT_MODIFIED if head.status == 200:
                kept = Headers(item for item in headers if item[0].lower() in _IN_NOT_MODIFIED or item[0] == "Age")
                return made(304, "Not Modified", kept, Given(b""))
            case _:
                pass
        match requested_part(request, record):
            case Elsewhere():
                return None
            case Unsatisfiable():
                fields = Headers([("Content-Range", f"bytes */{head.length}"), ("Content-Length", "0")])
                return made(416, "Range Not Satisfiable", fields, Given(b""))
            case Part(start, stop):
                fields = headers.with_field("Content-Range", f"bytes {start}-{stop - 1}/{head.length}")
                fields = fields.with_field("Content-Length", str(stop - start)).without(_OF_WHOLE_CONTENT)
                return made(206, "Partial Content", fields, FromStore(record, start, stop))
            case _:
                pass
    body = Given(b"") if request.method == "HEAD" else FromStore(record, 0, head.length)
    return made(head.status, head.reason, headers, body)


def _delta(age: float) -> str:
    return str(_MAX_AGE if not math.isfinite(age) else min(int(age), _MAX_AGE))


def gateway_timeout(detail: str) -> Answer:
    """The 504 of a cache that may not ask the origin (RFC 9111 §5.2.1.7)."""
    fields = Headers([("Content-Length", "0")])
    return Answer(504, "Gateway Timeout", fields, Given(b""), CacheStatus(detail=detail))
