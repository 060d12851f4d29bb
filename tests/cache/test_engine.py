"""The engine: opening, the look into the store, what waits to be removed or given back, and what is told."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any
from unittest.mock import call
from weakref import ref

import pytest
from core_rows import BODY, META, SECRET, ask, got, item_of, record_of, rules_of, stored_of
from scripted import ClaimingStore, Row, ScriptedStore, played, scripted_engine

from sansio_cache.actions import BodyStart, LoadBody
from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused
from sansio_cache.errors import BadSignature, BrokenRecord, KeyRequired, SettingError, StoreError
from sansio_cache.keeping import Superseded
from sansio_cache.policy import Policy
from sansio_cache.records import Meta, Stored
from sansio_cache.sealing import Sealer
from sansio_cache_adapters.cache.engine import Engine
from sansio_cache_adapters.cache.flights import FLIGHTS
from sansio_cache_adapters.stores.protocol import Seen

pytestmark = pytest.mark.usefixtures("no_probes")

SIGNED = META._replace(signed=True)
OPEN = call.open(signed=False)
GONE = [Superseded(bytes([number]), number, certain=True) for number in (1, 2)]


def change(each: Superseded) -> Any:
    return call.change([Seen(b"p", each.variant, each.rev)], None)


def fresh(engine: Engine) -> Stored:
    return stored_of(item_of(got("Cache-Control: max-age=60", at=engine.clock())))


def test_how_a_session_waits_is_the_engines() -> None:
    """Flights are shared by all sessions of a process; who leads one is a thread or a task."""
    given: dict[str, Any] = {"probe": lambda: META, "me": object, "wait": isinstance, "pause": print}
    store: Any = ClaimingStore()
    engine = Engine(Policy(), store, Sealer(()), **given)
    assert (engine.me, engine.wait, engine.pause, engine.flights) == (object, isinstance, print, FLIGHTS)


def test_a_store_is_opened_once() -> None:
    engine = scripted_engine(opened=False)
    rules = played(engine.opened(), (OPEN, META))
    assert rules is not None
    assert played(engine.opened()) is rules
    assert engine.store_id == META.store_id


def test_a_store_in_trouble_has_no_rules_and_is_opened_by_the_probe() -> None:
    engine = scripted_engine(opened=False)
    for script in ([(OPEN, StoreError("locked"))], []):
        assert played(engine.opened(), *script) is None
    assert engine.breaker.heal() is None
    assert engine.rules is not None


@pytest.mark.parametrize(
    ("secret", "meta", "fails"), [((), SIGNED, True), ((), META, False), ((SECRET,), SIGNED, False)]
)
def test_a_signed_store_needs_its_secret(secret: tuple[bytes, ...], meta: Meta, fails: bool) -> None:
    engine = scripted_engine(sealer=Sealer(secret), opened=False)
    opening: Row = (call.open(signed=bool(secret)), meta)
    if fails:
        with pytest.raises(KeyRequired, match="at here is signed: open it with its secret_key"):
            played(engine.opened(), opening)
    else:
        assert played(engine.opened(), opening) is not None


def test_a_store_made_anew_has_rules_of_its_own() -> None:
    engine = scripted_engine()
    known = engine.rules
    assert engine.take_meta(META) is known
    assert engine.take_meta(META._replace(store_id=b"another id")) is not known


def test_a_probe_does_not_keep_its_session() -> None:
    engine = scripted_engine(opened=False)
    probe, gone = engine.breaker._probe, ref(engine)
    del engine
    gc.collect()
    assert gone() is None
    probe()


# The look


def test_what_is_fresh_is_found() -> None:
    engine = scripted_engine()
    found = engine.look(ask(), lambda _: [fresh(engine)])
    assert isinstance(found, Answer)
    assert found.from_cache
    assert engine.stats.hits == 0, "it was not taken yet"


@pytest.mark.parametrize(
    ("records", "verb"), [(None, "load"), ([], "claim")], ids=["the store cannot say at once", "nothing there"]
)
def test_where_the_look_pauses(records: list[Stored] | None, verb: str) -> None:
    paused = scripted_engine().look(ask(), lambda _: records)
    assert isinstance(paused, Paused)
    assert paused.action.verb == verb


def _down(engine: Any) -> None:
    engine.breaker.down = True


def _closed(engine: Any) -> None:
    engine.rules = None


def _owing(engine: Any) -> None:
    engine.supersede(b"p", GONE)


@pytest.mark.parametrize("prepare", [_down, _closed, _owing])
def test_when_the_store_is_not_looked_into(prepare: Callable[[Any], None]) -> None:
    engine = scripted_engine()
    prepare(engine)
    assert engine.look(ask(), lambda _: pytest.fail("looked")) is None


def test_trouble_in_the_look_bypasses_the_store_and_goes_on() -> None:
    engine = scripted_engine()
    paused = engine.look(ask(), lambda _: 1 / 0)  # type: ignore[arg-type, return-value]
    assert isinstance(paused, Paused)
    assert (paused.action.verb, engine.breaker.down) == ("load", True)


def test_a_wrong_setting_is_the_users_to_know() -> None:
    def load(_: bytes) -> list[Stored]:
        raise SettingError("no such place")

    engine = scripted_engine()
    with pytest.raises(SettingError):
        engine.look(ask(), load)
    assert not engine.breaker.down


def in_chunks(engine: Engine) -> Stored:
    return fresh(engine)._replace(body=None)


@pytest.mark.parametrize("reads", [True, False])
def test_a_body_that_lies_elsewhere_is_read_or_waited_for(reads: bool) -> None:
    engine = scripted_engine()
    read = (lambda _: BodyStart(b"", BODY)) if reads else None
    found = engine.look(ask(), lambda _: [in_chunks(engine)], read)
    if not reads:
        assert isinstance(found, Paused)
        assert isinstance(found.action, LoadBody)
        found = engine.with_body(found, BodyStart(b"", BODY))
    assert isinstance(found, Answer)


def test_a_body_that_is_not_there_makes_the_look_go_on() -> None:
    engine = scripted_engine()
    paused = engine.look(ask(), lambda _: [in_chunks(engine)])
    again = engine.with_body(paused, BodyStart(b"", b"another"))
    assert isinstance(again, Paused)
    assert again.action.verb == "discard"


def test_a_forged_record_is_counted_where_it_is_found() -> None:
    rules = rules_of(secret=SECRET, meta=SIGNED)
    engine = scripted_engine(sealer=Sealer([SECRET]), opened=False)
    engine.take_meta(SIGNED)
    stored = stored_of(item_of(got("Cache-Control: max-age=60", at=engine.clock()), ask(), rules))
    forged = stored._replace(sealed=stored.sealed[:-1] + bytes([stored.sealed[-1] ^ 1]))
    with pytest.raises(BadSignature):
        engine.look(ask(), lambda _: [forged])
    assert engine.stats.bad_signatures == 1


# What is done later


def test_what_is_superseded_goes_in_its_order() -> None:
    engine = scripted_engine()
    engine.supersede(b"p", GONE)
    played(engine.remove_superseded(), (change(GONE[0]), 1), (change(GONE[1]), 0))
    played(engine.remove_superseded())


def test_what_could_not_be_removed_is_not_forgotten() -> None:
    engine = scripted_engine()
    engine.supersede(b"p", GONE)
    played(engine.remove_superseded(), (change(GONE[0]), StoreError("locked")))
    played(engine.remove_superseded())
    engine.breaker.down = False
    played(engine.remove_superseded(), (change(GONE[0]), 1), (change(GONE[1]), 1))


def test_leases_that_could_not_be_given_back_are_given_back_later() -> None:
    """Each is tried at once, too: what is wrong here may be well for the lease."""
    engine = scripted_engine()
    released: list[int] = []
    engine.breaker.down = True
    engine.give_back(lambda: released.append(1))
    engine.give_back(lambda: released.append(1 // 0))
    engine.settle()
    assert released == [1]
    engine.breaker.down = False
    engine.settle()
    assert (released, engine.breaker.down) == ([1, 1], True)
    engine.breaker.down = False
    engine.settle()
    assert released == [1, 1]


def test_a_lease_is_given_back_once_while_the_store_is_well() -> None:
    engine = scripted_engine()
    released: list[int] = []
    engine.give_back(lambda: released.append(1))
    engine.settle()
    assert released == [1]


@pytest.mark.parametrize("trouble", [None, OSError("full")])
def test_a_record_that_answers_is_noted_as_used(trouble: Exception | None) -> None:
    store = ClaimingStore()
    engine = scripted_engine(store)
    store.trouble = trouble
    answer = engine.look(ask(), lambda _: [fresh(engine)])
    engine.answered(ask(), answer)
    partition = rules_of().maker.keys(ask()).partition
    assert store.noted == [call.touch(partition, b"entry of 16 byte", now=engine.clock())]
    assert (engine.breaker.down, engine.stats.hits) == (trouble is not None, 1)
    engine.breaker.down = True
    engine.answered(ask(), answer)
    assert len(store.noted) == 1


def test_only_what_writes_later_is_asked_to_write() -> None:
    class Flushing(ScriptedStore):
        def flush(self, timeout: float) -> bool:
            self.noted.append(timeout)
            return True

    played(scripted_engine().flush())
    store = Flushing()
    played(scripted_engine(store).flush())
    assert store.noted == [5.0]


class InMemory(ClaimingStore):
    instant = True


@pytest.mark.parametrize(("store", "claims"), [(ClaimingStore(), True), (ScriptedStore(), False), (InMemory(), False)])
def test_claims_are_made_where_the_store_has_them(store: ScriptedStore, claims: bool) -> None:
    assert (scripted_engine(store).claims is not None) is claims


@pytest.mark.parametrize(("policy", "bound"), [(Policy(), 8_000_000), (Policy(max_body=3), 3)])
def test_a_body_takes_an_eighth_of_the_store_unless_said_otherwise(policy: Policy, bound: int) -> None:
    assert scripted_engine(policy=policy).max_body == bound


# What is said


@pytest.mark.parametrize(("secret", "kind"), [((), BrokenRecord), ((SECRET,), BadSignature)])
def test_a_body_that_is_not_what_it_should_be(secret: tuple[bytes, ...], kind: type[Exception]) -> None:
    engine = scripted_engine(sealer=Sealer(secret), opened=False)
    assert isinstance(engine.unreadable_body(record_of().head, "body"), kind)
    assert (engine.stats.bad_signatures, engine.stats.flaws) == ((1, 0) if secret else (0, 1))


def test_other_errors_are_not_the_caches() -> None:
    engine = scripted_engine()
    engine.tell_error(OSError("no route"))
    assert not any(engine.stats)
