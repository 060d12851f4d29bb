"""One request on its way through the cache: what each action asks of store and network, and who is set free."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable
from typing import Any
from unittest.mock import ANY, call

import pytest
from core_rows import NOW, ask, fields, got, item_of, record_of, rules_of, stored_of
from scripted import Asked, ClaimingStore, Row, ScriptedStore, ScriptedTransfer, after, played, scripted_engine

from sansio_cache.actions import (
    Alone,
    BodyStart,
    Claim,
    Discard,
    Drop,
    Fetch,
    Freshen,
    Granted,
    Landed,
    Later,
    Load,
    LoadBody,
    Loaded,
    Supersede,
)
from sansio_cache.errors import StoreError
from sansio_cache.exchange import exchange
from sansio_cache.keeping import Superseded
from sansio_cache.messages import Options, Received, Unreachable
from sansio_cache.policy import Policy
from sansio_cache_adapters.cache.exchange import Exchange, NativeResponse
from sansio_cache_adapters.stores.forking import FORKS
from sansio_cache_adapters.stores.protocol import Lease, Seen

pytestmark = pytest.mark.usefixtures("no_probes")

KEYS = rules_of().maker.keys(ask())
SEEN_BEFORE, NEW = stored_of(item_of(got()), 7), stored_of(item_of(got()), 8)
STORABLE = ("Cache-Control: max-age=60", "Content-Length: 4")
A_CLAIM = call.claim(KEYS.partition, KEYS.resource, ANY, now=ANY, until=ANY)
LOAD = call.load(KEYS.partition)


class Performed:
    """An exchange, and all that it uses."""

    def __init__(self, store: ScriptedStore | None = None, policy: Policy | None = None) -> None:
        self.store = ClaimingStore() if store is None else store
        self.engine = scripted_engine(self.store, policy)
        self.transfer = ScriptedTransfer()
        self.later: list[tuple[Any, ...]] = []
        self.exchange: Exchange[Any] = Exchange(self.engine, self.transfer, lambda *what: self.later.append(what))

    def claim(self, *script: Row, patience: float = 5.0) -> object:
        return type(played(self.exchange.claim(Claim(KEYS, patience, [7])), *script))

    def fetch(self, response: object, *before: Row) -> Received | Unreachable:
        return played(self.exchange.fetch(Fetch(ask())), *before, (call.send(ask()), response))

    def answered(self, *script: Row) -> Any:
        begun = exchange(ask(), self.engine.rules, self.engine.clock())
        return played(self.exchange.answered(ask(), begun), *script)


def response(*lines: str, status: int = 200, refusal: str = "", native: str = "native") -> NativeResponse[str]:
    return NativeResponse(status, "OK", fields(*lines), native, refusal)


def pauses(*seconds: float) -> list[Row]:
    return [row for each in seconds for row in ((A_CLAIM, Lease.HELD), (call.pause(each), None))]


# Claims


@pytest.mark.parametrize(
    ("script", "reply"),
    [
        ([(A_CLAIM, Lease.GRANTED), (LOAD, [])], Granted),
        ([(A_CLAIM, Lease.GRANTED), (LOAD, [SEEN_BEFORE])], Granted),
        ([(A_CLAIM, Lease.GRANTED), (LOAD, [SEEN_BEFORE, NEW])], Landed),
        ([(A_CLAIM, Lease.GRANTED), (LOAD, StoreError("locked"))], Granted),
        ([*pauses(0.001), (A_CLAIM, Lease.GRANTED)], Landed),
        ([*pauses(0.001, 0.002, 0.004, 0.008, 0.016, 0.025, 0.025), (A_CLAIM, Lease.GRANTED)], Landed),
        ([(A_CLAIM, Lease.OPEN)], Alone),
        ([*pauses(0.001), (A_CLAIM, Lease.OPEN)], Alone),
        ([(A_CLAIM, StoreError("locked"))], Alone),
    ],
    ids=["granted", "nothing new", "another was faster", "unreadable", "waited", "pauses", "open", "opened", "trouble"],
)
def test_what_a_claim_comes_to(script: list[Row], reply: type[object]) -> None:
    assert Performed().claim(*script) is reply


def test_the_lease_of_another_process_is_waited_for_as_long_as_was_said() -> None:
    made = Performed()
    clock = made.engine.clock
    assert (
        made.claim((A_CLAIM, Lease.HELD), (call.pause(0.001), after(clock, 5.0, None)), (A_CLAIM, Lease.HELD)) is Alone
    )


def test_a_claim_says_until_when_it_holds() -> None:
    made = Performed()
    now = made.engine.clock()
    claimed = call.claim(KEYS.partition, KEYS.resource, ANY, now=now, until=now + 60.0)
    assert made.claim((claimed, Lease.GRANTED), (LOAD, [])) is Granted


def test_leases_that_could_not_be_given_back_go_before_the_next_claim() -> None:
    made = Performed()
    released: list[int] = []
    made.engine.breaker.down = True
    made.engine.give_back(lambda: released.append(len(released)))
    made.engine.breaker.down = False
    made.claim((A_CLAIM, lambda: released.append(9) or Lease.OPEN))
    assert released == [0, 1, 9]


def test_a_lease_that_is_held_is_not_asked_for_again() -> None:
    made = Performed()
    made.claim((A_CLAIM, Lease.GRANTED), (LOAD, []))
    assert made.claim() is Granted


class InMemory(ClaimingStore):
    instant = True


@pytest.mark.parametrize(("there", "reply"), [([], Granted), ([SEEN_BEFORE], Granted), ([SEEN_BEFORE, NEW], Landed)])
def test_in_the_memory_of_one_process_flights_stand_for_claims(there: list[Any], reply: type[object]) -> None:
    """Another flight may have ended between the look into the store and the beginning of ours."""
    assert Performed(InMemory()).claim((LOAD, there)) is reply


@pytest.mark.parametrize("begun_before_fork", [True, False])
def test_alone_where_there_are_no_claims(begun_before_fork: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a child the exchange is a copy of the parent's, which leads; a store may have no claims at all."""
    made = Performed(None if begun_before_fork else ScriptedStore())
    if begun_before_fork:
        monkeypatch.setattr(FORKS, "generation", FORKS.generation + 1)
    assert made.claim() is Alone
    assert made.engine.flights.count() == (0 if begun_before_fork else 1), "others of this process share the fetch"


