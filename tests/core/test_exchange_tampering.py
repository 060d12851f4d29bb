"""What becomes of a request where a record was tampered with: exactly what G5 says."""

from __future__ import annotations

from typing import Any

import pytest
from core_rows import DATE, META, SECRET, ask, got, item_of, rows, rules_of
from core_world import SmallWorld, reply

from sansio_cache.errors import BadSignature
from sansio_cache.messages import Options, Request
from sansio_cache.policy import Policy
from sansio_cache.records import Flaw
from sansio_cache.rules import Rules
from sansio_cache.sealing import Sealer

FRESH = "Cache-Control: max-age=60"
TAG = 'ETag: "a"'
ONLY = ask(options=Options(only_if_cached=True))
ANEW = ask(options=Options(force_refresh=True))


def world(*script: Any, stored: list[str] | None = None, rules: Rules | None = None, **settings: Any) -> SmallWorld:
    """A world with what is stored for a plain GET."""
    rules = rules or rules_of(Policy(**settings))
    made = SmallWorld(rules, script)
    if stored is not None:
        made.put(item_of(got(DATE, *stored), ask(), rules))
    return made


# Tampering (G5)


def tampered(*, stored: list[str] | None = None, script: tuple[Any, ...] = (), **settings: Any) -> SmallWorld:
    """A world where a record of another secret lies at the place of the request."""
    rules = rules_of(Policy(**settings), secret=SECRET)
    made = world(*script, stored=stored, rules=rules)
    forger = Rules(rules.policy, META, Sealer([b"a secret of somebody else's"]))
    made.put(item_of(got(DATE, FRESH, "Vary: X-Forged"), ask(), forger, body=b"forged"))
    return made


def test_a_forged_record_raises_before_anybody_is_asked() -> None:
    made = tampered()
    with pytest.raises(BadSignature) as caught:
        made.answer(ask())
    assert (caught.value.url, caught.value.reason) == (ask().url, "signature")
    assert made.log == ["load"], "before Claim, so no lease is held"
    assert len(made.items()) == 1, "nothing is dropped: a wrong key must not eat a good store"


@rows(
    "request_ settings",
    ("asked to validate", "G5", ask(options=Options(refresh=True)), {}),
    ("only if cached", "G5", ONLY, {}),
    ("offline", "G5", ask(), {"offline": True}),
)
def test_it_raises_however_asked(request_: Request, settings: dict[str, Any]) -> None:
    with pytest.raises(BadSignature):
        tampered(**settings).answer(request_)


def test_it_does_not_raise_where_another_record_answers() -> None:
    made = tampered(stored=[FRESH])
    answer = made.answer(ask())
    assert made.body(answer) == b"0123456789"
    assert answer.flaws == [Flaw.SIGNATURE]


def test_nor_where_another_record_is_asked_by() -> None:
    made = tampered(stored=[FRESH, TAG], script=(reply(TAG, status=304),))
    made.now += 100
    answer = made.answer(ask())
    assert (answer.revalidated, answer.flaws) == (True, [Flaw.SIGNATURE])


def test_nor_in_the_background_nor_anew_nor_for_unsafe_requests() -> None:
    assert tampered(script=(reply(FRESH),)).answer(ask(), background=True).flaws == [Flaw.SIGNATURE]
    assert tampered(script=(reply(FRESH),)).answer(ANEW).flaws == ()
    assert tampered(script=(reply(),)).answer(ask(method="POST")).status == 200


def test_who_goes_on_counts_it_and_gets_the_next_answer() -> None:
    made = tampered(script=(reply(FRESH),), on_bad_signature="miss")
    answer = made.answer(ask())
    assert (answer.status, answer.flaws) == (200, [Flaw.SIGNATURE])
    refused = tampered(on_bad_signature="miss").answer(ONLY)
    assert (refused.status, refused.flaws) == (504, [Flaw.SIGNATURE])
