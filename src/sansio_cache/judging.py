"""``judge``: one named decision about the origin's reply (RFC 9111 §3, §4.3.3–4.4)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from .answering import answer_from
from .cache_control import parse_cache_control
from .cache_status import CacheStatus, Fwd
from .choosing import prohibits_stale, request_directives
from .decisions import Again, Answer, Bypass, Fail, Forward, Freshened, FromNetwork, Keep, Pass, Validate, Verdict
from .freshness import expires_at, expiry_time, read_facts, remaining
from .invalidation import invalidated_urls
from .keeping import Keeping, Superseded, item_of
from .keys import KeyMaker, Keys
from .messages import Headers, Received, Request, Unreachable
from .policy import Policy
from .precedence import Told, told, user_time
from .records import MAX_FIELDS, Place, Record
from .sealing import Sealer
from .storing import Storing, all_read, dated_headers, may_store, storable_headers
from .superseding import Newest, superseded
from .validation import asks_for_others, freshened_headers, has_preconditions, head_confirms, selected_by, update_of
from .vary import ANYTHING, nominated

__all__ = ["Context", "judge", "judge_bypass"]

_ERRORS: Final = frozenset({500, 502, 503, 504})
"""The status codes of errors (RFC 5861 §4)."""

_OF_A_WHOLE: Final = frozenset({206, 304})
"""Answers whose fields are those of the whole response (RFC 9110 §15.3.7, §15.4.5)."""

_FORBIDDEN: Final = frozenset({Storing.NO_STORE, Storing.PRIVATE, Storing.AUTHORIZATION, Storing.VARY})


class Context(NamedTuple):
    """The context in which a reply is judged: the policy, and how and where responses are named and signed."""

    policy: Policy
    maker: KeyMaker
    place: Place
    sealer: Sealer


class _Case(msgspec.Struct, frozen=True):
    """A reply of the origin's, and what it is a reply to.

    :ivar request: the user's, without the validators that were added.
    :ivar older: the stored responses that the reply may be about.
    """

    request: Request
    choice: Validate | Forward
    reply: Received
    keys: Keys
    older: Sequence[Record]
    context: Context

    def answer(self, detail: str, *, key: bytes | None = None, keeping: Keeping | None = None) -> Answer:
        """The network's."""
        key = self.keys.partition if key is None else key
        return _network_answer(self.reply, self.choice.fwd, key, detail, keeping)

    def superseded(self, vary: Collection[str] = ()) -> tuple[Superseded, ...]:
        """The older responses that the reply has replaced or withdrawn.

        :param vary: the fields by which the reply is stored: a response that is stored by fewer goes on to answer other
            requests, and those that the reply answers prefer the reply (RFC 9111 §4.1).
        """
        if not self.older:
            return ()
        names = frozenset(vary)
        older = [each for each in self.older if not names > {name for name, _ in each.head.vary}]
        if not older:
            return ()
        return superseded(Newest(self.request, self.reply, self.forbids()), older)

    def forbids(self) -> bool:
        """Whether the reply, be it about a part or without content, forbids to store the whole."""
        policy, headers = self.context.policy, self.reply.headers
        directives = parse_cache_control(headers.lines("cache-control"))
        if not (policy.shared or directives.no_store or directives.must_understand or nominated(headers) == ANYTHING):
            return False  # nothing else forbids it to a private cache
        whole = self.reply if self.reply.status not in _OF_A_WHOLE else replace(self.reply, status=200)
        facts = read_facts(whole, authorized="authorization" in self.request.headers)
        return may_store(self.request, whole, facts, policy, self.time().expiry) in _FORBIDDEN

    def time(self) -> Told:
        """The user's time for the reply; a record remembers one that the reply may replace."""
        kept = next((each.head.remembered for each in self.older if each.head.remembered is not None), None)
        return told(self.request, kept, self.context.policy, self.reply.received_at)