HEAD_CAME, BODY_CAME = call.wait(ANY, 5.0), call.wait(ANY, 1.0)


@pytest.mark.parametrize(
    ("script", "reply"),
    [
        ([(HEAD_CAME, True), (BODY_CAME, True)], Landed),
        ([(HEAD_CAME, False)], Alone),
        ([(HEAD_CAME, True), (BODY_CAME, False)], Alone),
    ],
    ids=["landed", "no head", "no body"],
)
def test_what_waiting_for_another_of_this_process_comes_to(script: list[Row], reply: type[object]) -> None:
    made = Performed()
    made.engine.flights.join(made.engine.store_id, KEYS, "another")
    assert made.claim(*script) is reply


def test_a_body_that_takes_too_long_is_waited_for_by_nobody() -> None:
    leader, made = Performed(), Performed()
    made.engine.flights = leader.engine.flights
    made.engine.me = lambda: "another"
    leader.claim((A_CLAIM, Lease.GRANTED), (LOAD, []))
    flight = next(iter(made.engine.flights._flights.values()))
    assert made.claim((HEAD_CAME, True), (BODY_CAME, False)) is Alone
    assert flight.rests
    assert flight.done.done()
    assert leader.store.noted == [call.release(KEYS.partition, ANY, open_until=leader.engine.clock() + 1.0)]


def test_all_bodies_together_are_waited_for_no_longer_than_one() -> None:
    made = Performed()
    for waited, left in ((0.75, 1.0), (0.5, 0.25), (0.0, 0.0)):
        made.engine.flights.begin_anew()
        made.engine.flights.join(made.engine.store_id, KEYS, "another")
        done = (call.wait(ANY, left), after(made.engine.clock, waited, True))
        assert made.claim((HEAD_CAME, True), done) is Landed


def test_who_leads_already_or_need_not_queue_fetches_alone() -> None:
    made = Performed()
    flights, store_id = made.engine.flights, made.engine.store_id
    _, flight = flights.join(store_id, KEYS, "me")
    assert made.claim() is Alone
    flights.end(flight, storable=False)
    assert made.claim() is Alone


# The network


def test_a_response_is_received_between_two_times() -> None:
    made = Performed()
    now = made.engine.clock()
    received = made.fetch(after(made.engine.clock, 3.0, response("A: b", status=203)))
    assert isinstance(received, Received)
    assert (received.status, received.headers.get("a")) == (203, "b")
    assert (received.requested_at, received.received_at) == (now, now + 3.0)


def test_a_failure_of_the_network_is_a_reply() -> None:
    error = OSError("no route")
    made = Performed()
    unreachable = made.fetch(after(made.engine.clock, 3.0, error))
    assert unreachable == Unreachable(error, made.engine.clock())


def test_a_response_that_is_not_the_answer_is_given_up_before_the_next_request() -> None:
    made = Performed()
    made.fetch(response())
    made.fetch(response(native="second"), (call.discard("native"), None))
    assert made.exchange._native == "second"


# The store


