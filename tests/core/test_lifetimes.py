"""What is said of a decision is what was decided: by whose word a response is fresh."""

from __future__ import annotations

from typing import Any

import pytest
from core_rows import DATE, NOW, ask, record_of, rows

from sansio_cache.dates import format_date
from sansio_cache.expiry import DO_NOT_CACHE, DoNotCache, Resident, Until
from sansio_cache.freshness import remaining
from sansio_cache.lifetimes import lifetime_of
from sansio_cache.messages import Options
from sansio_cache.policy import Heuristic, Policy
from sansio_cache.precedence import user_time
from sansio_cache.records import Record, Remembered

MAX_AGE = "Cache-Control: max-age=60"
MODIFIED = f"Last-Modified: {format_date(NOW - 1000)}"


@rows(
    "lines settings says section",
    ("max-age", "4.2.1", [DATE, MAX_AGE], {}, "Cache-Control: max-age gives it 60 s", "RFC 9111 §4.2.1"),
    ("Expires", "4.2.1", [DATE, f"Expires: {format_date(NOW + 9)}"], {}, "Expires gives it 9 s", "RFC 9111 §4.2.1"),
    (
        *("s-maxage", "4.2.1", [DATE, f"{MAX_AGE}, s-maxage=7"], {"shared": True}),
        *("Cache-Control: s-maxage gives it 7 s", "RFC 9111 §4.2.1"),
    ),
    (
        *("a private cache", "5.2.2.10", [DATE, f"{MAX_AGE}, s-maxage=7"], {}),
        *("Cache-Control: max-age gives it 60 s", "RFC 9111 §4.2.1"),
    ),
    (
        *("targeted", "9213", [DATE, MAX_AGE, "CDN-Cache-Control: max-age=5"], {"shared": True}),
        *("CDN-Cache-Control gives it 5 s", "RFC 9111 §4.2.1"),
    ),
    (
        *("the heuristic", "4.2.2", [DATE, MODIFIED], {}),
        *("the heuristic (10% of the time since Last-Modified, 604800 s at most) gives it 100 s", "RFC 9111 §4.2.2"),
    ),
    (
        *("nothing to guess from", "4.2.2", [DATE], {}),
        *("it states no freshness, and has no Last-Modified", "RFC 9111 §4.2.2"),
    ),
    (
        *("a fixed guess", "4.2.2", [DATE], {"heuristic": Heuristic(fixed=30)}),
        *("the heuristic gives it 30 s", "RFC 9111 §4.2.2"),
    ),
    ("no heuristic", "4.2.2", [DATE], {"heuristic": None}, "heuristic=None", "RFC 9111 §4.2.2"),
    ("the session's time", "-", [DATE, MAX_AGE], {"expire_after": 5}, "expire_after gives it 5 s", "settings"),
    ("for ever", "-", [DATE], {"expire_after": -1}, "expire_after says that it stays fresh for ever", "settings"),
    ("at once", "-", [DATE, MAX_AGE], {"expire_after": 0}, "expire_after gives it 0 s", "settings"),
    ("by URL", "-", [DATE], {"urls_expire_after": {"*": 5}}, "urls_expire_after gives it 5 s", "settings"),
    ("no time", "-", [DATE], {"cache_control": False}, "cache_control=False, and no expire_after", "settings"),
    ("not at all", "-", [DATE], {"expire_after": DO_NOT_CACHE}, "expire_after says DO_NOT_CACHE", "settings"),
)
def test_who_says_how_long(lines: list[str], settings: dict[str, Any], says: str, section: str) -> None:
    policy, request = Policy(**settings), ask()
    record = record_of(*lines)
    for now in (NOW, NOW + 50, NOW + 5000):
        found = lifetime_of(record, request, policy, now)
        head = record.head
        expiry = user_time(request, head.remembered, policy)
        assert found.left == remaining(head.facts, head.status, head.received_at, now, policy, expiry)
        assert found.state == ("fresh" if found.left > 0 else "stale")
        assert says in found.says
        assert found.section == section


def test_the_time_of_a_request_comes_first() -> None:
    policy = Policy(expire_after=500)
    record = record_of(DATE, MAX_AGE)
    asked = ask(options=Options(expiry=Resident(5.0)))
    assert lifetime_of(record, asked, policy, NOW).says.startswith("expire_after of this request gives it 5 s")
    asked = ask(options=Options(expiry=DoNotCache()))
    assert lifetime_of(record, asked, policy, NOW).says == "expire_after of this request says DO_NOT_CACHE"


@pytest.mark.parametrize(("at", "said"), [(NOW + 5, "is still to come"), (NOW - 5, "has passed")])
def test_a_moment(at: float, said: str) -> None:
    asked = ask(options=Options(expiry=Until(at)))
    found = lifetime_of(record_of(DATE, MAX_AGE), asked, Policy(), NOW)
    assert found.says == f"expire_after of this request names a moment that {said}"
    assert found.left == at - NOW


def test_a_time_that_is_remembered() -> None:
    from msgspec.structs import replace

    from sansio_cache.expiry import pack

    record = record_of(DATE, MAX_AGE)
    kept = Remembered(pack(Resident(7.0)), pack(None))
    told = Record(replace(record.head, remembered=kept), record.stored)
    assert lifetime_of(told, ask(), Policy(), NOW).says.startswith("expire_after of the request that brought it")
    assert lifetime_of(told, ask(), Policy(expire_after=9), NOW).says.startswith("expire_after gives it 9 s")


def test_an_error_is_kept_by_its_own_word() -> None:
    found = lifetime_of(record_of(DATE, MAX_AGE, status=503), ask(), Policy(expire_after=5000), NOW)
    assert found.says.startswith("Cache-Control: max-age gives it 60 s")
    unsaid = lifetime_of(record_of(DATE, status=503), ask(), Policy(), NOW)
    assert "that of a 503 must not be guessed" in unsaid.says


def test_nothing_is_believed_of_the_future() -> None:
    found = lifetime_of(record_of(DATE, MAX_AGE, at=NOW + 1000), ask(), Policy(), NOW)
    assert found.state == "stale"
    assert "received in the future" in found.says
