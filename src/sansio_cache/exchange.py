"""One request and its answer, in the order of RFC 9111 §4: look, choose, claim, fetch, judge, keep.

The world is asked by yielding actions; what it cannot do comes back as a value, so every branch is here to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import msgspec
from msgspec.structs import replace

from .actions import (
    Alone,
    Claim,
    Discard,
    Drop,
    Fetch,
    Freshen,
    Granted,
    Landed,
    Later,
    Load,
    LoadBody,
    Loaded,
    Steps,
    Supersede,
    ask,
)
from .bodies import OpenedBody, open_body
from .cache_status import Fwd
from .decisions import (
    Again,
    Answer,
    Bypass,
    Choice,
    Fail,
    Forward,
    Freshened,
    FromStore,
    Keep,
    LookUp,
    Pass,
    Refuse,
    Reuse,
    ReuseStale,
    Validate,
)
from .errors import CacheError
from .keys import Keys
from .messages import Received, Request, Unreachable
from .records import Flaw, Record
from .rules import Rules

__all__ = ["exchange"]

_ROUNDS: Final = 2
"""How often we wait for another's fetch before we fetch for ourselves."""

_FROM_STORE: Final = (Reuse, ReuseStale)

Settled = Keep | Freshened | Pass | Fail
"""A verdict that is final."""


def exchange(request: Request, rules: Rules, now: float, *, background: bool = False) -> Steps[Answer]:
    """The answer to a request, complete but for its body.

    :param now: the time of the start, POSIX seconds.
    :param background: a validation in the background: it never raises BadSignature.
    :raises BadSignature: see ``docs/topics/security.md``.
    :raises NotCached: ``offline``, and nothing stored answers.
    :raises Exception: whatever kept the network from answering, where nothing stored may stand in.
    """
    plan = rules.plan(request)
    if isinstance(plan, Refuse):
        return _refused(plan)
    if isinstance(plan, Bypass):
        return (yield from _bypass(request, rules, plan))
    seen = _NO_FLAWS
    choice: Validate | Forward = Forward(request, None, Fwd.REQUEST, "force-refresh")
    if rules.policy.offline or not request.options.force_refresh:
        found, seen = yield from _look(request, rules, plan, now, background=background)
        if isinstance(found, Answer):
            return replace(found, flaws=seen.flaws) if seen.flaws else found
        choice = found
    verdict, lost = yield from _fetch(request, rules, plan.keys, choice, seen.older, background=background)
    flaws = seen.flaws
    if lost:
        _complain(request, rules, plan.keys, lost, background=background)
        flaws = [*flaws, *lost]
    answer = yield from _settle(verdict, rules, plan.keys)
    return replace(answer, flaws=flaws) if flaws else answer


class _Seen(msgspec.Struct, frozen=True):
    """The result of a look into the store.

    :ivar older: records that an answer of the origin may be about; None before the first look.
    """

    flaws: Sequence[Flaw] = ()
    older: Sequence[Record] | None = None


_NO_FLAWS: Final = _Seen()