def judge(
    request: Request,
    choice: Validate | Forward,
    reply: Received | Unreachable,
    keys: Keys,
    context: Context,
    older: Sequence[Record] = (),
) -> Verdict:
    """The decision about the reply to a choice.

    :param request: the user's, without the validators that were added.
    :param older: the stored responses that the reply may be about.
    """
    asked = choice.record
    if isinstance(reply, Unreachable):
        return _on_error(request, choice, reply.at, context) or Fail(reply.error)
    if reply.status in _ERRORS and asked is not None:
        stale = _on_error(request, choice, reply.received_at, context)
        if stale is not None:
            return stale
    case = _Case(request, choice, reply, keys, older, context)
    if reply.status == 304:
        return _not_modified(case)
    if request.method == "HEAD" and reply.status == 200:
        confirmed = _confirmed_by_head(case)
        if confirmed is not None:
            return confirmed
    if reply.status >= 500 and any(each.head.status < 500 for each in (*older, *filter(None, [asked]))):
        # The stored response is no worse than before; an error must not take its place (RFC 9111 §4.3.3).
        return Pass(case.answer(choice.reason))
    return _keep_or_pass(case)


def judge_bypass(
    request: Request, reply: Received | Unreachable, plan: Bypass, context: Context, older: Sequence[Record] = ()
) -> Pass | Fail:
    """The decision about the reply to a request that bypassed the cache: it may invalidate (RFC 9111 §4.4).

    :param older: the stored responses that it may be about; those that it clearly replaces are not used again.
    """
    if isinstance(reply, Unreachable):
        return Fail(reply.error)
    newest = Newest(request, reply)
    gone = tuple(each for each in superseded(newest, older) if each.certain)
    return Pass(_network_answer(reply, plan.fwd, b"", plan.reason), _invalidates(request, reply, context), gone)


def _invalidates(request: Request, reply: Received, context: Context) -> Sequence[bytes]:
    # A method that the user opted in is a query that happens to be spelled as an unsafe method.
    if context.policy.read_only or request.method in context.policy.methods:
        return ()
    return [context.maker.resource(replace(request, url=url)) for url in invalidated_urls(request, reply)]


def _network_answer(reply: Received, fwd: Fwd, key: bytes, detail: str, keeping: Keeping | None = None) -> Answer:
    status = CacheStatus(fwd=fwd, fwd_status=reply.status, stored=keeping is not None, detail=detail)
    expires = None if keeping is None else keeping.stale_at
    return Answer(
        *(reply.status, reply.reason, reply.headers, FromNetwork(), status), expires=expires, key=key, keeping=keeping
    )


def _on_error(request: Request, choice: Validate | Forward, now: float, context: Context) -> Pass | None:
    """A stale stored response in the place of an error (RFC 5861 §4), where it is allowed.

    It is the preferred one, though another may be asked about: only the origin may bring that back.
    """
    record, policy = choice.records[0] if isinstance(choice, Validate) else choice.record, context.policy
    if record is None:
        return None
    expiry = user_time(request, record.head.remembered, policy)
    if prohibits_stale(record, policy, expiry):
        return None
    head = record.head
    ttl = remaining(head.facts, head.status, head.received_at, now, policy, expiry)
    asked = request_directives(request).stale_if_error or 0.0
    grace = max(policy.error_grace, head.facts.terms(policy).if_error, asked)
    if grace <= 0.0 or -ttl > grace:
        return None
    status = CacheStatus(hit=True, ttl=ttl, detail="stale-if-error")
    answer = answer_from(record, request, now, expiry_time(now, ttl), status)
    return None if answer is None else Pass(answer)


def _not_modified(case: _Case) -> Verdict:
    request, choice, reply = case.request, case.choice, case.reply
    if not isinstance(choice, Validate):
        # The user's own precondition, or an origin that answers one that was not sent: as without the cache.
        return Pass(case.answer(choice.reason, key=b""), (), case.superseded())
    says_which = "etag" in reply.headers or "last-modified" in reply.headers
    if not says_which and asks_for_others(request, choice.record):
        # Their tags went out with ours, and the reply does not say which of them the origin means.
        return Again(Forward(request, choice.record, choice.fwd, "validator-unknown"))
    record = selected_by(reply, choice.records, choice.record)
    if record is None:
        if has_preconditions(request):
            return Pass(case.answer("validator-of-the-user", key=b""), (), case.superseded())
        return Again(Forward(request, None, choice.fwd, "validator-mismatch"), case.superseded())
    return _freshened(case, record)


