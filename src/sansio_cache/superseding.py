"""Stored responses that the origin's newest answer supersedes, whether that answer is stored or not.

RFC 9111 §4.3.3: a full response to a validation says that none of the stored responses is suitable. So it is with any
answer of the origin to a request that a stored response would have answered: what it has replaced or withdrawn is not
used again, neither while it would be fresh nor in the place of an error. An error of the server says nothing of what is
stored, and a lost connection neither.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from .keeping import Superseded
from .messages import Received, Request
from .records import Record, variant_of
from .validation import head_confirms, names_another

__all__ = ["Newest", "superseded"]

_ABOUT_THE_REQUEST: Final = frozenset({407, 408, 417, 421, 425, 428, 429, 431})
"""Refusals of this request, or of its sender for now: the stored response is what it was."""
_CONDITIONAL: Final = frozenset({206, 304, 412, 416})
"""Answers to a precondition or a range: about the stored response only where they name another."""
_NO_SUCH_METHOD: Final = frozenset({405, 501})
_TOTAL: Final = re.compile(r"bytes (?:\*|[0-9]+-[0-9]+)/([0-9]{1,18})", re.ASCII)


class Newest(msgspec.Struct, frozen=True):
    """An answer of the origin's.

    :ivar forbids: the answer forbids to store what it is about.
    """

    request: Request
    reply: Received
    forbids: bool = False


def superseded(newest: Newest, older: Sequence[Record]) -> tuple[Superseded, ...]:
    """The stored responses that the answer has replaced or withdrawn.

    :param older: all that the answer may be about: of this partition, and of the request's variant.
    """
    return tuple(
        Superseded(variant_of(record.head.method, record.head.vary), record.stored.rev, _is_certain(newest, record))
        for record in older
        if _is_superseded(newest, record)
    )


def _is_superseded(newest: Newest, record: Record) -> bool:
    request, reply, head = newest.request, newest.reply, record.head
    if reply.requested_at < head.requested_at <= reply.received_at:
        # It was fetched while we waited for an older answer.
        return False
    if reply.status >= 500:
        return head.status >= 500
    if reply.status in _ABOUT_THE_REQUEST or (request.method == "HEAD" and reply.status in _NO_SUCH_METHOD):
        return False
    if newest.forbids:
        return True
    if reply.status in _CONDITIONAL or (request.method == "HEAD" and head.method == "GET"):
        return _is_certain(newest, record)
    return True


def _is_certain(newest: Newest, record: Record) -> bool:
    """Whether the head of the answer says that the stored response is another, even if its content never comes."""
    request, reply, head = newest.request, newest.reply, record.head
    if reply.status in _CONDITIONAL:
        return names_another(reply, record) or _has_another_length(reply, record)
    if reply.status != head.status or names_another(reply, record) or newest.forbids:
        return True
    return request.method == "HEAD" and head.method == "GET" and not head_confirms(reply, record)


def _has_another_length(reply: Received, record: Record) -> bool:
    total = _TOTAL.fullmatch((reply.headers.get("content-range") or "").strip())
    return total is not None and record.head.status == 200 and int(total[1]) != record.head.length