def _look(
    request: Request, rules: Rules, plan: LookUp, now: float, *, background: bool
) -> Steps[tuple[Answer | Validate | Forward, _Seen]]:
    """The stored answer, or the leave to fetch: our own, after waiting for others at most _ROUNDS times."""
    keys, others = plan.keys, plan.others
    waited_since: float | None = None
    rounds = 0 if rules.policy.read_only else _ROUNDS
    lost: list[Flaw] = []
    own = _own(request) if background else request
    while True:
        # Yielded as it is, as Claim and Fetch are: to delegate to ask() takes two steps more, and all hits pass here.
        loaded: Loaded = yield Load(keys)
        records, flaws = rules.open(loaded.records, keys)
        matching = rules.matching(request, records) if records else records
        choice = rules.choose(own, matching, loaded.now, waited_since)
        # Nearly all bodies of hits lie beside their heads.
        if isinstance(choice, _FROM_STORE) and not choice.answer.at_hand:
            choice = yield from _opened(choice, own, rules, matching, loaded.now, waited_since, lost)
        flaws = [*flaws, *lost] if lost else flaws
        if isinstance(choice, Reuse):
            return choice.answer, _Seen(flaws) if flaws else _NO_FLAWS
        if isinstance(choice, ReuseStale):
            # A reader could not keep what it brings.
            if not rules.policy.read_only:
                # Else the one in the background would find the same stale response good enough.
                options = replace(request.options, refresh=True)
                yield from ask(Later(replace(request, options=options), keys))
            return choice.answer, _Seen(flaws) if flaws else _NO_FLAWS
        if flaws and not isinstance(choice, Validate):
            _complain(request, rules, keys, flaws, background=background)
        if isinstance(choice, Refuse):
            if not others:
                return _refused(choice), _Seen(flaws)
            keys, others = others[0], others[1:]
            continue
        if choice.fwd is Fwd.MISS:
            choice = replace(choice, fwd=Fwd.VARY_MISS if records else Fwd.URI_MISS)
        seen = _Seen(flaws, rules.older(request, records) if records else ())
        if not rounds:
            return choice, seen
        rounds -= 1
        shown = [each.rev for each in loaded.records]
        claimed: Granted | Landed | Alone = yield Claim(keys, rules.policy.wait_for_leader, shown)
        if not isinstance(claimed, Landed):
            return choice, seen
        waited_since = now


def _opened(
    choice: Choice,
    own: Request,
    rules: Rules,
    matching: list[Record],
    now: float,
    waited_since: float | None,
    lost: list[Flaw],
) -> Steps[Choice]:
    """A choice once the body that it gives was found to be there; else the next one, without that record.

    :param own: the request as it would go out.
    :param lost: takes what was wrong with the bodies that were not.
    """
    while isinstance(choice, _FROM_STORE):
        answer = yield from _begun(choice.answer)
        if not isinstance(answer, Flaw):
            return replace(choice, answer=answer)
        lost.append(answer)
        # An older one was replaced by the one whose body is gone: it would do only where nothing else can be had.
        gone = choice.answer.record
        matching = [each for each in matching if each is not gone] if rules.policy.offline else []
        choice = rules.choose(own, matching, now, waited_since)
    return choice


def _begun(answer: Answer) -> Steps[Answer | Flaw]:
    """An answer from the store once its body was found to be there: its first chunk, read and verified.

    Else what is wrong with it: a head alone is worth nothing, so its record is discarded.
    """
    source = answer.body
    if not isinstance(source, FromStore) or answer.at_hand:
        return answer
    opened = yield from _open(source.record, source.start)
    return opened if isinstance(opened, Flaw) else replace(answer, body=replace(source, opened=opened))


def _open(record: Record, at: int) -> Steps[OpenedBody | Flaw]:
    """A record's body, the chunk with the byte ``at`` read and verified; else its record is discarded."""
    head = record.head
    index = at // head.chunk_size
    start = yield from ask(LoadBody(record, index))
    opened = Flaw.GONE if start is None else open_body(head, start.hashes, index, start.chunk)
    if isinstance(opened, Flaw):
        yield from ask(Discard(record))
    return opened


def _complain(request: Request, rules: Rules, keys: Keys, flaws: Sequence[Flaw], *, background: bool) -> None:
    error = None if background or not flaws else rules.complaint(request, keys, flaws)
    if error is not None:
        raise error


def _refused(choice: Refuse) -> Answer:
    if isinstance(choice.answer, CacheError):
        raise choice.answer
    return choice.answer


def _own(request: Request) -> Request:
    """A request as it goes out in the background, which is the cache's own.

    The user's preconditions and ranges are about the user's answer, and what is stored is the whole.
    """
    headers = request.headers.unconditional
    return request if headers is request.headers else replace(request, headers=headers)


