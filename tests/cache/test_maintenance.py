"""The verbs of ``session.cache`` as work: what each asks of the store, record by record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import ANY, call

import pytest
from core_rows import META, NOW, SECRET, ask, got, item_of, rules_of, stored_of
from scripted import Asked, Row, ScriptedStore, played, scripted_engine

from sansio_cache.errors import SettingError, StoreError
from sansio_cache.expiry import parse_expire_after
from sansio_cache.messages import NO_OPTIONS, Headers, Options, Request
from sansio_cache.policy import Policy
from sansio_cache.records import Item, Stored
from sansio_cache.sealing import UNSIGNED, Sealer
from sansio_cache_adapters.cache import maintenance as module
from sansio_cache_adapters.cache.maintenance import Entry, Maintenance, Verified, criteria_of
from sansio_cache_adapters.stores.protocol import Listed, Seen

pytestmark = pytest.mark.usefixtures("no_probes")

URL = ask().url
KEYS = rules_of().maker.keys(ask())
LOAD = call.load(KEYS.partition)
OTHER_SECRET = b"another secret of sixteen bytes"


class Walked(ScriptedStore):
    """A store with some records, which it lists as a blocking store does, or as an awaitable one."""

    def __init__(self, records: Iterable[Listed] = (), *, awaitable: bool = False) -> None:
        super().__init__()
        self.records = list(records)
        self.awaitable = awaitable

    def listed(self, *, batch: int) -> Iterator[Listed] | AsyncIterator[Listed]:
        self.noted.append(call.listed(batch=batch))
        return self._later() if self.awaitable else iter(self.records)

    async def _later(self) -> AsyncIterator[Listed]:
        for each in self.records:
            await Asked(call.next())
            yield each


def fresh(url: str = URL, *, at: float = NOW, tags: tuple[str, ...] = (), secret: bytes | None = None) -> Item:
    rules = rules_of(secret=secret)
    return item_of(got("Cache-Control: max-age=60", at=at), ask(url=url, options=Options(tags=tags)), rules)


def listed(item: Item, rev: int = 1, *, sealed: bytes | None = None) -> Listed:
    stored = Stored(item.sealed if sealed is None else sealed, None, b"entry of 16 byte", rev)
    times = item.requested_at, item.received_at, item.stale_at, item.purge_at
    place = item.resource, item.partition, item.variant
    return Listed(*place, stored, item.size, *times, item.url, item.method, item.status, item.tags)


A, B, C = (f"https://example.org/{name}" for name in "abc")
FRESH, STALE, TAGGED = listed(fresh(A), 1), listed(fresh(B, at=NOW - 100.0), 2), listed(fresh(C, tags=("t",)), 3)
BROKEN = listed(fresh("https://example.org/d"), 4, sealed=b"broken")
ALL = [FRESH, STALE, TAGGED, BROKEN]


def maintaining(store: ScriptedStore | None = None, sealer: Sealer = UNSIGNED) -> Maintenance:
    engine = scripted_engine(Walked(ALL) if store is None else store, Policy(), sealer, opened=False)
    engine.take_meta(META._replace(signed=sealer.signed))
    engine.clock.now = NOW

    def asked(thing: Any, method: str, keywords: dict[str, Any]) -> Request:
        headers = Headers(keywords.get("headers", {}).items())
        return thing if isinstance(thing, Request) else Request(method, thing, headers)

    return Maintenance(engine, asked)


def removed(*gone: Listed, count: int | None = None) -> Row:
    return call.change(list(gone), None), len(gone) if count is None else count


# All records


@pytest.mark.parametrize("awaitable", [False, True])
def test_every_record_that_opens_is_an_entry(awaitable: bool) -> None:
    store = Walked(ALL, awaitable=awaitable)
    made = maintaining(store)
    script: list[Row] = [(call.next(), None)] * 4 if awaitable else []
    entries = played(made.entries(), *script)
    assert [(each.url, each.tags) for each in entries] == [(A, ()), (B, ()), (C, ("t",))]
    [first, second, _] = entries
    assert (first.stored_at, first.expires_at) == (
        second.stored_at + timedelta(seconds=100),
        first.stored_at + timedelta(seconds=60),
    )  # type: ignore[operator]
    assert (first.key, first.size, first.status) == (FRESH.partition.hex(), 10, 200)
    assert store.noted == [call.listed(batch=500)]
    assert made._engine.stats.flaws == 1


def test_a_store_that_cannot_be_opened_says_so() -> None:
    made = maintaining()
    made._engine.rules = None
    with pytest.raises(StoreError, match="the cache at here cannot be opened now"):
        played(made.entries(), (call.open(signed=False), StoreError("locked")))


def test_what_is_wrong_is_counted_by_its_kind() -> None:
    forged = listed(fresh(secret=OTHER_SECRET))
    swapped = FRESH._replace(partition=STALE.partition)
    made = maintaining(Walked([*ALL, forged, swapped]), Sealer([SECRET]))
    assert played(made.verify()).good == 0
    stats = made._engine.stats
    assert stats.bad_signatures + stats.flaws == 6
    assert stats.bad_signatures == 1
    assert played(maintaining().verify()) == Verified(3, {"unreadable": 1})


# One request


STORED = stored_of(fresh())
WRONG = STORED._replace(sealed=b"broken")
ENTRY = Entry(KEYS.partition.hex(), "GET", URL, 200, 10, None, None, ())


@pytest.mark.parametrize(
    ("thing", "records", "there"),
    [
        (URL, [STORED], True),
        (URL, [], False),
        (URL, [WRONG], False),
        (URL, [stored_of(fresh(at=NOW - 100.0))], False),
        (ENTRY, [STORED], True),
        (ENTRY, [stored_of(fresh(at=NOW - 100.0))], True),
        (ENTRY, [], False),
    ],
)
def test_whether_a_request_would_be_answered(thing: object, records: list[Stored], there: bool) -> None:
    assert played(maintaining().contains(thing, "GET", {}, NO_OPTIONS), (LOAD, records)) is there


@pytest.mark.parametrize(
    ("method", "options"), [("GET", Options(force_refresh=True)), ("DELETE", NO_OPTIONS)], ids=["refresh", "unsafe"]
)
def test_what_is_never_answered_is_not_looked_for(method: str, options: Options) -> None:
    assert not played(maintaining().contains(URL, method, {}, options))


def test_options_are_those_of_the_call_or_of_the_request() -> None:
    stale = stored_of(fresh(at=NOW - 100.0))
    with_time = ask(options=Options(expiry=parse_expire_after(3600)))
    assert played(maintaining().contains(with_time, "GET", {}, NO_OPTIONS), (LOAD, [stale]))
    assert played(maintaining().contains(URL, "GET", {}, with_time.options), (LOAD, [stale]))


def test_the_key_of_a_request() -> None:
    assert played(maintaining().key(URL, "GET", {})) == KEYS.partition.hex()


@pytest.mark.parametrize(("thing", "times"), [(URL, 1), (ENTRY, 1)])
def test_the_stored_response_of_a_request_is_shown(thing: object, times: int) -> None:
    found = played(maintaining().get(thing, "GET", {}), *[(LOAD, [STORED])] * times)
    assert found is not None
    assert (found.url, found.body) == (URL, b"0123456789")
    assert played(maintaining().get(thing, "GET", {}), (LOAD, [WRONG])) is None


# Removing


def test_an_entry_is_removed_with_all_its_variants() -> None:
    gone = (call.change([Seen(KEYS.partition, ANY, 1)], None), 1)
    assert played(maintaining().delete(criteria(ENTRY)), (LOAD, [STORED, WRONG]), gone) == 1


def test_a_url_is_removed_for_every_user() -> None:
    dropped = (call.drop(KEYS.resource, now=NOW), 3)
    assert played(maintaining().delete(criteria(URL)), dropped) == 3


def test_a_request_is_removed_for_itself() -> None:
    gone = (call.change([Seen(KEYS.partition, ANY, 1)], None), 1)
    assert played(maintaining().delete(criteria(requests=[URL])), (LOAD, [STORED]), gone) == 1


def test_what_cannot_be_opened_for_a_request_is_looked_for_and_removed() -> None:
    there = BROKEN._replace(partition=KEYS.partition)
    made = maintaining(Walked([FRESH._replace(partition=STALE.partition), BROKEN, there]))
    gone = (call.change([Seen(KEYS.partition, ANY, 1)], None), 1)
    script = [(LOAD, [STORED, WRONG]), gone, removed(there)]
    assert played(made.delete(criteria(requests=[URL])), *script) == 2


@pytest.mark.parametrize(
    ("given", "gone"),
    [
        ({"expired": True}, [STALE]),
        ({"invalid": True}, [BROKEN]),
        ({"older_than": 50.0}, [STALE]),
        ({"older_than": 100.0}, []),
        ({"older_than": timedelta(seconds=200)}, []),
        ({"tags": ["t", "u"]}, [TAGGED]),
        ({"tags": ["u"]}, []),
        ({"expired": True, "tags": ["t"], "invalid": True}, [STALE, TAGGED, BROKEN]),
    ],
)
def test_which_records_go(given: dict[str, Any], gone: list[Listed]) -> None:
    assert played(maintaining().delete(criteria(**given)), removed(*gone)) == len(gone)


def test_many_go_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMOVED_AT_ONCE", 2)
    many = [STALE._replace(stored=STALE.stored._replace(rev=number)) for number in range(5)]
    parts = [removed(*many[:2]), removed(*many[2:4], count=1), removed(*many[4:])]
    assert played(maintaining(Walked(many)).delete(criteria(expired=True)), *parts) == 4


def test_trouble_in_the_midst_of_a_walk_comes_out() -> None:
    with pytest.raises(StoreError, match="full"):
        played(maintaining().delete(criteria(expired=True)), (call.change(ANY, None), StoreError("full")))


def criteria(*of: object, **given: Any) -> Any:
    plain: dict[str, Any] = {
        "urls": (),
        "requests": (),
        "expired": False,
        "older_than": None,
        "invalid": False,
        "tags": (),
    }
    return criteria_of(of, **{**plain, **given})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "delete takes URLs, requests=, expired=True"),
        ({"urls": URL}, "urls takes a list, not 'https"),
        ({"urls": 3}, "urls takes a list, not 3"),
        ({"requests": URL}, "requests takes a list"),
        ({"tags": "t"}, "tags takes a list"),
        ({"older_than": "soon"}, "older_than takes"),
    ],
)
def test_what_delete_does_not_take(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        criteria(**given)


def test_entries_and_urls_are_told_apart() -> None:
    made = criteria(ENTRY, URL, urls=["u"])
    assert (made.entries, made.urls) == ((ENTRY,), (URL, "u"))


def test_clear_empties_the_store() -> None:
    played(maintaining().clear(), (call.clear(), None))


# Changing


def test_another_time_for_a_record_that_is_there_still() -> None:
    made = maintaining()
    record = played(made.matching(URL, "GET", {}), (LOAD, [STORED]))
    assert record is not None
    items: list[Item] = []

    class Changed:
        def __eq__(self, other: object) -> bool:
            items.append(other.args[1])
            return bool(other == call.change([Seen(KEYS.partition, ANY, 1)], ANY))

        __hash__ = None  # type: ignore[assignment]

    expiry = parse_expire_after(7200)
    assert expiry is not None
    assert played(made.expire(record, expiry), (LOAD, [STORED]), (Changed(), 1))
    assert (items[0].stale_at, items[0].body) == (NOW + 7200, STORED.body)
    assert not played(made.expire(record, expiry), (LOAD, [STORED]), (Changed(), 0))
    assert not played(made.expire(record, expiry), (LOAD, [STORED._replace(rev=2)]))


OLD_KEY = listed(fresh(A, secret=OTHER_SECRET), 1)
NEW_KEY = listed(fresh(B, secret=SECRET), 2)
NO_KEY = listed(fresh(C), 3)


def resealed(each: Listed) -> Row:
    return call.change([each], ANY), 1


@pytest.mark.parametrize(
    ("keys", "given", "changed", "unsigned"),
    [
        ([OTHER_SECRET, SECRET], {}, [OLD_KEY], False),
        ([SECRET], {}, [], False),
        ([OTHER_SECRET, SECRET], {"sign_unsigned": True}, [OLD_KEY, NO_KEY], False),
        ([OTHER_SECRET, SECRET], {"unsign": True}, [OLD_KEY, NEW_KEY], True),
        ([], {"unsign": True}, [NO_KEY], True),
    ],
)
def test_what_is_sealed_anew(keys: list[bytes], given: dict[str, bool], changed: list[Listed], unsigned: bool) -> None:
    made = maintaining(Walked([OLD_KEY, NEW_KEY, NO_KEY]), Sealer(keys))
    script = [*map(resealed, changed), *([(call.unsign(), None)] if unsigned else [])]
    assert played(made.resign(**{"unsign": False, **given}), *script) == len(changed)


@pytest.mark.parametrize(
    ("keys", "given", "said"),
    [
        ([SECRET], {"unsign": True, "sign_unsigned": True}, "one is the contrary of the other"),
        ([], {"unsign": False}, "needs the session's secret_key"),
    ],
)
def test_what_resign_does_not_take(keys: list[bytes], given: dict[str, bool], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        played(maintaining(sealer=Sealer(keys)).resign(**given))
