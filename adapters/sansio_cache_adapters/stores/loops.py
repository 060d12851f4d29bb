"""Event loops of asyncio and ``fork``: a child that goes on with a loop of its parent's has its own epoll and wake-ups.

Both are inherited as they are: two processes that wait in one epoll are woken by each other's events, and
``call_soon_threadsafe`` of a thread wakes one of them, which may be the wrong one: then the other waits for ever.
"""

from __future__ import annotations

import asyncio
import os
import select
import selectors
import socket
from contextlib import suppress
from typing import Any, Final

from .forking import Living, follow_forks

__all__ = ["loops"]


class _Loops:
    """The loops that were used with a cache."""

    last = True
    """Comes after the connections were cut off: the new epoll must not watch those of the parent."""

    def __init__(self) -> None:
        self._known: Living[asyncio.AbstractEventLoop] = Living()
        follow_forks(self)

    def use(self) -> None:
        """Know the loop that runs now, if one of asyncio's does."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if loop not in self._known:
            self._known.add(loop)

    def begin_anew(self) -> None:
        """In the child of a fork, part the loops from the parent's."""
        for loop in self._known.all():
            if not loop.is_closed():
                _part(loop)


def _part(loop: Any) -> None:
    selector: Any = getattr(loop, "_selector", None)
    ends: list[Any] = [getattr(loop, name, None) for name in ("_ssock", "_csock")]
    watched: Any = getattr(selector, "_fd_to_key", None)
    if type(selector).__name__ != "EpollSelector" or None in ends or watched is None:
        return
    for mine, theirs in zip(socket.socketpair(), ends, strict=True):
        with mine:
            mine.setblocking(False)
            os.dup2(mine.fileno(), theirs.fileno(), inheritable=False)
    with select.epoll() as own:
        # Copied in one step: the collector may close meanwhile what is watched.
        for key in list(watched.values()):
            reads = select.EPOLLIN if key.events & selectors.EVENT_READ else 0
            writes = select.EPOLLOUT if key.events & selectors.EVENT_WRITE else 0
            with suppress(OSError):
                own.register(key.fd, reads | writes)
        # The number stays the same, which is all that the loop's own object knows of it.
        os.dup2(own.fileno(), selector.fileno(), inheritable=False)


loops: Final = _Loops()