def test_a_look_removes_first_what_was_superseded() -> None:
    made = Performed()
    made.engine.supersede(b"p", [Superseded(b"v", 3, certain=True)])
    script: list[Row] = [(call.change([Seen(b"p", b"v", 3)], None), 1), (LOAD, [NEW])]
    assert played(made.exchange.load(Load(KEYS)), *script) == Loaded([NEW], made.engine.clock())


def test_a_store_in_trouble_holds_nothing() -> None:
    made = Performed()
    for script in ([(LOAD, StoreError("locked"))], []):
        assert list(played(made.exchange.load(Load(KEYS)), *script).records) == []
    assert made.engine.breaker.down


RECORD = record_of("Cache-Control: max-age=60")
ITEM = item_of(got("Cache-Control: max-age=60"))
CHANGE = call.change([Seen(ITEM.partition, ITEM.variant, 7)], ITEM)
REMOVE = call.change([Seen(KEYS.partition, b"v", 3)], None)
GONE = Superseded(b"v", 3, certain=True)


@pytest.mark.parametrize(
    ("perform", "script", "reply"),
    [
        (lambda made: made.freshen(Freshen(ITEM, 7)), [(CHANGE, 1)], True),
        (lambda made: made.freshen(Freshen(ITEM, 7)), [(CHANGE, 0)], False),
        (lambda made: made.freshen(Freshen(ITEM, 7)), [(CHANGE, StoreError("full"))], False),
        (lambda made: made.drop(Drop(b"r")), [(call.drop(b"r", now=ANY), 3)], None),
        (lambda made: made.supersede(Supersede(KEYS, [GONE])), [(REMOVE, 1)], None),
        (lambda made: made.discard(Discard(RECORD)), [(call.change([ANY], None), 1)], None),
        (lambda made: made.load_body(LoadBody(RECORD, 0)), [(call.chunk(ANY, 0), b"c")], BodyStart(b"", b"c")),
        (lambda made: made.load_body(LoadBody(RECORD, 0)), [(call.chunk(ANY, 0), StoreError("gone"))], None),
    ],
    ids=["freshened", "changed meanwhile", "not freshened", "drop", "supersede", "discard", "body", "no body"],
)
def test_what_an_action_asks_of_the_store(perform: Callable[[Any], Any], script: list[Row], reply: object) -> None:
    assert played(perform(Performed().exchange), *script) == reply


@pytest.mark.parametrize(
    "perform",
    [lambda made: made.freshen(Freshen(ITEM, 7)), lambda made: made.supersede(Supersede(KEYS, [GONE]))],
    ids=["freshen", "supersede"],
)
def test_of_a_response_that_may_not_be_kept_the_store_hears_nothing(perform: Callable[[Any], Any]) -> None:
    made = Performed()
    made.fetch(response(refusal="connection-auth"))
    assert not played(perform(made.exchange))


def test_what_is_dropped_is_joined_by_nobody_and_need_not_be_waited_for() -> None:
    class Soon(ClaimingStore):
        def drop_soon(self, resource: bytes, *, now: float) -> Asked:
            return Asked(call.drop_soon(resource, now=now))

    made = Performed(Soon())
    made.engine.flights.join(made.engine.store_id, KEYS, "another")
    played(made.exchange.drop(Drop(KEYS.resource)), (call.drop_soon(KEYS.resource, now=made.engine.clock()), None))
    assert made.engine.flights.count() == 0


def test_a_validation_in_the_background_keeps_what_was_said_of_the_time() -> None:
    made = Performed()
    told = Options(force_refresh=True, only_if_cached=True, tags=("t",))
    played(made.exchange.later(Later(ask(options=told), KEYS)))
    [(request, key)] = made.later
    assert request.options == Options(refresh=True, tags=("t",))
    assert key == (made.engine.store_id, KEYS.partition)


# The whole way


def miss(answer: object) -> list[Row]:
    return [(LOAD, []), (A_CLAIM, Lease.GRANTED), (LOAD, []), (call.send(ask()), answer)]


def test_a_miss_is_delivered_with_a_tee_which_takes_over_the_duty() -> None:
    made = Performed()
    answer, native, tee = made.answered(*miss(response(*STORABLE)))
    assert (answer.status, native, tee.done, made.store.noted) == (200, "native", False, [])
    [flight] = made.engine.flights._flights.values()
    assert (flight.head.done(), flight.done.done()) == (True, False)
    tee.abandon()
    assert made.engine.flights.count() == 0
    assert made.store.noted == [call.release(KEYS.partition, ANY, open_until=0.0)]


