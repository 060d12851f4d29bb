"""Decisions in a few words, so that a row of a test can say what it expects."""

from __future__ import annotations

from typing import Any

from core_rows import DATE, ask, record_of, rules_of

from sansio_cache.cache_status import Fwd
from sansio_cache.choosing import choose
from sansio_cache.decisions import (
    Again,
    Answer,
    Choice,
    Fail,
    Forward,
    Freshened,
    FromNetwork,
    Keep,
    Pass,
    Refuse,
    Reuse,
    ReuseStale,
    Validate,
    Verdict,
)
from sansio_cache.messages import Received, Request, Unreachable
from sansio_cache.policy import Policy
from sansio_cache.records import Record
from sansio_cache.rules import Rules
from sansio_cache.validation import conditional_request


def choice_said(choice: Choice) -> str:
    """A choice by its name, with why: ``"Validate stale no-cache"``."""
    match choice:
        case Reuse(answer) | ReuseStale(answer):
            return f"{type(choice).__name__} {answer.cache_status.detail}".strip()
        case Validate(fwd=fwd, reason=reason) | Forward(fwd=fwd, reason=reason):
            return f"{type(choice).__name__} {fwd} {reason}".strip()
        case Refuse(answer):
            return f"Refuse {answer.status if isinstance(answer, Answer) else type(answer).__name__}"


def chosen(
    lines: list[str],
    request: Request | None = None,
    settings: dict[str, Any] | None = None,
    *,
    now: float,
    waited_since: float | None = None,
) -> str:
    """What becomes of a request for which one response is stored, in a few words."""
    record = record_of(DATE, *lines)
    policy = Policy(**settings or {})
    return choice_said(choose(request or ask(), [record], now, policy, waited_since=waited_since))


def judged(
    reply: Received | Unreachable,
    record: Record | None = None,
    request: Request | None = None,
    rules: Rules | None = None,
    others: tuple[Record, ...] = (),
) -> Verdict:
    """What becomes of a reply to a request for which this record was stored, and stale."""
    request, rules = request or ask(), rules or rules_of()
    choice: Validate | Forward = Forward(request, record, Fwd.STALE, "stale")
    if record is not None:
        conditional = conditional_request(request, record)
        if conditional is not request:
            choice = Validate(conditional, record, [record, *others], Fwd.STALE, "stale")
    return rules.judge(request, choice, reply, rules.maker.keys(request))


def verdict_said(verdict: Verdict) -> str:
    """A verdict by its name, the answer's status and source, what is invalidated: ``"Pass 200 stored invalidates"``."""
    match verdict:
        case Fail(error):
            return f"Fail {type(error).__name__}"
        case Again(forward):
            return f"Again {forward.reason}"
        case Keep(answer, invalidates) | Pass(answer, invalidates):
            source = "network" if isinstance(answer.body, FromNetwork) else "stored"
            detail = answer.cache_status.detail
            return (
                f"{type(verdict).__name__} {answer.status} {source} {detail}{' invalidates' * len(invalidates)}".strip()
            )
        case Freshened(answer, item):
            source = "network" if isinstance(answer.body, FromNetwork) else "stored"
            return f"Freshened {answer.status} {source}{'' if item is None else ' written'}"
