"""The tee: which calls of the store a body becomes on its way to the reader, and what is said of it at the end."""

from __future__ import annotations

import gzip
from asyncio import CancelledError
from typing import Any
from unittest.mock import ANY, call

import pytest
from core_rows import ask, fields, got, rules_of
from scripted import ClaimingStore, Row, played, scripted_engine

from sansio_cache.cache_status import CacheStatus
from sansio_cache.errors import ReadOnlyStore, StoreError
from sansio_cache.freshness import read_facts
from sansio_cache.keeping import Keeping, Superseded
from sansio_cache.policy import Policy
from sansio_cache.records import CHUNK_SIZE, INLINE_LIMIT
from sansio_cache_adapters.cache.tee import Tee
from sansio_cache_adapters.stores.finalizers import RELEASING
from sansio_cache_adapters.stores.forking import FORKS
from sansio_cache_adapters.stores.protocol import Seen

pytestmark = pytest.mark.usefixtures("no_probes")

KEYS = rules_of().maker.keys(ask())
COMMIT = call.commit(ANY, vary_limit=ANY, now=ANY)


class Duty:
    """What is owed to those who wait."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def release(self, *, storable: bool) -> None:
        self.said.append("storable" if storable else "not storable")

    def rest(self) -> None:
        self.said.append("rest")


class Passing:
    """A tee, and all that it uses.

    :ivar told: what was said at the end, as it was said.
    """

    def __init__(self, *lines: str, policy: Policy | None = None, superseded: tuple[Superseded, ...] = ()) -> None:
        policy = Policy() if policy is None else policy
        self.store = ClaimingStore()
        self.engine = scripted_engine(self.store, policy)
        rules, reply = rules_of(policy), got("Cache-Control: max-age=60", *lines)
        facts = read_facts(reply, authorized=False)
        keeping = Keeping(ask(), reply, facts, (), KEYS, rules.place, rules.sealer, policy, superseded)
        self.duty = Duty()
        self.tee = Tee(self.engine, keeping, self.duty, FORKS.generation, CacheStatus(stored=True))
        self.told: list[str | None] = []
        self.tee.told = lambda tee: self.told.append(tee.outcome)

    def feed(self, data: bytes, *script: Row) -> None:
        played(self.tee.feed(data), *script)

    def finish(self, *script: Row) -> str | None:
        played(self.tee.finish(), *script)
        return self.tee.outcome

    def committed(self, kept: object = True) -> tuple[Row, list[Any]]:
        """A row for the commit, and the items that come by it."""
        items: list[Any] = []

        class Commit:
            def __eq__(self, other: object) -> bool:
                items.append(other.args[0])
                return bool(other == COMMIT)

            __hash__ = None  # type: ignore[assignment]

        return (Commit(), kept), items


@pytest.mark.parametrize("pieces", [[b""], [b"body"], [b"bo", b"", b"dy"], [bytes(INLINE_LIMIT)]])
def test_a_small_body_lies_beside_its_head(pieces: list[bytes]) -> None:
    made = Passing()
    for piece in pieces:
        made.feed(piece)
    commit, items = made.committed()
    assert made.finish(commit) == ""
    assert (items[0].body, items[0].entry) == (b"".join(pieces), b"")
    assert (made.told, made.duty.said, made.store.noted) == ([""], ["storable"], [])
    assert (made.tee.done, made.tee.lost, made.tee.status.stored, made.engine.stats.stored) == (True, False, True, 1)


def test_a_large_body_goes_in_chunks_under_one_entry() -> None:
    made = Passing()
    made.feed(bytes(CHUNK_SIZE - 1))
    made.feed(bytes(CHUNK_SIZE + 2), (call.write(ANY, 0, bytes(CHUNK_SIZE)), None), (call.write(ANY, 1, ANY), None))
    entry = made.tee._entry
    commit, items = made.committed()
    assert made.finish((call.write(entry, 2, b"\0"), None), commit) == ""
    assert (items[0].body, items[0].entry, items[0].size, len(items[0].hashes)) == (None, entry, 2 * CHUNK_SIZE + 1, 96)
    assert made.store.noted == []


def test_one_byte_more_than_a_small_body_is_a_chunk() -> None:
    made = Passing()
    made.feed(bytes(INLINE_LIMIT + 1))
    assert made.finish((call.write(ANY, 0, bytes(INLINE_LIMIT + 1)), None), (COMMIT, True)) == ""


def refuse(*_: object) -> bool:
    return False


def fail(*_: object) -> bool:
    raise LookupError


@pytest.mark.parametrize(
    ("lines", "policy", "body", "script", "outcome", "duty"),
    [
        (["Content-Length: 5"], Policy(), b"body", [], "incomplete", "storable"),
        (["Content-Encoding: gzip"], Policy(), gzip.compress(b"body")[:-1], [], "incomplete", "storable"),
        ([], Policy(), b"body", [(COMMIT, False)], "refused-by-store", "storable"),
        ([], Policy(), b"body", [(COMMIT, StoreError("full"))], "store-unavailable", "storable"),
        ([], Policy(), b"body", [(COMMIT, ReadOnlyStore("read only"))], "store-unavailable", "storable"),
        ([], Policy(filter_fn=refuse), b"body", [], "filtered", "not storable"),
        ([], Policy(filter_fn=fail), b"body", [], "filtered", "not storable"),
    ],
    ids=["cut", "coding cut", "refused", "full", "read only", "filtered", "filter broken"],
)
def test_why_a_body_is_not_stored_after_all(
    lines: list[str], policy: Policy, body: bytes, script: list[Row], outcome: str, duty: str
) -> None:
    made = Passing(*lines, policy=policy)
    made.feed(body)
    assert made.finish(*script) == outcome
    assert (made.told, made.duty.said) == ([outcome], [duty])
    assert (made.tee.lost, made.tee.status.stored, made.tee.status.detail) == (True, False, outcome)
    assert made.engine.stats.not_stored[outcome] == 1
    assert made.finish() == outcome, "an end comes once"
    made.tee.abandon()
    assert made.told == [outcome]


def test_a_body_that_grows_too_large_is_given_up_at_once() -> None:
    made = Passing(policy=Policy(max_body=CHUNK_SIZE + 1))
    made.feed(bytes(CHUNK_SIZE), (call.write(ANY, 0, ANY), None))
    entry = made.tee._entry
    made.feed(b"ab")
    assert (made.tee.done, made.told, made.duty.said) == (True, ["too-large"], ["not storable"])
    assert made.store.noted == [call.abort(entry)]
    made.feed(bytes(CHUNK_SIZE))


@pytest.mark.parametrize(
    ("error", "outcome"), [(StoreError("full"), "store-unavailable"), (CancelledError(), "cancelled")]
)
@pytest.mark.parametrize("at_commit", [False, True])
def test_chunks_of_a_body_that_fails_are_given_up(error: BaseException, outcome: str, at_commit: bool) -> None:
    made = Passing()
    write = (call.write(ANY, 0, ANY), None if at_commit else error)
    try:
        made.feed(bytes(CHUNK_SIZE), write)
        if at_commit:
            made.finish((COMMIT, error))
    except CancelledError:
        assert outcome == "cancelled"
    assert (made.told, made.duty.said) == ([outcome], ["storable"])
    assert made.store.noted == [call.abort(ANY)]
    assert made.engine.breaker.down is (outcome == "store-unavailable")


def test_a_coding_that_expands_leaves_others_their_turn() -> None:
    bomb = gzip.compress(bytes(4_000_000), 9)
    made = Passing("Content-Encoding: gzip")
    pauses: list[Row] = [(call.pause(0.0), None)] * 7
    made.feed(bomb, *pauses)
    assert made.finish((COMMIT, True)) == ""


def test_who_is_cancelled_in_such_a_pause_gives_up() -> None:
    made = Passing("Content-Encoding: gzip")
    with pytest.raises(CancelledError):
        made.feed(gzip.compress(bytes(4_000_000), 9), (call.pause(0.0), CancelledError()))
    assert (made.told, made.duty.said) == (["cancelled"], ["storable"])


@pytest.mark.parametrize(
    ("data", "limit", "outcome"),
    [(b"body", 100, None), (b"body", 3, "too-large"), (bytes(CHUNK_SIZE), CHUNK_SIZE, "body-not-read")],
    ids=["held", "too large", "to be written"],
)
def test_what_comes_where_nothing_can_be_waited_for(data: bytes, limit: int, outcome: str | None) -> None:
    made = Passing(policy=Policy(max_body=limit))
    made.tee.hold(data)
    assert (made.tee.outcome, made.tee.done) == (outcome, outcome is not None)
    made.tee.hold(data)
    if outcome is None:
        commit, items = made.committed()
        made.finish(commit)
        assert items[0].body == data + data


def test_others_wait_for_a_body_no_longer_than_was_said() -> None:
    made = Passing(policy=Policy(wait_for_body=2.0))
    made.feed(b"a")
    made.engine.clock.advance(2.0)
    made.feed(b"b")
    assert made.duty.said == []
    made.engine.clock.advance(0.5)
    made.feed(b"c")
    assert made.duty.said == ["rest"]
    made.tee.set_free()
    assert made.finish((COMMIT, True)) == ""
    assert made.duty.said == ["rest"], "who was set free is not released again"


OLD = Superseded(b"an older variant", 3, certain=True)
MAYBE = Superseded(b"perhaps the same", 4, certain=False)


def gone(each: Superseded) -> Row:
    return call.change([Seen(KEYS.partition, each.variant, each.rev)], None), 1


def test_what_a_stored_response_supersedes_goes_but_for_what_it_replaces() -> None:
    plain = Passing()
    commit, items = plain.committed()
    plain.finish(commit)
    replaced = Superseded(items[0].variant, 9, certain=True)
    made = Passing(superseded=(OLD, replaced, MAYBE))
    made.finish((COMMIT, True), gone(OLD), gone(MAYBE))


@pytest.mark.parametrize(("kept", "going"), [(False, [OLD, MAYBE]), (None, [OLD])], ids=["refused", "cut"])
def test_what_goes_where_the_response_is_not_stored(kept: bool | None, going: list[Superseded]) -> None:
    """What broke off may have been the same again: only what is certain goes."""
    made = Passing("Content-Length: 4", superseded=(OLD, MAYBE))
    made.feed(b"bod" if kept is None else b"body")
    made.finish(*([] if kept is None else [(COMMIT, kept)]), *map(gone, going))


def test_a_body_that_grows_too_large_supersedes_too() -> None:
    made = Passing(policy=Policy(max_body=2), superseded=(OLD,))
    made.feed(b"body", gone(OLD))


def test_in_a_child_that_was_forked_meanwhile_it_is_the_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Passing(superseded=(OLD,))
    made.feed(bytes(CHUNK_SIZE), (call.write(ANY, 0, ANY), None))
    monkeypatch.setattr(FORKS, "generation", FORKS.generation + 1)
    assert made.tee.done
    made.feed(b"more")
    assert made.finish() is None
    made.tee.abandon()
    assert (made.store.noted, list(made.engine.noted)) == ([], [])


def test_what_is_dropped_is_let_go_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finalizer takes no lock: it leaves what it holds, and is counted with the next event."""
    left: list[Any] = []
    monkeypatch.setattr(type(RELEASING), "__call__", lambda _, job: left.append(job))
    made = Passing(superseded=(OLD, MAYBE))
    made.feed(bytes(CHUNK_SIZE), (call.write(ANY, 0, ANY), None))
    made.tee.drop()
    assert (made.tee.done, made.told, made.store.noted, made.duty.said) == (True, ["body-not-read"], [], [])
    [let_go] = left
    let_go()
    assert (made.store.noted, made.duty.said) == ([call.abort(ANY)], ["storable"])
    assert [each for _, each in made.engine.noted] == [OLD]
    assert made.engine.stats.not_stored["body-not-read"] == 1
    bare = Tee(made.engine, made.tee._keeping, None, FORKS.generation, CacheStatus())
    bare._superseded = ()
    bare.drop()
    assert len(left) == 1, "nothing to let go of"


