"""Responses that another cache has kept: stored as they are, with the time that it has given them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from core_rows import BODY, DATE, NOW, ask, got, rules_of, stored_of

from sansio_cache.adopting import Adopted, adopt
from sansio_cache.decisions import Reuse
from sansio_cache.expiry import Expiry, Resident, Until
from sansio_cache.messages import Options, Received, Request
from sansio_cache.policy import Policy
from sansio_cache.records import Item, Record, chunk_hashes
from sansio_cache.rules import Rules
from sansio_cache.storing import Storing

DAY = 86_400.0
KEEPS_ALL: dict[str, Any] = {
    "cache_control": False,
    "allowed_codes": range(200, 600),
    "allowed_methods": ["GET", "POST"],
}


def adopted(reply: Received, expiry: Expiry | None, asked: Request | None = None, *, at: float = NOW) -> Item:
    rules = rules_of(Policy(**KEEPS_ALL))
    keeping = adopt(asked or ask(), reply, rules, expiry, at, rules.policy)
    assert isinstance(keeping, Adopted)
    item = keeping.finish(BODY, b"", len(BODY), chunk_hashes(BODY))
    assert isinstance(item, Item)
    return item


def opened(item: Item, rules: Rules, asked: Request | None = None) -> list[Record]:
    asked = asked or ask()
    records, _ = rules.open([stored_of(item)], rules.maker.keys(asked))
    return rules.matching(asked, records)


def is_fresh(item: Item, now: float, **settings: Any) -> bool:
    rules = rules_of(Policy(**settings))
    return isinstance(rules.choose(ask(), opened(item, rules), now), Reuse)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"expire_after": 5},
        {"expire_after": -1},
        {"urls_expire_after": {"*": 5}},
        {"cache_control": False},
        {"cache_control": False, "expire_after": 7 * DAY},
    ],
)
def test_its_time_counts_whatever_the_settings(settings: dict[str, Any]) -> None:
    for status in (200, 301, 404, 503):
        item = adopted(got(DATE, status=status), Until(NOW + DAY))
        assert is_fresh(item, NOW + DAY - 1, **settings), status
        assert not is_fresh(item, NOW + DAY + 1, **settings), status
    assert is_fresh(adopted(got(DATE), Resident(math.inf)), NOW + 1e9, **settings)
    assert not is_fresh(adopted(got(DATE), Until(NOW - 1)), NOW, **settings)


def test_a_time_of_one_request_goes_before() -> None:
    rules = rules_of()
    item = adopted(got(DATE), Until(NOW + DAY))
    brief = ask(options=Options(expiry=Resident(5.0)))
    assert isinstance(rules.choose(brief, opened(item, rules), NOW + 4), Reuse)
    assert not isinstance(rules.choose(brief, opened(item, rules), NOW + 6), Reuse)


def test_without_a_time_the_response_decides() -> None:
    item = adopted(got(DATE, "Cache-Control: max-age=60"), None)
    assert is_fresh(item, NOW + 59)
    assert not is_fresh(item, NOW + 61)


def test_what_it_forbids_it_forbids_still() -> None:
    """``no-store`` is kept, and seen by sessions that do not look at such fields alone."""
    item = adopted(got(DATE, "Cache-Control: no-store"), Until(NOW + DAY))
    assert not opened(item, rules_of())
    assert opened(item, rules_of(Policy(cache_control=False)))
    assert opened(item, rules_of(Policy(offline=True)))


@pytest.mark.parametrize(
    ("lines", "asked", "found"),
    [
        (("Vary: Accept-Encoding",), "Accept-Encoding: br", True),
        (("Vary: Accept-Encoding", "Content-Encoding: gzip"), "Accept-Encoding: br", True),
        (("Vary: Accept-Encoding", "Content-Encoding: br"), "Accept-Encoding: br", False),
        (("Vary: Accept-Encoding, Accept",), "Accept: b", False),
        (("Vary: Accept-Encoding, Accept",), "Accept: a", True),
    ],
)
def test_it_serves_any_coding_that_is_taken_off(lines: tuple[str, ...], asked: str, found: bool) -> None:
    item = adopted(got(DATE, *lines), Until(NOW + DAY), ask("Accept-Encoding: gzip", "Accept: a"))
    assert bool(opened(item, rules_of(), ask(asked))) is found


def test_what_has_long_been_stale_is_not_removed_at_once() -> None:
    long_ago = got(DATE, at=NOW - 1000 * DAY)
    item = adopted(long_ago, Until(NOW - 999 * DAY), at=NOW)
    assert item.stale_at == NOW - 999 * DAY
    assert item.purge_at >= NOW + DAY
    assert adopted(got(DATE), Resident(math.inf)).purge_at == math.inf


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (got(DATE, "Vary: *"), Storing.VARY),
        (got(DATE, status=304), Storing.STATUS),
        (got(DATE, status=206), Storing.STATUS),
    ],
)
def test_what_cannot_be_reused_is_not_adopted(reply: Received, reason: Storing) -> None:
    rules = rules_of(Policy(**KEEPS_ALL))
    assert adopt(ask(), reply, rules, Until(NOW + DAY), NOW, rules.policy) is reason


def test_a_filter_has_its_say() -> None:
    rules = rules_of(Policy(filter_fn=lambda request, response: False, **KEEPS_ALL))
    keeping = adopt(ask(), got(DATE), rules, Until(NOW + DAY), NOW, rules.policy)
    assert isinstance(keeping, Adopted)
    assert keeping.finish(BODY, b"", len(BODY), chunk_hashes(BODY)) is Storing.FILTERED