@pytest.mark.parametrize(
    ("lines", "policy", "why"),
    [
        (("Cache-Control: no-store",), Policy(), "no-store"),
        ((*STORABLE[:1], "Content-Length: 9"), Policy(max_body=8), "too-large"),
    ],
)
def test_an_answer_that_is_not_stored_sets_all_free_and_is_queued_for_by_nobody(
    lines: tuple[str, ...], policy: Policy, why: str
) -> None:
    made = Performed(policy=policy)
    answer, native, tee = made.answered(*miss(response(*lines)))
    assert (native, tee, answer.keeping, answer.cache_status.detail) == ("native", None, None, why)
    assert made.engine.flights.count() == 0
    assert made.store.noted == [call.release(KEYS.partition, ANY, open_until=made.engine.clock() + 10.0)]


@pytest.mark.parametrize(("state", "why"), [("down", "store-unavailable"), ("read_only", "read-only")])
def test_nothing_is_kept_where_the_store_cannot_be_written(state: str, why: str) -> None:
    made = Performed()

    def meanwhile() -> object:
        setattr(made.engine.breaker, state, True)
        return response(*STORABLE)

    answer, native, tee = made.answered(*miss(meanwhile))
    assert (native, tee, answer.cache_status.stored, answer.cache_status.detail) == ("native", None, False, why)
    assert made.engine.stats.not_stored[why] == 1


def test_an_answer_from_the_store_frees_who_waits_and_counts() -> None:
    """Another was faster than our claim: what it has stored is the answer."""
    made = Performed()
    now = made.engine.clock()
    stored = stored_of(item_of(got("Cache-Control: max-age=60", at=now)))
    script = [(LOAD, []), (A_CLAIM, Lease.GRANTED), (LOAD, [stored]), (LOAD, [stored])]
    answer, native, tee = made.answered(*script)
    assert (answer.from_cache, native, tee) == (True, None, None)
    assert made.store.noted == [
        call.touch(KEYS.partition, ANY, now=now),
        call.release(KEYS.partition, ANY, open_until=0.0),
    ]
    assert (made.engine.flights.count(), made.engine.stats.hits) == (0, 1)


def test_an_answer_that_was_found_is_given_and_counted() -> None:
    made = Performed()
    stored = stored_of(item_of(got("Cache-Control: max-age=60", at=made.engine.clock())))
    found = made.engine.look(ask(), lambda _: [stored])
    assert played(made.exchange.answered(ask(), found)) == (found, None, None)
    assert made.engine.stats.hits == 1


def test_a_response_that_only_confirms_is_given_up() -> None:
    made = Performed()
    old = got("Cache-Control: max-age=60", 'ETag: "a"', at=NOW)
    stored = stored_of(item_of(old))
    sent: list[Any] = []

    class Any304:
        def __eq__(self, other: object) -> bool:
            sent.append(other)
            return True

        __hash__ = None  # type: ignore[assignment]

    script: list[Row] = [
        (LOAD, [stored]),
        (A_CLAIM, Lease.GRANTED),
        (LOAD, [stored]),
        (Any304(), response('ETag: "a"', status=304)),
        (call.change([Seen(KEYS.partition, ANY, 1)], ANY), 1),
        (call.discard("native"), None),
    ]
    answer, native, tee = made.answered(*script)
    assert (answer.status, answer.revalidated, native, tee) == (200, True, None, None)
    assert sent[0].args[0].headers.get("if-none-match") == '"a"'
    assert made.engine.flights.count() == 0


@pytest.mark.parametrize("error", [CancelledError(), KeyboardInterrupt()])
@pytest.mark.parametrize("at", range(5))
def test_a_cancelled_request_leaves_nobody_waiting(at: int, error: BaseException) -> None:
    """At every place where a miss can wait; a claim that was under way may be held all the same."""
    made = Performed(policy=Policy())
    confirming = [*miss(response('ETag: "a"', status=304)), (call.discard("native"), None)]
    script = [*confirming[:at], (confirming[at][0], error)]
    if at == 4:  # the second request of one exchange
        made.fetch(response())
        script = [(call.discard("native"), error)]
        with pytest.raises(type(error)):
            played(made.exchange.fetch(Fetch(ask())), *script)
        return
    with pytest.raises(type(error)):
        made.answered(*script)
    assert made.engine.flights.count() == 0
    released = [call.release(KEYS.partition, ANY, open_until=0.0)]
    assert made.store.noted == (released if at > 0 else [])


def test_an_error_ends_what_has_come() -> None:
    """A filter of the user's raises once the head is there: the connection is dropped, and those who wait go on."""
    made = Performed()

    def broken(*_: object) -> None:
        raise LookupError

    made.engine.events.answered = broken
    with pytest.raises(LookupError):
        made.answered(*miss(response(*STORABLE)))
    assert made.transfer.noted == [call.abort("native")]
    assert (made.engine.flights.count(), made.store.noted) == (0, [call.release(KEYS.partition, ANY, open_until=0.0)])
