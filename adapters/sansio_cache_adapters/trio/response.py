"""Responses of a cached session of trio: the client's own, with the attributes of the cache."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from sansio_cache.decisions import Answer
from sansio_cache_adapters.cache.response_attributes import AnswerAttributes, moment
from sansio_cache_adapters.cache.switches import DISABLED, bypassed
from sansio_cache_adapters.trio.http.content import OutgoingRequest
from sansio_cache_adapters.trio.http.response import Response

from .bodies import CachedHop

__all__ = ["CachedTrioResponse"]


class CachedTrioResponse(Response, AnswerAttributes):
    """A response with what the cache knows of it, worked out when it is looked at."""

    if TYPE_CHECKING:
        history: tuple[CachedTrioResponse, ...]  # pyright: ignore[reportIncompatibleVariableOverride]

    @cached_property
    def request(self) -> OutgoingRequest:
        """The request as it went out, of the last hop: a copy, since one that is remembered answers many times."""
        return replace(self._request, headers=list(self._request.headers))

    @property
    def _answer(self) -> Answer | None:
        return self._hop.answer if isinstance(self._hop, CachedHop) else None

    @property
    def created_at(self) -> datetime | None:
        """When the stored response was received; aware, UTC; None where nothing was stored."""
        return moment(self._hop.kept_at) if isinstance(self._hop, CachedHop) else None

    @property
    def expires(self) -> datetime | None:
        """When it becomes stale; None for never, and where it is not stored."""
        return moment(self._hop.expires) if isinstance(self._hop, CachedHop) else None

    @property
    def is_expired(self) -> bool:
        """Whether it has become stale by now."""
        expires = self._hop.expires if isinstance(self._hop, CachedHop) else None
        return isinstance(self._hop, CachedHop) and expires is not None and expires <= self._hop.clock()

    @property
    def cache_status(self) -> str:
        """How the cache handled the request, and why (RFC 9211)."""
        return self._hop.status_line if isinstance(self._hop, CachedHop) else bypassed(self.status, DISABLED)
