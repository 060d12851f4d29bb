"""Requests whose exchange began with a look into the store, before they are sent: the adapter goes on with them."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused
from sansio_cache.messages import Request

__all__ = ["PausedRequest", "paused_request"]


class PausedRequest:
    """A request that was looked for and goes on, with as much of its exchange as is done.

    :param asked: the request as the core sees it.
    :param begun: its exchange, paused, or its answer where that does not end it (a redirect); None if none was begun.
    :param adapter: the one that it is sent to.
    :ivar came: takes the requests that come to the adapters by another way than this.
    """

    __slots__ = ("adapter", "asked", "begun", "came")

    def __init__(self, asked: Request, begun: Answer | Paused[Answer] | None, adapter: object) -> None:
        self.asked = asked
        self.begun = begun
        self.adapter = adapter
        self.came: list[Request] | None = None

    def take(self) -> Answer | Paused[Answer] | None:
        """The exchange that began; it can be resumed once."""
        begun, self.begun = self.begun, None
        return begun


paused_request: Final[ContextVar[PausedRequest | None]] = ContextVar("sansio_cache_paused_request", default=None)
"""The one of the request under way."""
