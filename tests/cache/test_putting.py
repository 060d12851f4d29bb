"""Responses put in by hand: what counts as one, and what is said of it."""

from __future__ import annotations

from typing import Any, cast
from unittest.mock import ANY, call

import pytest
from core_rows import ask, fields, got
from scripted import ClaimingStore, Row, played, scripted_engine

from sansio_cache.errors import SettingError, StoreError
from sansio_cache.exchange import exchange
from sansio_cache.messages import Kept, Options
from sansio_cache.policy import Policy
from sansio_cache_adapters.cache.exchange import Exchange
from sansio_cache_adapters.cache.putting import GivenResponse, Put, core_given, decoded, put

pytestmark = pytest.mark.usefixtures("no_probes")

GIVEN = GivenResponse(200, "OK", fields("Cache-Control: max-age=60"), b"body")


def kept(body: bytes | None) -> Kept:
    return Kept(200, "OK", fields("A: b"), body)


@pytest.mark.parametrize(
    ("response", "body", "given"),
    [
        (got("A: b"), b"body", GivenResponse(200, "OK", fields("A: b"), b"body", got().received_at)),
        (got("A: b"), b"", GivenResponse(200, "OK", fields("A: b"), b"", got().received_at)),
        (kept(b"body"), None, GivenResponse(200, "OK", fields("A: b"), b"body")),
        (object(), None, None),
    ],
)
def test_what_the_core_gives(response: object, body: bytes | None, given: GivenResponse | None) -> None:
    assert core_given(response, body) == given


@pytest.mark.parametrize(
    ("response", "body", "said"),
    [
        (got(), None, "give its body=b'…' too, not None"),
        (got(), "text", "not 'text'"),
        (object(), b"body", "body= goes with a Received"),
        (kept(b"body"), b"body", "body= goes with a Received"),
        (kept(None), None, "comes without its body"),
    ],
)
def test_what_is_no_response(response: object, body: Any, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        core_given(response, body)


@pytest.mark.parametrize(
    ("coding", "left"),
    [
        ([("Content-Encoding", "gzip")], ["A"]),
        ([], ["A", "Content-Length", "Transfer-Encoding"]),
    ],
)
def test_what_the_fields_say_of_a_coding_goes_with_it(coding: list[tuple[str, str]], left: list[str]) -> None:
    given = decoded(
        200, None, [("A", "b"), ("Content-Length", "9"), ("Transfer-Encoding", "chunked"), *coding], b"body"
    )
    assert ([name for name, _ in given.headers.items], given.reason, given.body) == (left, "", b"body")


class Session:
    """The answering half of one."""

    def __init__(self, policy: Policy) -> None:
        self.store = ClaimingStore()
        self.engine = scripted_engine(self.store, policy)
        self.asked: list[Any] = []

    def answering(self, request: Any, transfer: Any) -> Any:
        self.asked.append(request)
        assert transfer.detached() is transfer
        for each in (transfer.discard, transfer.abort):
            assert each(None) is None
        assert transfer.drain(None, None) is None
        steps = exchange(request, self.engine.rules, self.engine.clock())
        return Exchange(self.engine, transfer, lambda *_: None).answered(request, steps)

    def put(self, given: GivenResponse, *script: Row, options: Options | None = None) -> Put:
        request = ask() if options is None else ask(options=options)
        return played(put(cast(Any, self), request, given), *script)


COMMIT = call.commit(ANY, vary_limit=ANY, now=ANY)


def committing() -> tuple[Row, list[Any]]:
    """A row for the commit, and the items that come by it."""
    items: list[Any] = []

    class Commit:
        def __eq__(self, other: object) -> bool:
            items.append(other.args[0])
            return bool(other == COMMIT)

        __hash__ = None  # type: ignore[assignment]

    return (Commit(), True), items


LOAD: Row = (call.load(ANY), [])


def test_a_response_is_judged_and_stored_like_any_other() -> None:
    session = Session(Policy())
    commit, items = committing()
    put = session.put(GIVEN, LOAD, commit, options=Options(tags=("t",)))
    assert items[0].body == b"body"
    assert (put, bool(put)) == (Put(stored=True, reason=""), True)
    assert session.asked[0].options == Options(tags=("t",), force_refresh=True)


@pytest.mark.parametrize(
    ("given", "script", "reason"),
    [
        (GIVEN._replace(headers=fields("Cache-Control: no-store")), [LOAD], "no-store"),
        (GIVEN._replace(headers=fields("Cache-Control: max-age=60", "Content-Length: 5")), [LOAD], "incomplete"),
        (GIVEN, [LOAD, (COMMIT, False)], "refused-by-store"),
        (GIVEN, [LOAD, (COMMIT, StoreError("full"))], "store-unavailable"),
    ],
)
def test_why_one_is_not_stored(given: GivenResponse, script: list[Row], reason: str) -> None:
    put = Session(Policy()).put(given, *script)
    assert (put, bool(put)) == (Put(stored=False, reason=reason), False)


@pytest.mark.parametrize("name", ["offline", "read_only"])
def test_a_session_that_writes_nothing_says_so(name: str) -> None:
    with pytest.raises(SettingError, match=f"a session with {name}=True stores nothing"):
        Session(Policy(**{name: True})).put(GIVEN)


@pytest.mark.parametrize(
    ("lain", "age", "kept_for"),
    [(None, None, 60), (0.0, None, 60), (10.5, None, 50), (10.0, "20", 30), (-5.0, None, 60), (10.0, "x", 50)],
)
def test_the_time_with_the_user_counts_as_age(lain: float | None, age: str | None, kept_for: int) -> None:
    session = Session(Policy())
    received_at = None if lain is None else session.engine.clock() - lain
    lines = ["Cache-Control: max-age=60"] + ([] if age is None else [f"Age: {age}"])
    commit, items = committing()
    session.put(GIVEN._replace(headers=fields(*lines), received_at=received_at), LOAD, commit)
    assert items[0].stale_at - session.engine.clock() == kept_for
