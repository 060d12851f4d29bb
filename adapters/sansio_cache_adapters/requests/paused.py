"""What a look into the store has shown before a request is sent, for the adapter that the request comes to."""

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
        """What was begun, which can be gone on with once."""
        begun, self.begun = self.begun, None
        return begun


paused_request: Final[ContextVar[PausedRequest | None]] = ContextVar("sansio_cache_paused_request", default=None)
"""That of the request under way."""
