"""One request and its answer, in the order of RFC 9111 §4: look, choose, claim, fetch, judge, keep.

The world is asked by yielding actions; what it cannot do comes back as a value, so every branch is here to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from .actions import Claim, Drop, Fetch, Freshen, Landed, Later, Load, Steps, ask
from .cache_status import Fwd
from .decisions import (
    Again,
    Answer,
    Fail,
    Forward,
    Freshened,
    Keep,
    LookUp,
    Pass,
    PassBy,
    Refuse,
    Reuse,
    ReuseStale,
    Validate,
)
from .errors import CacheError
from .keys import Keys
from .messages import Request
from .records import Flaw
from .rules import Rules

__all__ = ["exchange"]

_ROUNDS: Final = 2
"""How often we wait for another's fetch before we fetch for ourselves."""

Settled = Keep | Freshened | Pass | Fail
"""A verdict that is final."""


def exchange(request: Request, rules: Rules, now: float, *, background: bool = False) -> Steps[Answer]:
    """The answer to a request, complete but for its body.

    :param now: the time of the start, POSIX seconds.
    :param background: a validation that nobody waits for: it never raises BadSignature.
    :raises BadSignature: see ``docs/topics/security.md``.
    :raises NotCached: ``offline``, and nothing stored answers.
    :raises Exception: whatever kept the network from answering, where nothing stored may stand in.
    """
    plan = rules.plan(request)
    if isinstance(plan, Refuse):
        return _refused(plan)
    if isinstance(plan, PassBy):
        return (yield from _pass_by(request, rules, plan))
    flaws: Sequence[Flaw] = ()
    choice: Validate | Forward = Forward(request, None, Fwd.REQUEST, "force-refresh")
    if rules.policy.offline or not request.options.force_refresh:
        found, flaws = yield from _look(request, rules, plan, now, background=background)
        if isinstance(found, Answer):
            return replace(found, flaws=flaws) if flaws else found
        choice = found
    verdict = yield from _fetch(request, rules, plan.keys, choice)
    answer = yield from _settle(verdict)
    return replace(answer, flaws=flaws) if flaws else answer


def _look(
    request: Request, rules: Rules, plan: LookUp, now: float, *, background: bool
) -> Steps[tuple[Answer | Validate | Forward, Sequence[Flaw]]]:
    """The stored answer, or the leave to fetch: our own, after waiting for others at most _ROUNDS times."""
    keys = plan.keys
    waited_since: float | None = None
    rounds = 0 if rules.policy.read_only else _ROUNDS
    while True:
        loaded = yield from ask(Load(keys))
        records, flaws = rules.open(loaded.records, keys)
        matching = rules.matching(request, records)
        choice = rules.choose(request, matching, loaded.now, waited_since)
        if isinstance(choice, Reuse):
            return choice.answer, flaws
        if isinstance(choice, ReuseStale):
            # A reader could not keep what it brings.
            if not rules.policy.read_only:
                # Else the one in the background would find the same stale response good enough.
                options = replace(request.options, refresh=True)
                yield from ask(Later(replace(request, options=options), keys))
            return choice.answer, flaws
        if not isinstance(choice, Validate):
            _complain(request, rules, keys, flaws, background=background)
        if isinstance(choice, Refuse):
            return _refused(choice), flaws
        if choice.fwd is Fwd.MISS:
            choice = replace(choice, fwd=Fwd.VARY_MISS if records else Fwd.URI_MISS)
        if not rounds:
            return choice, flaws
        rounds -= 1
        claimed = yield from ask(Claim(keys, rules.policy.wait_for_leader))
        if not isinstance(claimed, Landed):
            return choice, flaws
        waited_since = now


def _complain(request: Request, rules: Rules, keys: Keys, flaws: Sequence[Flaw], *, background: bool) -> None:
    error = None if background or not flaws else rules.complaint(request, keys, flaws)
    if error is not None:
        raise error


def _refused(choice: Refuse) -> Answer:
    if isinstance(choice.answer, CacheError):
        raise choice.answer
    return choice.answer


def _fetch(request: Request, rules: Rules, keys: Keys, choice: Validate | Forward) -> Steps[Settled]:
    """The judged reply; asked a second time, without validators of ours, where the first confirmed nothing we have.

    The second is a Forward, and what it brings is never asked for again.
    """
    while True:
        reply = yield from ask(Fetch(choice.request))
        verdict = rules.judge(request, choice, reply, keys)
        if not isinstance(verdict, Again):
            return verdict
        choice = verdict.forward


def _pass_by(request: Request, rules: Rules, plan: PassBy) -> Steps[Answer]:
    reply = yield from ask(Fetch(request))
    return (yield from _settle(rules.judge_passing(request, reply, plan)))


def _settle(verdict: Settled) -> Steps[Answer]:
    """The answer of a verdict, after what it does to the store."""
    if isinstance(verdict, Fail):
        raise verdict.error
    if isinstance(verdict, Freshened):
        if verdict.item is not None:
            yield from ask(Freshen(verdict.item, verdict.rev))
    else:
        for resource in verdict.spoils:
            yield from ask(Drop(resource))
    return verdict.answer
