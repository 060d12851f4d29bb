"""``judge``: what becomes of the origin's reply (RFC 9111 §3, §4.3.3–4.4), as one named decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from .answering import answer_from
from .cache_status import CacheStatus, Fwd
from .choosing import prohibits_stale, request_directives
from .decisions import Again, Answer, Fail, Forward, Freshened, FromNetwork, Keep, Pass, Validate, Verdict
from .freshness import expires_at, expiry_time, read_facts, remaining
from .invalidation import invalidated_urls
from .keeping import Keeping, item_of
from .keys import Keys
from .messages import EMPTY, Headers, Received, Request, Unreachable
from .records import Record
from .storing import Storing, all_read, dated_headers, may_store, storable_headers
from .validation import asks_for_others, freshened_headers, has_preconditions, head_confirms, selected_by
from .vary import nominated

if TYPE_CHECKING:
    from .rules import Rules

__all__ = ["judge", "judge_passing"]

_ERRORS: Final = frozenset({500, 502, 503, 504})
"""What RFC 5861 §4 calls an error."""


def judge(
    request: Request, choice: Validate | Forward, reply: Received | Unreachable, keys: Keys, rules: Rules
) -> Verdict:
    """What becomes of the reply to a choice.

    :param request: the user's, without the validators that were added.
    """
    asked = choice.record
    if isinstance(reply, Unreachable):
        return _on_error(request, choice, reply.at, rules) or Fail(reply.error)
    if reply.status in _ERRORS and asked is not None:
        stale = _on_error(request, choice, reply.received_at, rules)
        if stale is not None:
            return stale
    if reply.status == 304:
        return _not_modified(request, choice, reply, rules)
    if request.method == "HEAD" and reply.status == 200:
        confirmed = _confirmed_by_head(request, choice, reply, keys, rules)
        if confirmed is not None:
            return confirmed
    if asked is not None and asked.head.status < 500 <= reply.status:
        # The stored response is no worse than before; an error must not take its place (RFC 9111 §4.3.3).
        return Pass(_network_answer(reply, choice.fwd, keys.partition, choice.reason))
    return _keep_or_pass(request, reply, keys, rules, choice.fwd, choice.reason)


def judge_passing(request: Request, reply: Received | Unreachable, fwd: Fwd, reason: str, rules: Rules) -> Pass | Fail:
    """What becomes of the reply to a request that passed the cache by: it may spoil (RFC 9111 §4.4)."""
    if isinstance(reply, Unreachable):
        return Fail(reply.error)
    return Pass(_network_answer(reply, fwd, b"", reason), _spoils(request, reply, rules))


def _spoils(request: Request, reply: Received, rules: Rules) -> Sequence[bytes]:
    # A method that the user opted in is a query that happens to be spelled as an unsafe method.
    if rules.policy.read_only or request.method in rules.policy.methods:
        return ()
    return [rules.maker.resource(replace(request, url=url)) for url in invalidated_urls(request, reply)]


def _network_answer(reply: Received, fwd: Fwd, key: bytes, detail: str, *, stored: bool = False) -> Answer:
    status = CacheStatus(fwd=fwd, fwd_status=reply.status, stored=stored, detail=detail)
    return Answer(reply.status, reply.reason, reply.headers, FromNetwork(), status, key=key)


def _on_error(request: Request, choice: Validate | Forward, now: float, rules: Rules) -> Pass | None:
    """A stale stored response in the place of an error (RFC 5861 §4), where it is allowed."""
    record, policy = choice.record, rules.policy
    if record is None:
        return None
    expiry = policy.expiry_for(request)
    if prohibits_stale(record, policy, expiry):
        return None
    head = record.head
    ttl = remaining(head.facts, head.status, head.received_at, now, policy, expiry)
    asked = request_directives(request).stale_if_error or 0.0
    grace = max(policy.error_grace, head.facts.word(policy).if_error, asked)
    if grace <= 0.0 or -ttl > grace:
        return None
    status = CacheStatus(hit=True, ttl=ttl, detail="stale-if-error")
    answer = answer_from(record, request, now, expiry_time(now, ttl), status)
    return None if answer is None else Pass(answer)


def _not_modified(request: Request, choice: Validate | Forward, reply: Received, rules: Rules) -> Verdict:
    if not isinstance(choice, Validate):
        # The user's own precondition, or an origin that answers what nobody asked: as without the cache.
        return Pass(_network_answer(reply, choice.fwd, b"", choice.reason))
    told = "etag" in reply.headers or "last-modified" in reply.headers
    if not told and asks_for_others(request, choice.record):
        # Their tags went out with ours, and nobody knows which of them the origin means.
        return Again(Forward(request, choice.record, choice.fwd, "validator-unknown"))
    record = selected_by(reply, choice.records, choice.record)
    if record is None:
        if has_preconditions(request):
            return Pass(_network_answer(reply, choice.fwd, b"", "validator-of-the-user"))
        return Again(Forward(request, None, choice.fwd, "validator-mismatch"))
    return _freshened(request, record, reply, choice.fwd, choice.reason, rules)


def _freshened(
    request: Request, record: Record, reply: Received, fwd: Fwd, reason: str, rules: Rules
) -> Freshened | Pass | Again:
    policy = rules.policy
    # Date and Age are those of the update: else this response's age would be counted from the old one.
    fields = freshened_headers(record.headers, dated_headers(reply.headers, reply.received_at))
    current = replace(reply, status=record.head.status, reason=record.head.reason, headers=fields)
    facts = read_facts(current, authorized="authorization" in request.headers)
    stored = storable_headers(fields, policy)
    head = replace(
        record.head,
        headers=stored.items,
        facts=facts,
        requested_at=reply.requested_at,
        received_at=reply.received_at,
    )
    new = Record(head, record.stored)
    expires = expires_at(facts, head.status, head.received_at, policy, policy.expiry_for(request))
    status = CacheStatus(fwd=fwd, fwd_status=304, ttl=expires - reply.received_at, detail=reason)
    answer = answer_from(new, request, reply.received_at, expires, status, revalidated=True)
    if answer is None:
        return Again(Forward(request, record, Fwd.REQUEST, "precondition-or-range"))
    # What comes with this exchange and is not stored is for the user: cookies, and what "no-cache=" names (§5.2.2.4).
    own = [item for item in freshened_headers(EMPTY, reply.headers) if item[0].lower() not in {*stored.names(), "age"}]
    if own:
        answer = replace(answer, headers=Headers([*answer.headers, *own]))
    storing = may_store(request, current, facts, policy, policy.expiry_for(request))
    if storing is Storing.READ_ONLY:
        return Freshened(answer, None, record.stored.rev)
    # A 304 that names other fields in Vary tells nothing of the values that the stored response was chosen by.
    revaried = nominated(fields) != tuple(name for name, _ in record.head.vary)
    if storing is not Storing.KEEP or revaried or not all_read(reply.headers):
        # What is stored must not be reused by what it used to say.
        return Pass(answer, (record.head.resource,))
    item = item_of(head, rules.sealer, policy, request, body=record.stored.body, entry=record.stored.entry, hashes=b"")
    return Freshened(answer, item, record.stored.rev)


def _confirmed_by_head(
    request: Request, choice: Validate | Forward, reply: Received, keys: Keys, rules: Rules
) -> Verdict | None:
    """A 200 to HEAD freshens a stored GET response or spoils it (RFC 9111 §4.3.5)."""
    record = choice.record
    if record is None or record.head.method != "GET":
        return None
    if not head_confirms(reply, record):
        spoils = () if rules.policy.read_only else (keys.resource,)
        return Pass(_network_answer(reply, choice.fwd, keys.partition, "head-differs"), spoils)
    freshened = _freshened(request, record, reply, choice.fwd, choice.reason, rules)
    if isinstance(freshened, Again):
        return None
    return replace(freshened, answer=_network_answer(reply, choice.fwd, keys.partition, choice.reason))


def _keep_or_pass(request: Request, reply: Received, keys: Keys, rules: Rules, fwd: Fwd, reason: str) -> Verdict:
    policy = rules.policy
    expiry = policy.expiry_for(request)
    facts = read_facts(reply, authorized="authorization" in request.headers)
    storing = may_store(request, reply, facts, policy, expiry)
    spoils = _spoils(request, reply, rules)
    if storing is not Storing.KEEP:
        return Pass(_network_answer(reply, fwd, keys.partition, storing.value), spoils)
    vary = tuple((name, rules.vary_tag(name, request.headers)) for name in nominated(reply.headers))
    keeping = Keeping(request, reply, facts, vary, keys, rules.place, rules.sealer, policy)
    answer = _network_answer(reply, fwd, keys.partition, reason, stored=True)
    expires = expires_at(facts, reply.status, reply.received_at, policy, expiry)
    return Keep(replace(answer, keeping=keeping, expires=expires), spoils)
