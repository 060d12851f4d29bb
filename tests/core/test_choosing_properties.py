"""``choose``: what holds for whatever is stored, asked and set."""

from __future__ import annotations

import pytest
from core_rows import NOW, ask, record_of, rules_of
from core_words import choice_said
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from strategies import moments, permissive_requests, policies, replies, requests

from sansio_cache.cache_status import Fwd
from sansio_cache.choosing import choose, prohibits_stale
from sansio_cache.decisions import Refuse, Reuse, ReuseStale
from sansio_cache.expiry import Expiry, Resident
from sansio_cache.messages import Headers, Options, Received, Request
from sansio_cache.policy import Policy
from sansio_cache.records import Record

FRESH = "Cache-Control: max-age=60"
TAG = 'ETag: "a"'
LENGTH = "Content-Length: 10"
SHARED = {"shared": True}
LATER = NOW + 100
"""When a record with max-age=60 is stale by 40 s."""


# Properties


def _record(request: Request, reply: Received, policy: Policy) -> Record | None:
    """The record of a reply where there can be one, whatever the policy thinks of it."""
    rules = rules_of(policy)
    if any(":" in name for name, _ in reply.headers):
        return None
    lines = [f"{name}: {value}" for name, value in reply.headers]
    plain = replace(request, method="GET", headers=Headers())
    return record_of(*lines, status=reply.status, delay=NOW - reply.requested_at, request=plain, rules=rules)


@pytest.mark.once
@given(requests, replies, policies, moments, st.none() | moments)
def test_a_decision_is_a_function_of_its_inputs(
    request: Request, reply: Received, policy: Policy, now: float, waited_since: float | None
) -> None:
    """Twice the same question is twice the same answer; no head raises out of it (G18)."""
    record = _record(request, reply, policy)
    records = [] if record is None else [record]
    one, other = (choice_said(choose(request, records, now, policy, waited_since=waited_since)) for _ in range(2))
    assert one == other


@pytest.mark.once
@given(replies, policies, moments, st.floats(0, 1e9))
def test_a_later_now_never_makes_a_stale_response_reusable(
    reply: Received, policy: Policy, now: float, later: float
) -> None:
    record = _record(ask(), reply, policy)
    assert record is not None
    first, second = (choose(ask(), [record], moment, policy) for moment in (now, now + later))
    if not isinstance(first, Reuse | ReuseStale):
        assert not isinstance(second, Reuse | ReuseStale)


@pytest.mark.once
@given(replies, policies, moments, permissive_requests)
def test_no_request_directive_relaxes_a_prohibition(
    reply: Received, policy: Policy, now: float, directives: str
) -> None:
    """G11: what may not be used stale is not used stale, whatever a request asks."""
    policy = Policy(shared=policy.shared, heuristic=policy.heuristic, always_revalidate=policy.always_revalidate)
    record = _record(ask(), reply, policy)
    assert record is not None
    plain = choose(ask(), [record], now, policy)
    asked = choose(ask(f"Cache-Control: {directives}"), [record], now, policy)
    if prohibits_stale(record, policy, None) and not isinstance(plain, Reuse):
        assert not isinstance(asked, Reuse | ReuseStale)


@pytest.mark.once
@given(requests, replies, moments, st.sampled_from([None, Resident(60.0)]))
def test_offline_and_only_if_cached_never_ask_the_origin(
    request: Request, reply: Received, now: float, expiry: Expiry | None
) -> None:
    for policy, options in (
        (Policy(offline=True), Options(expiry=expiry, refresh=True)),
        (Policy(stale_while_revalidate=True), Options(expiry=expiry, only_if_cached=True)),
    ):
        record = _record(request, reply, policy)
        records = [] if record is None else [record]
        choice = choose(replace(request, options=options), records, now, policy)
        assert isinstance(choice, Reuse | Refuse)


def test_the_way_out_is_named_for_people() -> None:
    assert [str(each) for each in Fwd] == [
        "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial",
    ]  # fmt: skip
