"""An origin that counts its connections, and answers that it confirms by their tag."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

from local_origin import Origin, Reply, Seen

__all__ = ["WatchedOrigin", "tagged"]


class WatchedOrigin(Origin):
    """An origin for tests of what is left behind.

    :ivar accepted: how many connections there have been.
    :ivar open: how many there are.
    """

    def __init__(self, **options: Any) -> None:
        self.accepted = 0
        self.open = 0
        self._changed = threading.Condition()
        super().__init__(**options)

    def _serve(self, sock: socket.socket, number: int) -> None:
        with self._changed:
            self.accepted += 1
            self.open += 1
        try:
            super()._serve(sock, number)
        finally:
            with self._changed:
                self.open -= 1
                self._changed.notify_all()

    def wait_for_none(self) -> None:
        """Until no connection is open; there was one."""
        with self._changed:
            assert self.accepted
            assert self._changed.wait_for(lambda: self.open == 0, 30), self.open

    def wait_for_no_more_than(self, count: int) -> None:
        """Until at most so many connections are open."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.open <= count, 30), (self.open, count)


def tagged(body: bytes, **more: str) -> Callable[[Seen], Reply]:
    """A response that is stale at once and that the origin confirms by its ETag; ``more`` are fields of both."""
    fields = {"Cache-Control": "max-age=0", "ETag": '"tag"'}
    fields |= {name.replace("_", "-").title(): value for name, value in more.items()}

    def answer(seen: Seen) -> Reply:
        if seen.get("if-none-match") == '"tag"':
            return Reply(status=304, fields=fields, framing="none")
        return Reply(body, fields=fields)

    return answer
