"""What the core does with a head, a URL or a body, measured: time in the thread's own clock, and memory (G31).

A busy machine takes the thread off its processor, which that clock does not count; what is left of other programs'
influence the best of several runs is free of. The collector rests: it would look through all that other tests left.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from core_rows import BODY, DATE, META, ask, got, record_of
from field_shapes import Head
from msgspec.structs import replace

from sansio_cache.cache_control import _lately as directives_lately
from sansio_cache.cache_status import Fwd
from sansio_cache.decisions import Bypass, Forward, Keep, Validate
from sansio_cache.messages import Headers, Received, Request
from sansio_cache.policy import Policy
from sansio_cache.records import chunk_hashes
from sansio_cache.rules import Rules
from sansio_cache.sealing import UNSIGNED
from sansio_cache.urls import redact
from sansio_cache.vary import _lately as fields_lately

__all__ = ["READINGS", "fastest", "for_key", "is_one_step", "peak", "step", "without_collector"]

STEP: Final = 0.02
GLOBS: Final = ("*.a*.b*.example.com", "a*a*a*a*a*.com", "example.com/*a*a*a*a*b", "*/*/*/*/x", "*?*?*:1", "http://*x")
_FRESH: Final = ("Cache-Control: max-age=60", 'ETag: "a"', "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT")
_PLAIN: Final = Rules(Policy(), META, UNSIGNED, frozenset({"br"}))
_SHARED: Final = Rules(Policy(shared=True), META, UNSIGNED)
_POSTING: Final = Rules(
    Policy(
        allowed_methods=["GET", "POST"],
        ignored_parameters=["k"],
        match_headers=True,
        urls_expire_after=dict.fromkeys(GLOBS, 60),
    ),
    META,
    UNSIGNED,
)
_RECORD: Final = record_of(DATE, *_FRESH)


def _reply(head: Head, status: int) -> Received:
    return replace(got(status=status), headers=Headers(head))


def _kept(rules: Rules, head: Head) -> None:
    """A response to what was not stored, taken in to its end."""
    keys = rules.maker.keys(ask())
    verdict = rules.judge(ask(), Forward(ask(), None, Fwd.MISS, ""), _reply(head, 200), keys)
    if isinstance(verdict, Keep) and verdict.answer.keeping is not None:
        verdict.answer.keeping.finish(BODY, b"", len(BODY), chunk_hashes(BODY))


def _judged(head: Head, status: int, method: str = "GET") -> None:
    """A reply to a validation."""
    request = ask(method=method)
    choice = Validate(request, _RECORD, [_RECORD], Fwd.STALE, "")
    _PLAIN.judge(request, choice, _reply(head, status), _PLAIN.maker.keys(request))


def _invalidating(head: Head) -> None:
    _PLAIN.judge_bypass(ask(method="POST"), _reply(head, 201), Bypass(Fwd.METHOD, "method"))


def _asked(rules: Rules, head: Head) -> None:
    """A request with these fields, and a stored response that answers it."""
    request = replace(ask(), headers=Headers(head))
    rules.plan(request)
    rules.choose(request, rules.matching(request, [_RECORD]), _RECORD.head.received_at + 5)
    rules.choose(request, rules.matching(request, [_RECORD]), _RECORD.head.received_at + 500)


READINGS: Final[dict[str, Callable[[Head], None]]] = {
    "an answer": lambda head: _kept(_PLAIN, head),
    "an answer that would be fresh": lambda head: _kept(_PLAIN, [("Cache-Control", "max-age=60"), *head]),
    "an answer to a shared cache": lambda head: _kept(_SHARED, [("Cache-Control", "max-age=60"), *head]),
    "a 304": lambda head: _judged(head, 304),
    "a 200 to HEAD": lambda head: _judged(head, 200, "HEAD"),
    "an answer to POST": _invalidating,
    "a request": lambda head: _asked(_PLAIN, head),
    "a request whose fields are all in the key": lambda head: _asked(_POSTING, head),
}
"""One step of a loop each: whatever is done between two waits for the network."""


def for_key(request: Request) -> None:
    """What a request costs before it is sent, and what it costs to show its URL."""
    for rules in (_PLAIN, _POSTING):
        rules.plan(request)
    redact(request.url)


def _forget() -> None:
    directives_lately.cache_clear()
    fields_lately.cache_clear()


def fastest(reading: Callable[[], None], rounds: int = 3) -> float:
    """Seconds of the thread that a reading takes, nothing of it being remembered; the best of so many rounds."""
    best = float("inf")
    with without_collector():
        for _ in range(rounds):
            _forget()
            began = time.thread_time()
            reading()
            best = min(best, time.thread_time() - began)
    return best


@contextmanager
def without_collector() -> Generator[None]:
    """To collect what all tests before have left takes longer than any step that is measured here."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def step() -> float:
    """Seconds of the thread that a step of a loop may take: 20 ms, more on a machine that is slower than most.

    Measured anew each time, beside what it is a bound of: a machine is not equally slow at all times.
    """
    return max(STEP, 5 * fastest(_work, 3))


def is_one_step(seconds: float) -> bool:
    """Whether a step of a loop may take so long. How slow the machine is, is measured only where that matters."""
    return seconds < STEP or seconds < step()


def _work() -> None:
    """What takes 4 ms on the machine that the limits were made on."""
    total = 0
    for number in range(100_000):
        total += number * number


def peak(reading: Callable[[], None]) -> int:
    """The bytes that a reading takes at its worst moment."""
    _forget()
    gc.collect()
    tracemalloc.start()
    try:
        reading()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
