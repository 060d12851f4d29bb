"""The rules of one session over one store: its policy, its keys, its place, its secret.

::

    plan(request)                  →  LookUp | Bypass | Refuse
    open(stored, keys)             →  records and flaws
    choose(request, records, now)  →  Reuse | ReuseStale | Validate | Forward | Refuse
    judge(request, choice, reply)  →  Keep | Freshened | Pass | Again | Fail
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from . import choosing, judging
from .answering import gateway_timeout
from .cache_status import Fwd
from .decisions import Bypass, Choice, Fail, Forward, LookUp, Pass, Refuse, Validate, Verdict
from .digests import NOT_INSTALLED, digest_named
from .errors import BadSignature, NotCached
from .expiry import DoNotCache
from .keys import KeyMaker, Keys
from .lists import MAX_MEMBERS, members
from .messages import Headers, Received, Request, Unreachable
from .policy import Policy
from .precedence import user_time
from .records import Flaw, Item, Meta, Place, Record, Stored, open_record, to_remember
from .sealing import Sealer
from .storing import Storing, may_keep, may_share
from .urls import MAX_URL

__all__ = ["Rules"]

_TAMPERED: Final = frozenset({Flaw.SIGNATURE, Flaw.PLACE, Flaw.BODY})

_MAX_BODY: Final = 8_388_608
"""Bytes of a request's body that are hashed for its key."""
_REMEMBERED: Final = 1024
_REMEMBERED_BYTES: Final = 4096
"""Of rows so small the last so many are remembered opened: to compare costs a tenth of what verifying does."""
_MOST_ROWS: Final = 256
"""Rows of a partition that are opened at most, but for a ``vary_limit`` above it: each takes some 20 µs."""


