"""Claims that a process gives back behind what it has queued, and may want again before their turn has come."""

from __future__ import annotations

import itertools
import threading
from typing import NamedTuple

__all__ = ["ReturnedClaim", "ReturnedClaims"]


class ReturnedClaim(NamedTuple):
    """A claim on its way back: the token under which the store knows it, and which of its partition's it is."""

    token: bytes
    number: int


class ReturnedClaims:
    """The claims of one store that are on their way back.

    The process sees what it has queued, so it need not wait for its own claim to be free: the next one takes it over,
    and the store goes on to know it by the token of the first.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._numbers = itertools.count()
        self._leaving: dict[bytes, ReturnedClaim] = {}
        self._known: dict[bytes, bytes] = {}

    def token(self, partition: bytes, token: bytes) -> bytes:
        """The token under which the store is to be asked for a claim."""
        with self._lock:
            leaving = self._leaving.pop(partition, None)
            if leaving is not None:
                self._known[token] = leaving.token
            return self._known.get(token, token)

    def forget(self, token: bytes) -> bytes:
        """The token under which the store knows a claim that is ours no longer."""
        with self._lock:
            return self._known.pop(token, token)

    def leave(self, partition: bytes, token: bytes) -> ReturnedClaim:
        """Note that a claim is on its way back."""
        with self._lock:
            returned = self._leaving[partition] = ReturnedClaim(self._known.pop(token, token), next(self._numbers))
            return returned

    def leaves(self, partition: bytes, returned: ReturnedClaim) -> bool:
        """Whether the claim is given back now: its turn has come, and no other request has taken it over."""
        with self._lock:
            if self._leaving.get(partition) != returned:
                return False
            del self._leaving[partition]
            return True
