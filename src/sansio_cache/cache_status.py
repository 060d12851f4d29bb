"""Cache-Status (RFC 9211): how the cache handled a request, and why."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from http_sf.types import ListType, ParamsType

__all__ = ["CacheStatus", "Fwd"]


class Fwd(StrEnum):
    """Why a request went to the origin (RFC 9211 §2.2)."""

    BYPASS = "bypass"
    METHOD = "method"
    URI_MISS = "uri-miss"
    VARY_MISS = "vary-miss"
    MISS = "miss"
    REQUEST = "request"
    STALE = "stale"
    PARTIAL = "partial"


class CacheStatus(msgspec.Struct, frozen=True):
    """One member of a Cache-Status field.

    :ivar hit: the origin was not asked.
    :ivar fwd: why it was asked.
    :ivar fwd_status: the status that it answered.
    :ivar ttl: seconds of freshness left, negative when stale; None where it does not apply.
    :ivar stored: the response is being stored.
    :ivar collapsed: another request's fetch served this one.
    :ivar detail: the reason, in this library's words.
    """

    hit: bool = False
    fwd: Fwd | None = None
    fwd_status: int | None = None
    ttl: float | None = None
    stored: bool = False
    collapsed: bool = False
    detail: str = ""

    def __str__(self) -> str:
        """The field's value, a structured field of one item."""
        import http_sf

        parameters: ParamsType = {}
        # A collapsed request is one that went forward together with another (RFC 9211 §2.6): no hit in these words.
        fwd = Fwd.MISS if self.collapsed and self.fwd is None else self.fwd
        if self.hit and fwd is None:
            parameters["hit"] = True
        if fwd is not None:
            parameters["fwd"] = http_sf.Token(str(fwd))
        if self.fwd_status is not None:
            parameters["fwd-status"] = self.fwd_status
        if self.ttl is not None and math.isfinite(self.ttl):
            parameters["ttl"] = math.floor(max(min(self.ttl, 1e14), -1e14))
        for name in ("stored", "collapsed"):
            if getattr(self, name):
                parameters[name] = True
        if self.detail:
            parameters["detail"] = self.detail
        members: ListType = [(http_sf.Token("sansio-cache"), parameters)]
        return http_sf.ser(members)