def _fetch(
    request: Request,
    rules: Rules,
    keys: Keys,
    choice: Validate | Forward,
    older: Sequence[Record] | None,
    *,
    background: bool,
) -> Steps[tuple[Settled, Sequence[Flaw]]]:
    """The judged reply; asked a second time, without validators of ours, where the first confirmed nothing we have.

    The second is a Forward, and what it brings is never asked for again. With it, what was wrong with the body of a
    stored response that was to be the answer.
    """
    own = _own(request) if background else request
    lost: list[Flaw] = []
    reply: Received | Unreachable | None = None
    while True:
        if reply is None:
            reply = cast("Received | Unreachable", (yield Fetch(choice.request)))
        if older is None and isinstance(reply, Received):
            # Nothing stored was looked at, and yet the reply may be about it.
            older = yield from _older(request, rules, keys)
        verdict = rules.judge(own, choice, reply, keys, older or ())
        if isinstance(verdict, Again):
            if verdict.superseded:
                yield from ask(Supersede(keys, verdict.superseded))
            choice, reply = verdict.forward, None
            continue
        if isinstance(verdict, Keep):
            return verdict, lost
        opened = yield from _with_body(verdict)
        if not isinstance(opened, Flaw):
            return opened, lost
        # As if there had been none: what confirms it is worth nothing, and an error is one.
        lost.append(opened)
        choice = Forward(own, None, choice.fwd, "body-gone")
        if isinstance(reply, Received) and reply.status == 304:
            reply = None


def _with_body(verdict: Freshened | Pass | Fail) -> Steps[Settled | Flaw]:
    """A verdict once the stored body that it gives or confirms was found to be there; else what is wrong with that."""
    if isinstance(verdict, Fail) or verdict.answer.record is None:
        return verdict
    if isinstance(verdict.answer.body, FromStore):
        answer = yield from _begun(verdict.answer)
        return answer if isinstance(answer, Flaw) else replace(verdict, answer=answer)
    record = verdict.answer.record
    if (
        isinstance(verdict, Freshened)
        and verdict.item is not None
        and record.stored.body is None
        and record.head.length
    ):
        # The answer needs no body (HEAD, or the user's own precondition); a head without one is not worth to be kept.
        opened = yield from _open(record, 0)
        if isinstance(opened, Flaw):
            return replace(verdict, item=None)
    return verdict


def _older(request: Request, rules: Rules, keys: Keys) -> Steps[Sequence[Record]]:
    """The stored responses that an answer to the request may be about."""
    if rules.policy.read_only:
        return ()
    loaded = yield from ask(Load(keys))
    return rules.older(request, rules.open(loaded.records, keys)[0])


def _bypass(request: Request, rules: Rules, plan: Bypass) -> Steps[Answer]:
    reply = yield from ask(Fetch(request))
    older: Sequence[Record] = ()
    if plan.keys is not None and isinstance(reply, Received):
        older = yield from _older(request, rules, plan.keys)
    return (yield from _settle(rules.judge_bypass(request, reply, plan, older), rules, plan.keys))


def _settle(verdict: Settled, rules: Rules, keys: Keys | None) -> Steps[Answer]:
    """The answer of a verdict, after what it does to the store."""
    if isinstance(verdict, Fail):
        raise verdict.error
    if isinstance(verdict, Freshened):
        item, record = verdict.item, verdict.answer.record
        if item is not None and (yield from ask(Freshen(item, verdict.rev))) and record is not None and keys:
            rules.freshened(record, item, keys)
    else:
        for resource in verdict.invalidates:
            yield from ask(Drop(resource))
    # Of a response that is kept this is left to the one who takes in its body.
    if not isinstance(verdict, Keep) and verdict.superseded and keys is not None:
        yield from ask(Supersede(keys, verdict.superseded))
    return verdict.answer
