"""Responses of a cached session of trio: the client's own, with the attributes of the cache."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from sansio_cache_adapters.cache.response_attributes import AnswerAttributes, AnswerState
from sansio_cache_adapters.cache.switches import DISABLED
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

    _why_bypassed = DISABLED

    @property
    def _state(self) -> AnswerState | None:
        return self._hop if isinstance(self._hop, CachedHop) else None