def test_a_generator_that_is_closed_lets_go_like_a_finalizer(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[Any] = []
    monkeypatch.setattr(type(RELEASING), "__call__", lambda _, job: left.append(job))
    made = Passing()

    def reading() -> Any:
        try:
            yield
        finally:
            made.tee.abandon()

    reader = reading()
    next(reader)
    reader.close()
    assert (len(left), made.duty.said, made.told) == (1, [], ["body-not-read"])


def test_until_its_end_a_body_that_nobody_has_read_is_not_stored() -> None:
    made = Passing("Content-Length: 4")
    assert made.tee.expected == 4
    assert (made.tee.status.stored, made.tee.status.detail, made.tee.lost) == (False, "body-not-read", False)


def test_trouble_in_giving_up_is_the_stores() -> None:
    made = Passing()
    made.feed(bytes(CHUNK_SIZE), (call.write(ANY, 0, ANY), None))
    made.store.trouble = ZeroDivisionError()
    made.tee.abandon()
    assert made.engine.breaker.down
    assert made.duty.said == ["storable"]


def test_a_filter_that_looks_at_the_content_gets_it_without_its_coding() -> None:
    seen: list[object] = []

    def by_content(response: Any) -> bool:
        seen.append(response.text)
        return True

    made = Passing("Content-Encoding: gzip", policy=Policy(filter_fn=by_content))
    made.feed(gzip.compress(b"text"))
    made.finish((COMMIT, True))
    assert seen == ["text"]
    assert fields("A: b").get("a") == "b"
