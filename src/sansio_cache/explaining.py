"""An explanation of how a request would be answered now, step by step, for people who ask why.

Nothing is decided here. :func:`explain` goes the way of :func:`~sansio_cache.exchange.exchange` with rules that note
what they find, and stops where the origin would be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from .actions import Action, Discard, Later, Load, LoadBody, Steps
from .cache_control import NO_DIRECTIVES
from .choosing import prohibits_stale, request_directives
from .decisions import Answer, Bypass, Choice, Forward, LookUp, Refuse, Reuse, ReuseStale, Validate
from .errors import BadSignature, CacheError
from .exchange import exchange
from .keys import Keys
from .lifetimes import lifetime_of
from .messages import CONDITIONAL, Request
from .policy import Policy
from .precedence import user_time
from .records import Flaw, Meta, Record, Stored
from .rules import Rules
from .sealing import Sealer
from .storing import Storing, may_keep
from .urls import normalise

__all__ = ["Explained", "Step", "explain"]


class Step(NamedTuple):
    """One step of a decision.

    :ivar name: what it is about.
    :ivar says: what was found, in one sentence.
    :ivar section: where that is written: an RFC's section, or ``settings``.
    """

    name: str
    says: str
    section: str


class Explained(NamedTuple):
    """A decision, and how it came about.

    :ivar decision: ``reuse``, ``reuse-stale``, ``validate``, ``forward``, ``bypass``, ``refuse`` or ``bad-signature``.
    :ivar says: what is done, in one sentence.
    """

    decision: str
    says: str
    steps: tuple[Step, ...]


_SETTINGS: Final = "settings"
_BYPASS: Final = {
    "method": ("its method is not among allowed_methods", "RFC 9111 §3"),
    "upgrade": ("it asks for another protocol", "RFC 9110 §7.8"),
    "body-not-known": ("its body cannot be read twice, so it has no key", _SETTINGS),
    "request-too-large": ("it is too large for a key to be made of it", _SETTINGS),
    "do-not-cache": ("expire_after says DO_NOT_CACHE", _SETTINGS),
    "request-no-store": ("it says no-store", "RFC 9111 §5.2.1.5"),
}
_REASONS: Final = {
    "stale": ("it is stale, and nothing lets it be used so", "RFC 9111 §4.2.4"),
    "no-cache": ("the response says no-cache", "RFC 9111 §5.2.2.4"),
    "refresh": ("refresh or always_revalidate asks for it", _SETTINGS),
    "request-no-cache": ("the request says no-cache", "RFC 9111 §5.2.1.4"),
    "request-max-age": ("it is older than the request's max-age allows", "RFC 9111 §5.2.1.1"),
    "request-min-fresh": ("it is not fresh for as long as the request's min-fresh asks", "RFC 9111 §5.2.1.3"),
    "precondition-or-range": ("the request has a precondition or a range that only the origin can answer",
                              "RFC 9111 §4.3.2"),
    "force-refresh": ("force_refresh asks for it", _SETTINGS),
    "": ("nothing stored answers it", "RFC 9111 §4"),
}  # fmt: skip
_REUSED: Final = {
    "": ("it is fresh", "RFC 9111 §4"),
    "stale-while-revalidate": ("it is stale, and is used while it is validated in the background", "RFC 5861 §3"),
    "stale-allowed": ("it is stale by no more than the request's max-stale allows", "RFC 9111 §5.2.1.2"),
    "offline": ("offline uses whatever matches, of any age", _SETTINGS),
}


def explain(
    request: Request,
    policy: Policy,
    meta: Meta,
    sealer: Sealer,
    now: float,
    undecodable: frozenset[str] = frozenset(),
) -> Steps[Explained]:
    """How a request would be answered now. Yields :class:`Load` and :class:`LoadBody`, and no other actions.

    :param now: POSIX seconds.
    """
    rules = _Noting(policy, meta, sealer, undecodable, now)
    steps = exchange(request, rules, now)
    try:
        action: Action[Any] = next(steps)
        while True:
            if isinstance(action, Load | LoadBody):
                reply = yield action
                if isinstance(action, LoadBody):
                    rules.note("body", "its first chunk was read" if reply else "it is gone", "RFC 9111 §3.3")
            elif isinstance(action, Later | Discard):
                reply = None
            else:
                return rules.asking_origin(request)
            action = steps.send(reply)
    except StopIteration as done:
        return rules.answered(done.value)
    except BadSignature as error:
        rules.note("signature", f"no other record answers, and one {_TAMPERED[error.reason]}")
        return Explained("bad-signature", "BadSignature is raised", tuple(rules.steps))
    except CacheError:
        return Explained("refuse", "NotCached is raised", tuple(rules.steps))
    finally:
        steps.close()


_TAMPERED: Final = {
    "signature": "is signed by none of the secrets",
    "place": "was signed for another place",
    "body": "has another body than the one that was signed",
}


class _Noting(Rules):
    """Rules that note what they find."""

    __slots__ = ("_choice", "_now", "_plan", "steps")

    def __init__(self, policy: Policy, meta: Meta, sealer: Sealer, undecodable: frozenset[str], now: float) -> None:
        super().__init__(policy, meta, sealer, undecodable)
        self.steps: list[Step] = []
        self._now = now
        self._plan: LookUp | Bypass | Refuse | None = None
        self._choice: Choice | None = None

    def note(self, name: str, says: str, section: str = _SETTINGS) -> None:
        """Add a step."""
        self.steps.append(Step(name, says, section))

    def plan(self, request: Request) -> LookUp | Bypass | Refuse:
        plan = self._plan = super().plan(request)
        if isinstance(plan, LookUp):
            self.note("request", f"{request.method} may be answered from the store", "RFC 9111 §4")
            self._note_key(request, plan.keys)
        elif isinstance(plan, Bypass):
            says, section = _BYPASS.get(plan.reason, (plan.reason, _SETTINGS))
            self.note("request", f"it bypasses the cache: {says}", section)
        else:
            self._note_refusal(request)
        return plan

    def _note_key(self, request: Request, keys: Keys) -> None:
        policy = self.policy
        userinfo = ["the user in the URL"] if normalise(request.url)[1] is not None else []
        named = sorted(name for name in request.headers.names() if policy.separates[name])
        matched = sorted(policy.matched or ()) if policy.matched is not None else ["every field"]
        by = ["the URL", *userinfo, *named, *matched, *(["the peer"] if request.peer else ())]
        if request.body:
            by.append("the body")
        self.note("key", f"{keys.partition.hex()[:16]}…, made of {', '.join(by)}", "RFC 9111 §2")

    def _note_refusal(self, request: Request) -> None:
        if self.policy.offline:
            self.note("request", "offline, and it may not be answered from the store")
        else:
            self.note("request", "only-if-cached, and it may not be answered from the store", "RFC 9111 §5.2.1.7")

    def open(self, stored: Sequence[Stored], keys: Keys) -> tuple[list[Record], list[Flaw]]:
        records, flaws = super().open(stored, keys)
        says = f"{len(stored)} under this key"
        if flaws:
            says += f", of which {len(flaws)} cannot be used: {', '.join(sorted({each.value for each in flaws}))}"
        self.note("stored", says, "RFC 9111 §4.1")
        return records, flaws

    def matching(self, request: Request, records: Sequence[Record]) -> list[Record]:
        found = super().matching(request, records)
        if records:
            others = [self._why_not(request, each) for each in records if each not in found]
            says = f"{len(found)} of {len(records)} answer the request"
            section = "RFC 9111 §4.1"
            if others:
                says += f"; {'; '.join(dict.fromkeys(says for says, _ in others))}"
                section = others[0][1]
            self.note("matching", says, section)
        return found

    def _why_not(self, request: Request, record: Record) -> tuple[str, str]:
        head = record.head
        if head.method not in (request.method, "GET" if request.method == "HEAD" else ""):
            return f"a {head.method} answers no {request.method}", "RFC 9110 §9.3.2"
        for name, tag in head.vary:
            if self.maker.vary_tag(name, request.headers) != tag:
                return f"another has Vary: {name}, and the request says something else in it", "RFC 9111 §4.1"
        expiry = user_time(request, head.remembered, self.policy)
        storing = may_keep(head.method, head.status, head.facts, self.policy, expiry)
        if storing is not Storing.KEEP:
            return f"these settings would not have stored another ({storing.value})", "RFC 9111 §3"
        return "another has a content coding that cannot be taken off here", "RFC 9110 §8.4"

    def choose(
        self, request: Request, records: Sequence[Record], now: float, waited_since: float | None = None
    ) -> Choice:
        if records:
            self._note_freshness(request, records[0])
        choice = self._choice = super().choose(request, records, now, waited_since)
        self.note("decision", *_said_of(choice, self.policy))
        return choice

    def _note_freshness(self, request: Request, record: Record) -> None:
        found = lifetime_of(record, request, self.policy, self._now)
        self.note("freshness", f"{found.state}: {found.says}", found.section)
        expiry = user_time(request, record.head.remembered, self.policy)
        if found.left <= 0.0 and prohibits_stale(record, self.policy, expiry):
            self.note("stale use", "the response forbids it", "RFC 9111 §4.2.4")
        directives = request.headers.get("cache-control") or request.headers.get("pragma")
        if directives is not None and request_directives(request) != NO_DIRECTIVES:
            self.note("demands", f"the request says {directives}", "RFC 9111 §5.2.1")

    def asking_origin(self, request: Request) -> Explained:
        """The end where the origin would be asked."""
        if isinstance(self._plan, Bypass):
            return Explained("bypass", "the origin is asked, and nothing is stored", tuple(self.steps))
        if request.options.force_refresh:
            self.note("decision", *_forwarded("force-refresh"))
        if isinstance(self._choice, Validate):
            fields = ", ".join(_validators(self._choice))
            says = f"the origin is asked whether what is stored is still good ({fields})"
            return Explained("validate", says, tuple(self.steps))
        return Explained("forward", "the origin is asked for a response", tuple(self.steps))

    def answered(self, answer: Answer) -> Explained:
        """The end where it would not be."""
        if answer.record is None:
            return Explained("refuse", f"the answer is {answer.status} {answer.reason}", tuple(self.steps))
        stale = isinstance(self._choice, ReuseStale)
        says = "the stored response is the answer"
        return Explained("reuse-stale" if stale else "reuse", says, tuple(self.steps))


def _said_of(choice: Choice, policy: Policy) -> tuple[str, str]:
    """A choice in words, and the section."""
    if isinstance(choice, Reuse | ReuseStale):
        says, section = _REUSED.get(choice.answer.cache_status.detail, _REUSED[""])
        return f"use it: {says}", section
    if isinstance(choice, Validate):
        says, section = _REASONS.get(choice.reason, (choice.reason, _SETTINGS))
        return f"validate it: {says}", f"{section}, RFC 9111 §4.3.1" if section != _SETTINGS else "RFC 9111 §4.3.1"
    if isinstance(choice, Forward):
        return _forwarded(choice.reason, validator=choice.record is None)
    if policy.offline:
        return "refuse it: nothing stored answers it, and offline forbids to fetch it", _SETTINGS
    return "refuse it: only-if-cached, and nothing that may be used answers it", "RFC 9111 §5.2.1.7"


def _forwarded(reason: str, *, validator: bool = True) -> tuple[str, str]:
    says, section = _REASONS.get(reason, (reason, _SETTINGS))
    return f"fetch it: {says}{'' if validator else ', and it has no validator to ask by'}", section


def _validators(choice: Validate) -> list[str]:
    own = {name.lower() for name, _ in choice.request.headers}
    return [CONDITIONAL[name] for name in ("if-none-match", "if-modified-since") if name in own]
