"""Events: a session's decisions, and the counters and log lines made from them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Self

from sansio_cache.decisions import Answer
from sansio_cache.digests import NOT_INSTALLED
from sansio_cache.functions import plain_result
from sansio_cache.records import Flaw
from sansio_cache.urls import redact
from sansio_cache_adapters.stores.forking import renew_in_child

from .keywords import check_functions

__all__ = ["Event", "Events", "Reasons", "Stats", "logger"]

logger = logging.getLogger("sansio_cache")


class Event(NamedTuple):
    """One decision.

    :ivar kind: ``hit``, ``stale``, ``validated``, ``miss``, ``bypass``, ``stored``, ``not-stored``,
        ``bad-signature``, ``flaw``, ``store-trouble`` or ``background-error``.
    :ivar url: redacted; ``""`` where it concerns the store as a whole.
    :ivar reason: why, in this library's words.
    :ivar key: the partition key, hexadecimal, or ``""``.
    :ivar at: POSIX seconds.
    """

    kind: str
    method: str
    url: str
    status: int
    reason: str
    key: str
    at: float


class Reasons(int):
    """A count, and what it is the sum of: ``stats.not_stored["filtered"]``.

    :ivar by_reason: how many for each reason.
    """

    by_reason: Mapping[str, int]

    def __new__(cls, by_reason: Mapping[str, int]) -> Self:
        """The sum of some counts."""
        made = super().__new__(cls, sum(by_reason.values()))
        made.by_reason = dict(by_reason)
        return made

    def __getitem__(self, reason: str) -> int:
        return self.by_reason.get(reason, 0)

    def __repr__(self) -> str:
        return f"{int(self)} {dict(self.by_reason)}" if self else "0"


class Stats(NamedTuple):
    """Counters since the session began.

    :ivar hits: answered from the store, fresh.
    :ivar misses: fetched, since nothing stored answered.
    :ivar stale: answered from the store, stale.
    :ivar validated: answered from the store, once the origin had confirmed it.
    :ivar bypassed: sent on without the cache.
    :ivar collapsed: answered by what another request had fetched meanwhile; counted as hits or misses, too.
    :ivar stored: responses stored.
    :ivar not_stored: responses that came from the network and were not stored; ``not_stored["no-store"]`` are those of
        one reason.
    :ivar bad_signatures: records whose signature was wrong.
    :ivar flaws: records that could not be used for another reason.
    :ivar store_troubles: times that the store failed.
    :ivar background_errors: validations in the background that failed.
    :ivar bytes: of the bodies of ``hits`` and ``stale``.
    """

    hits: int = 0
    misses: int = 0
    stale: int = 0
    validated: int = 0
    bypassed: int = 0
    collapsed: int = 0
    stored: int = 0
    not_stored: Reasons = Reasons({})
    bad_signatures: int = 0
    flaws: int = 0
    store_troubles: int = 0
    background_errors: int = 0
    bytes: int = 0


_COUNTERS = {
    "hit": "hits",
    "stale": "stale",
    "validated": "validated",
    "miss": "misses",
    "bypass": "bypassed",
    "stored": "stored",
    "not-stored": "not_stored",
    "bad-signature": "bad_signatures",
    "flaw": "flaws",
    "store-trouble": "store_troubles",
    "background-error": "background_errors",
}


class Events:
    """Counts, logs and hands on the decisions of one session; safe for several threads."""

    def __init__(self, on_event: Callable[[Event], object] | None, clock: Callable[[], float]) -> None:
        check_functions(on_event, clock)
        self._on_event = on_event
        self._clock = clock
        self._lock = threading.RLock()
        renew_in_child(self, "_lock", threading.RLock)
        self._counts = dict.fromkeys(Stats._fields, 0)
        self._reasons: dict[str, int] = {}
        self._warned = False
        self._noted: deque[tuple[str, str, str, int, str, bytes]] = deque()

    def answered(self, method: str, url: str, answer: Answer) -> None:
        """Tell of an answer, and of the flaws met on the way to it."""
        kind = _kind_of(answer)
        status = answer.cache_status
        if self._noted:
            self._tell_noted()
        with self._lock:
            counts = self._counts
            counts[_COUNTERS[kind]] += 1
            if status.collapsed:
                counts["collapsed"] += 1
            if kind == "miss" and answer.keeping is None and not answer.from_cache:
                self._reasons[status.detail] = self._reasons.get(status.detail, 0) + 1
            if kind in ("hit", "stale") and answer.record is not None:
                counts["bytes"] += answer.record.head.length
        if answer.flaws:
            for flaw in answer.flaws:
                self.tell("flaw", method, url, answer.status, flaw.value, answer.key)
        if self._on_event is not None or logger.isEnabledFor(logging.DEBUG):
            self._hand_on(
                self._event(kind, method, url, answer.status, status.detail or str(status.fwd or ""), answer.key)
            )

    def tell(
        self, kind: str, method: str = "", url: str = "", status: int = 0, reason: str = "", key: bytes = b""
    ) -> None:
        """Tell of anything else."""
        if self._noted:
            self._tell_noted()
        if reason == Flaw.DIGEST.value:
            self.warn_of([Flaw.DIGEST])
        with self._lock:
            self._counts[_COUNTERS[kind]] += 1
            if kind == "not-stored":
                self._reasons[reason] = self._reasons.get(reason, 0) + 1
        if self._on_event is not None or logger.isEnabledFor(logging.DEBUG):
            self._hand_on(self._event(kind, method, url, status, reason, key))

    def warn_of(self, flaws: Collection[Flaw]) -> None:
        """Say once what to install, if that is what is wrong with stored responses."""
        # Else a program without the wheel would fetch all large bodies anew, without a reason in its log.
        if Flaw.DIGEST in flaws and not self._warned:
            self._warned = True
            logger.warning("stored bodies cannot be verified, and are as good as not there: %s", NOT_INSTALLED)

    def note(self, *what: Any) -> None:
        """Tell of something, as :meth:`tell` does, but later: for finalizers, which must take no lock."""
        self._noted.append(what)

    def _tell_noted(self) -> None:
        while self._noted:
            with suppress(IndexError):  # another thread was faster
                what = self._noted.popleft()
                self.tell(*what)

    def stats(self) -> Stats:
        """The counters so far."""
        self._tell_noted()
        with self._lock:
            counts: dict[str, Any] = {**self._counts, "not_stored": Reasons(self._reasons)}
            return Stats(**counts)

    def _event(self, kind: str, method: str, url: str, status: int, reason: str, key: bytes) -> Event:
        return Event(kind, method, redact(url) if url else "", status, reason, key.hex(), self._clock())

    def _hand_on(self, event: Event) -> None:
        logger.debug("%s %s %s: %s %s", event.kind, event.method, event.url, event.status, event.reason)
        if self._on_event is None:
            return
        try:
            plain_result(self._on_event(event), "on_event")
        except Exception:  # the listener's trouble must not become the request's
            logger.exception("on_event raised on %s", event.kind)


def _kind_of(answer: Answer) -> str:
    status = answer.cache_status
    if status.hit:
        return "stale" if status.ttl is not None and status.ttl <= 0.0 and not status.collapsed else "hit"
    if answer.revalidated:
        return "validated"
    return "miss" if answer.key else "bypass"
