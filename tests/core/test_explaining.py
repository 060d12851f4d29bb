"""A decision is explained as it is taken: by the same rules, on the same way, up to where the origin would be asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from core_rows import BODY, DATE, META, NOW, SECRET, ask, got, item_of, rows, rules_of, stored_of

from sansio_cache.actions import BodyStart, Load, LoadBody, Loaded
from sansio_cache.expiry import DO_NOT_CACHE, DoNotCache
from sansio_cache.explaining import Explained, explain
from sansio_cache.messages import Options, Request
from sansio_cache.policy import Policy
from sansio_cache.records import INLINE_LIMIT, Stored
from sansio_cache.sealing import UNSIGNED, Sealer

MAX_AGE = "Cache-Control: max-age=60"
ETAG = 'ETag: "1"'
POST = ask(method="POST", body=b"x")


def explained(
    request: Request,
    stored: Sequence[Stored] = (),
    *,
    policy: Policy | None = None,
    sealer: Sealer = UNSIGNED,
    now: float = NOW,
    chunk: BodyStart | None = None,
) -> Explained:
    """A decision over these records, whatever their key."""
    steps = explain(request, policy or Policy(), META, sealer, now)
    try:
        action = next(steps)
        while True:
            if isinstance(action, Load):
                action = steps.send(Loaded(stored, now))
            else:
                assert isinstance(action, LoadBody), "nothing else is asked for"
                action = steps.send(chunk)
    except StopIteration as done:
        found: Explained = done.value
        return found


def kept(*lines: str, request: Request | None = None, policy: Policy | None = None, status: int = 200) -> Stored:
    """A stored response with these fields."""
    rules = rules_of(policy)
    return stored_of(item_of(got(*lines, status=status), request, rules))


@rows(
    "request_ lines settings now decision last section",
    ("fresh", "4", ask(), [DATE, MAX_AGE], {}, NOW, "reuse", "it is fresh", "RFC 9111 §4"),
    ("stale", "4.2.4", ask(), [DATE, MAX_AGE], {}, NOW + 99, "forward", "no validator", "RFC 9111 §4.2.4"),
    (
        "validated",
        "4.3.1",
        ask(),
        [DATE, MAX_AGE, ETAG],
        {},
        NOW + 99,
        "validate",
        "validate it: it is stale",
        "§4.3.1",
    ),
    (
        *("no-cache", "5.2.2.4", ask(), [DATE, ETAG, "Cache-Control: no-cache"], {}, NOW),
        *("validate", "the response says no-cache", "RFC 9111 §5.2.2.4"),
    ),
    (
        *("the request's no-cache", "5.2.1.4", ask("Cache-Control: no-cache"), [DATE, MAX_AGE, ETAG], {}, NOW),
        *("validate", "the request says no-cache", "RFC 9111 §5.2.1.4"),
    ),
    (
        *("the request's max-age", "5.2.1.1", ask("Cache-Control: max-age=5"), [DATE, MAX_AGE], {}, NOW + 9),
        *("forward", "older than the request's max-age", "RFC 9111 §5.2.1.1"),
    ),
    (
        *("min-fresh", "5.2.1.3", ask("Cache-Control: min-fresh=90"), [DATE, MAX_AGE], {}, NOW),
        *("forward", "min-fresh", "RFC 9111 §5.2.1.3"),
    ),
    (
        *("max-stale", "5.2.1.2", ask("Cache-Control: max-stale=90"), [DATE, MAX_AGE], {}, NOW + 99),
        *("reuse", "max-stale allows", "RFC 9111 §5.2.1.2"),
    ),
    (
        *("while it is validated", "5861", ask(), [DATE, f"{MAX_AGE}, stale-while-revalidate=60"], {}, NOW + 99),
        *("reuse-stale", "in the background", "RFC 5861 §3"),
    ),
    (
        *("only-if-cached", "5.2.1.7", ask("Cache-Control: only-if-cached"), [DATE, MAX_AGE], {}, NOW + 99),
        *("refuse", "only-if-cached", "RFC 9111 §5.2.1.7"),
    ),
    (
        "refresh",
        "-",
        ask(options=Options(refresh=True)),
        [DATE, MAX_AGE, ETAG],
        {},
        NOW,
        "validate",
        "refresh",
        "§4.3.1",
    ),
    (
        *("force_refresh", "-", ask(options=Options(force_refresh=True)), [DATE, MAX_AGE], {}, NOW),
        *("forward", "force_refresh asks for it", "settings"),
    ),
    ("offline", "-", ask(), [DATE, MAX_AGE], {"offline": True}, NOW + 99, "reuse", "of any age", "settings"),
    ("another method", "3", POST, [DATE, MAX_AGE], {}, NOW, "bypass", "allowed_methods", "RFC 9111 §3"),
    ("upgrade", "7.8", ask("Upgrade: x"), [DATE, MAX_AGE], {}, NOW, "bypass", "another protocol", "RFC 9110 §7.8"),
    (
        *("no-store", "5.2.1.5", ask("Cache-Control: no-store"), [DATE, MAX_AGE], {}, NOW),
        *("bypass", "it says no-store", "RFC 9111 §5.2.1.5"),
    ),
    (
        *("not at all", "-", ask(), [DATE, MAX_AGE], {"expire_after": DO_NOT_CACHE}, NOW),
        *("bypass", "DO_NOT_CACHE", "settings"),
    ),
    (
        *("a range", "4.3.2", ask("Range: lines=1-2", "If-Match: x"), [DATE, MAX_AGE], {}, NOW),
        *("forward", "precondition", "RFC 9111 §4.3.2"),
    ),
)
def test_decisions(
    request_: Request,
    lines: list[str],
    settings: dict[str, Any],
    now: float,
    decision: str,
    last: str,
    section: str,
) -> None:
    policy = Policy(**settings)
    found = explained(request_, [kept(*lines)], policy=policy, now=now)
    assert found.decision == decision
    assert last in found.steps[-1].says
    assert section in found.steps[-1].section
    assert found.says


def test_nothing_stored() -> None:
    found = explained(ask())
    assert found.decision == "forward"
    assert [step.name for step in found.steps] == ["request", "key", "stored", "decision"]
    assert "nothing stored answers it" in found.steps[-1].says


def test_offline_and_nothing_stored() -> None:
    assert explained(ask(), policy=Policy(offline=True)).decision == "refuse"
    found = explained(ask("Upgrade: x"), policy=Policy(offline=True))
    assert (found.decision, found.steps[-1].says) == ("refuse", "offline, and it may not be answered from the store")
    asked = ask("Upgrade: x", options=Options(only_if_cached=True))
    assert "only-if-cached" in explained(asked).steps[-1].says
    asked = ask(options=Options(expiry=DoNotCache()))
    assert explained(asked).decision == "bypass"


def test_what_the_key_is_made_of() -> None:
    request = ask("X-Api-Key: k", "Accept-Language: de", url="https://me:pw@example.org/", peer="elsewhere")
    found = explained(request, policy=Policy(match_headers=["accept-language"]))
    [key] = [step.says for step in found.steps if step.name == "key"]
    assert key.endswith("made of the URL, the user in the URL, x-api-key, accept-language, the peer")
    assert "pw" not in str(found)
    assert "every field" in str(explained(ask(), policy=Policy(match_headers=True)))
    posted = explained(POST, policy=Policy(allowed_methods=["POST"]))
    assert "the body" in str(posted)


@rows(
    "stored says",
    ("another variant", "4.1", kept(DATE, MAX_AGE, "Vary: Accept", request=ask("Accept: x")), "Vary: accept"),
    ("a HEAD", "9.3.2", kept(DATE, MAX_AGE, request=ask(method="HEAD")), "a HEAD answers no GET"),
    (
        "not to be stored",
        "3",
        kept(DATE, "Cache-Control: no-store, max-age=9"),
        "would not have stored another (no-store)",
    ),
)
def test_why_a_record_does_not_answer(stored: Stored, says: str) -> None:
    found = explained(ask(), [stored])
    [matching] = [step.says for step in found.steps if step.name == "matching"]
    assert matching.startswith("0 of 1 answer")
    assert says in matching
    assert found.decision == "forward"


def test_a_coding_that_cannot_be_taken_off() -> None:
    steps = explain(ask(), Policy(), META, UNSIGNED, NOW, frozenset({"br"}))
    next(steps)
    with pytest.raises(StopIteration) as ended:
        steps.send(Loaded([kept(DATE, MAX_AGE, "Content-Encoding: br")], NOW))
    assert "content coding" in str(ended.value.value)


def test_records_that_cannot_be_used_are_counted() -> None:
    found = explained(ask(), [Stored(b"none of ours", None, bytes(16), 1), kept(DATE, MAX_AGE)])
    assert "2 under this key, of which 1 cannot be used: unreadable" in str(found)
    assert found.decision == "reuse"


def test_a_forged_record_is_told() -> None:
    forged = stored_of(item_of(got(DATE, MAX_AGE), rules=rules_of(secret=b"somebody else's own secret")))
    found = explained(ask(), [forged], sealer=Sealer([SECRET]))
    assert found.decision == "bad-signature"
    assert found.steps[-1].says == "no other record answers, and one is signed by none of the secrets"


@pytest.mark.parametrize("is_there", [True, False])
def test_a_body_in_chunks_is_looked_for(is_there: bool) -> None:
    body = BODY * (INLINE_LIMIT // len(BODY) + 1)
    item = item_of(got(DATE, MAX_AGE), body=body)
    stored = Stored(item.sealed, None, bytes(16), 1)
    chunk = BodyStart(b"", body) if is_there else None
    found = explained(ask(), [stored], chunk=chunk)
    assert found.decision == ("reuse" if is_there else "forward")
    assert ("was read" if is_there else "is gone") in str(found)