class Rules:
    """Everything that decides, for one policy, one store and one secret.

    :param undecodable: content codings that this client would not decode though users expect it (a codec that is not
        installed): a stored response so coded counts as no match.
    """

    __slots__ = ("_context", "_opened", "_shared", "maker", "place", "policy", "sealer", "undecodable")

    def __init__(self, policy: Policy, meta: Meta, sealer: Sealer, undecodable: frozenset[str] = frozenset()) -> None:
        self.policy: Policy = policy
        self.place: Place = Place(meta.store_id, policy.namespace)
        self.sealer: Sealer = sealer
        self.maker: KeyMaker = KeyMaker(policy, meta.salt)
        self._context = judging.Context(policy, self.maker, self.place, sealer)
        # A user may have the responses that a shared cache kept for them, also when the origin cannot be asked.
        only_private = policy.offline and not policy.shared
        self._shared = KeyMaker(dataclasses.replace(policy, shared=True), meta.salt) if only_private else None
        self.undecodable: frozenset[str] = undecodable
        self._opened: dict[tuple[bytes, int], Record] = {}

    def plan(self, request: Request) -> LookUp | Bypass | Refuse:
        """Whether a request may be answered from the store at all, and whether it may go out where it may not."""
        directives = choosing.request_directives(request)
        passing = self._passing(request, no_store=directives.no_store)
        if self.policy.offline:
            return self._plan_offline(request) if passing is None else Refuse(NotCached(request.url))
        if passing is None and not request.options.force_refresh:
            return LookUp(self.maker.keys(request))
        if directives.only_if_cached or request.options.only_if_cached:
            return Refuse(gateway_timeout("only-if-cached"))
        return LookUp(self.maker.keys(request)) if passing is None else passing

    def _plan_offline(self, request: Request) -> LookUp:
        others = () if self._shared is None else (self._shared.keys(request),)
        return LookUp(self.maker.keys(request), others)

    def _passing(self, request: Request, *, no_store: bool) -> Bypass | None:
        if request.method not in self.policy.methods and not self.policy.offline:
            return Bypass(Fwd.METHOD, "method")
        if request.headers.has("upgrade"):
            return Bypass(Fwd.REQUEST, "upgrade")
        if request.body is None:
            return Bypass(Fwd.REQUEST, "body-not-known")
        # To make a key of it would take time that the request would not take without the cache.
        too_long = len(request.url) > MAX_URL or len(request.body) > _MAX_BODY
        if too_long or len(request.headers.items) > MAX_MEMBERS:
            return Bypass(Fwd.REQUEST, "request-too-large")
        if isinstance(self.policy.expiry_for(request), DoNotCache):
            return Bypass(Fwd.BYPASS, "do-not-cache")
        # It may say that what is stored is no longer so.
        return Bypass(Fwd.REQUEST, "request-no-store", self.maker.keys(request)) if no_store else None

    def open(self, stored: Sequence[Stored], keys: Keys) -> tuple[list[Record], list[Flaw]]:
        """The records among stored rows, the preferred first, and what was wrong with the others.

        Of more rows than there ever are of ours, the last ones count.
        """
        records: list[Record] = []
        flaws: list[Flaw] = []
        most = max(self.policy.vary_limit, _MOST_ROWS)
        for number, each in enumerate(stored if len(stored) <= most else stored[-most:]):
            opened = self._open(number, each, keys)
            if isinstance(opened, Record):
                records.append(opened)
            else:
                flaws.append(opened)
        if len(records) > 1:
            # A later row takes the place of one of its variant as soon as it is written, whatever their times are.
            records = list({(each.head.method == "HEAD", each.head.vary): each for each in records}.values())
            records.sort(key=_preference, reverse=True)
        return records, flaws

    def _open(self, number: int, stored: Stored, keys: Keys) -> Record | Flaw:
        """The record in a row; without opening it anew where the last one in its place was the same to the byte."""
        known = self._opened.get((keys.partition, number))
        if known is not None:
            if known.stored == stored:
                return known
            if known.stored[:-1] == stored[:-1]:
                # Only its rev is another: it is what this cache has sealed and a store has written since.
                known = self._opened[keys.partition, number] = Record(known.head, stored, known.headers)
                return known
        opened = open_record(stored, keys, self.place, self.sealer)
        if not isinstance(opened, Record):
            return opened
        if digest_named(opened.head.hashed_with) is None:
            # Its head may be looked at and signed anew; its body cannot be verified, and is never given out.
            return Flaw.DIGEST
        if len(stored.sealed) + len(stored.body or b"") <= _REMEMBERED_BYTES:
            if len(self._opened) >= _REMEMBERED:
                self._opened.clear()
            self._opened[keys.partition, number] = to_remember(opened, keys, self.place)
        return opened

    def freshened(self, record: Record, item: Item, keys: Keys) -> None:
        """Keep a record in mind that was written anew, in the place of the one that it was read from.

        :param record: with its new head, and as it was stored before.
        """
        number = 0
        while (known := self._opened.get((keys.partition, number))) is not None:
            if known.stored is record.stored:
                stored = Stored(item.sealed, known.stored.body, known.stored.entry, known.stored.rev)
                self._opened[keys.partition, number] = to_remember(Record(record.head, stored), keys, self.place)
                return
            number += 1

    def matching(self, request: Request, records: Sequence[Record]) -> list[Record]:
        """The records of a partition that answer the request (RFC 9111 §4) and that this policy would store."""
        # Variants name the same fields again and again.
        tags: dict[str, bytes] = {}
        return [
            record
            for record in records
            # A stored HEAD has no content to answer GET with.
            if record.head.method in (request.method, "GET" if request.method == "HEAD" else "")
            and self._answers(request, record, tags)
            and not (record.head.facts.coded and not self._decodable(record.headers))
        ]

    def older(self, request: Request, records: Sequence[Record]) -> list[Record]:
        """The records of a partition that a new answer to the request may supersede.

        Those of GET and HEAD are about one thing, and so are those in a coding that this client does not know.
        """
        tags: dict[str, bytes] = {}
        return [] if self.policy.read_only else [each for each in records if self._answers(request, each, tags)]

    def _answers(self, request: Request, record: Record, tags: dict[str, bytes]) -> bool:
        """Whether a record is of the request's variant, and this policy would store it."""
        head = record.head
        for name, tag in head.vary:
            known = tags.get(name)
            if known is None:
                if len(tags) >= MAX_MEMBERS:
                    return False
                known = tags[name] = self.maker.vary_tag(name, request.headers)
            if known != tag:
                return False
        if self.policy.offline:
            # Whatever settings it was kept under.
            return not self.policy.shared or may_share(head.facts) is Storing.KEEP
        expiry = user_time(request, head.remembered, self.policy)
        return may_keep(head.method, head.status, head.facts, self.policy, expiry) is Storing.KEEP

    def _decodable(self, headers: Headers) -> bool:
        codings = members(headers.lines("content-encoding"))
        return codings is not None and self.undecodable.isdisjoint(codings)

    def vary_tag(self, name: str, headers: Headers) -> bytes:
        """The keyed hash of what a request says in a field that Vary nominates."""
        return self.maker.vary_tag(name, headers)

    def choose(
        self, request: Request, records: Sequence[Record], now: float, waited_since: float | None = None
    ) -> Choice:
        """The decision about a request, given the records that match it."""
        return choosing.choose(request, records, now, self.policy, waited_since=waited_since)

    def judge(
        self,
        request: Request,
        choice: Validate | Forward,
        reply: Received | Unreachable,
        keys: Keys,
        older: Sequence[Record] = (),
    ) -> Verdict:
        """The decision about the reply to a choice, and about the stored responses (see :meth:`older`)."""
        return judging.judge(request, choice, reply, keys, self._context, older)

    def judge_bypass(
        self, request: Request, reply: Received | Unreachable, plan: Bypass, older: Sequence[Record] = ()
    ) -> Pass | Fail:
        """The decision about the reply to a request that bypassed the cache."""
        return judging.judge_bypass(request, reply, plan, self._context, older)

    def complaint(self, request: Request, keys: Keys, flaws: Sequence[Flaw]) -> BadSignature | NotCached | None:
        """The error that unusable records call for where no other answers the request, if the policy wants one."""
        if self.policy.offline and Flaw.DIGEST in flaws:
            return NotCached(request.url, NOT_INSTALLED)
        if self.policy.on_bad_signature == "miss" or not self.sealer.signed:
            return None
        for flaw in flaws:
            if flaw in _TAMPERED:
                return BadSignature(request.url, keys.partition.hex(), flaw.value)
        return None


def _preference(record: Record) -> tuple[bool, float, float]:
    # "the most recent response (as determined by the Date header field)" (RFC 9111 §4); but first, since an origin may
    # forget Vary on its default response, "the most recent stored response with a valid Vary field value" (§4.1).
    head = record.head
    return bool(head.vary), head.facts.date, head.received_at