def _freshened(case: _Case, record: Record) -> Freshened | Pass | Again:
    request, reply, context, policy = case.request, case.reply, case.context, case.context.policy
    if len(reply.headers) > MAX_FIELDS:
        # More than is kept, so that each of them would come in vain and be waited for.
        return Again(Forward(request, record, case.choice.fwd, "too-large"), case.superseded())
    # Date and Age are those of the update: else this response's age would be counted from the old one.
    update = update_of(dated_headers(reply.headers, reply.received_at))
    fields = freshened_headers(record.headers, update)
    current = replace(reply, status=record.head.status, reason=record.head.reason, headers=fields)
    facts = read_facts(current, authorized="authorization" in request.headers)
    stored = storable_headers(fields, policy)
    time = told(request, record.head.remembered, policy, reply.received_at)
    expiry = time.expiry
    expires = expires_at(facts, record.head.status, reply.received_at, policy, expiry)
    head = replace(
        record.head,
        headers=stored.items,
        facts=facts,
        requested_at=reply.requested_at,
        received_at=reply.received_at,
        stale_at=expires,
        remembered=time.remembered,
    )
    new = Record(head, record.stored, stored)
    ttl = expires - reply.received_at
    status = CacheStatus(fwd=case.choice.fwd, fwd_status=304, ttl=ttl, detail=case.choice.reason)
    answer = answer_from(new, request, reply.received_at, expires, status, revalidated=True)
    if answer is None:
        return Again(Forward(request, record, Fwd.REQUEST, "precondition-or-range"))
    # Fields of this reply that are not stored still go to the user: cookies, and those of "no-cache=" (§5.2.2.4).
    kept = {*stored.names(), "age"} - {"set-cookie"}  # no answer shows what is stored of it
    if not kept.issuperset(update.names()):
        answer = replace(answer, headers=Headers([*answer.headers, *update.without(kept)]))
    storing = may_store(request, current, facts, policy, expiry)
    if storing is Storing.READ_ONLY:
        return Freshened(answer, None, record.stored.rev)
    # A 304 that names other fields in Vary tells nothing of the values that the stored response was chosen by.
    revaried = nominated(fields) != tuple([name for name, _ in record.head.vary])
    if storing is not Storing.KEEP or revaried or not all_read(reply.headers):
        # The stored response must not be reused by what it used to say.
        return Pass(answer, (record.head.resource,))
    item = item_of(head, context.sealer, policy, body=record.stored.body, entry=record.stored.entry, hashes=b"")
    return Freshened(answer, item, record.stored.rev, case.superseded())


def _confirmed_by_head(case: _Case) -> Verdict | None:
    """A 200 to HEAD freshens a stored GET response or invalidates it (RFC 9111 §4.3.5)."""
    record, reply = case.choice.record, case.reply
    if record is None or record.head.method != "GET" or record.head.status != 200:
        return None
    if not head_confirms(reply, record):
        invalidates = () if case.context.policy.read_only else (case.keys.resource,)
        return Pass(case.answer("head-differs"), invalidates)
    freshened = _freshened(case, record)
    if isinstance(freshened, Again):
        return None
    return replace(freshened, answer=case.answer(case.choice.reason))


def _keep_or_pass(case: _Case) -> Verdict:
    request, reply, keys, context, policy = case.request, case.reply, case.keys, case.context, case.context.policy
    facts = read_facts(reply, authorized=request.headers.has("authorization"))
    time = case.time()
    storing = may_store(request, reply, facts, policy, time.expiry)
    invalidates = _invalidates(request, reply, context)
    if storing is not Storing.KEEP:
        return Pass(case.answer(storing.value), invalidates, case.superseded())
    names = nominated(reply.headers)
    vary = tuple([(name, context.maker.vary_tag(name, request.headers)) for name in names]) if names else ()
    gone = case.superseded(names) if case.older else ()
    keeping = Keeping(request, reply, facts, vary, keys, context.place, context.sealer, policy, gone, time)
    return Keep(case.answer(case.choice.reason, keeping=keeping), invalidates)
