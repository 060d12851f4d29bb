"""Stored bodies: which chunks are asked for, what each must hash to, and what goes where one does not."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any
from unittest.mock import ANY, call

import pytest
from core_rows import ask, got, item_of, record_of, rules_of
from scripted import Row, ScriptedStore, played, scripted_engine

from sansio_cache.actions import BodyStart
from sansio_cache.bodies import HashList, OpenedBody
from sansio_cache.decisions import FromStore
from sansio_cache.errors import BadSignature, BrokenRecord, StoreError
from sansio_cache.policy import Policy
from sansio_cache.records import CHUNK_SIZE, Record, Stored, chunk_hashes, open_record
from sansio_cache.sealing import Sealer
from sansio_cache_adapters.cache import stored_body
from sansio_cache_adapters.cache.stored_body import StoredBody, discard, load_body, may_fetch_anew
from sansio_cache_adapters.stores.forking import FORKS
from sansio_cache_adapters.stores.protocol import Seen

pytestmark = pytest.mark.usefixtures("no_probes", "verified_at_once")

ENTRY = b"entry of 16 byte"
CHUNKS = [bytes([number]) * CHUNK_SIZE for number in range(2)] + [b"the rest"]
BODY = b"".join(CHUNKS)
HASHES = chunk_hashes(BODY)


def in_chunks(body: bytes) -> Record:
    """The record of a body that does not lie beside its head."""
    rules = rules_of()
    item = item_of(got("Cache-Control: max-age=60"), body=body)
    opened = open_record(Stored(item.sealed, None, ENTRY, 7), rules.maker.keys(ask()), rules.place, rules.sealer)
    assert isinstance(opened, Record)
    return opened


LARGE, ONE, FULL = in_chunks(BODY), in_chunks(b"one chunk"), in_chunks(CHUNKS[0])
REMOVED: Row = (call.change([Seen(LARGE.head.partition, ANY, 7)], None), 1)
LIST: Row = (call.hashes(ENTRY), HASHES)


def chunk(index: int, reply: object = None) -> Row:
    return call.chunk(ENTRY, index), CHUNKS[index] if reply is None else reply


def reading(record: Record, start: int = 0, stop: int | None = None, opened: OpenedBody | None = None) -> StoredBody:
    return StoredBody(scripted_engine(), FromStore(record, start, record.head.length if stop is None else stop, opened))


@pytest.mark.parametrize(
    ("record", "script", "start"),
    [
        (ONE, [(call.chunk(ENTRY, 0), b"one chunk")], BodyStart(b"", b"one chunk")),
        (FULL, [chunk(0)], BodyStart(b"", CHUNKS[0])),
        (LARGE, [LIST, chunk(2)], BodyStart(HASHES, CHUNKS[2])),
        (LARGE, [(call.hashes(ENTRY), StoreError("gone"))], None),
        (LARGE, [LIST, chunk(2, StoreError("gone"))], None),
    ],
    ids=["one chunk", "a full one", "several", "no list", "no chunk"],
)
def test_how_a_body_begins(record: Record, script: list[Row], start: object) -> None:
    engine = scripted_engine()
    assert played(load_body(engine, record, 2 if record is LARGE else 0), *script) == start
    assert not engine.breaker.down


def test_a_store_that_breaks_is_bypassed() -> None:
    engine = scripted_engine()
    assert played(load_body(engine, ONE, 0), (call.chunk(ENTRY, 0), ZeroDivisionError())) is None
    assert engine.breaker.down


def test_what_is_discarded_must_be_the_same_still() -> None:
    played(discard(scripted_engine(), LARGE), REMOVED)


@pytest.mark.parametrize(
    ("start", "stop", "pieces"),
    [
        (0, len(BODY), CHUNKS),
        (CHUNK_SIZE - 1, len(BODY), [CHUNKS[0][-1:], *CHUNKS[1:]]),
        (CHUNK_SIZE, CHUNK_SIZE + 5, [CHUNKS[1][:5]]),
        (3, 5, [CHUNKS[0][3:5]]),
        (5, 5, []),
    ],
)
def test_a_range_is_read_chunk_by_chunk(start: int, stop: int, pieces: list[bytes]) -> None:
    """The chunks that follow are asked for with the first, and are verified while that is handed out."""
    body = reading(LARGE, start, stop)
    first = start // CHUNK_SIZE
    script = [LIST, *(chunk(first + at) for at in range(len(pieces)))]
    for piece in pieces:
        assert not body.at_end
        assert played(body.read(), *script) == piece
        script = []
    assert body.at_end
    assert played(body.read()) == b""


SIX = [bytes([number]) * CHUNK_SIZE for number in range(5)] + [b"end"]
LONG = in_chunks(b"".join(SIX))
LONG_LIST: Row = (call.hashes(ENTRY), chunk_hashes(b"".join(SIX)))


def of_six(*numbers: int) -> list[Row]:
    return [(call.chunk(ENTRY, number), SIX[number]) for number in numbers]


def test_no_more_is_read_ahead_than_two_chunks() -> None:
    body = reading(LONG)
    scripts = [[LONG_LIST, *of_six(0, 1, 2)], [], of_six(3), of_six(4), of_six(5), []]
    assert [played(body.read(), *script) for script in scripts] == SIX
    assert body.at_end


@pytest.mark.parametrize("start", [0, 5])
def test_all_that_is_left_comes_as_one(start: int) -> None:
    body = reading(LONG, start)
    assert played(body.rest(), LONG_LIST, *of_six(0, 1, 2, 3, 4, 5)) == b"".join(SIX)[start:]
    assert body.at_end
    small = reading(record_of(), 2)
    assert played(small.rest()) == b"23456789"


def test_what_failed_can_be_read_again() -> None:
    body = reading(LONG)
    broken: Row = (call.chunk(ENTRY, 1), OSError("worn out"))
    with pytest.raises(StoreError, match="worn out"):
        played(body.rest(), LONG_LIST, *of_six(0), broken)
    assert not body.at_end
    assert played(body.rest(), *of_six(0, 1, 2, 3, 4, 5)) == b"".join(SIX)


def test_a_store_that_reads_ahead_itself_is_given_the_check() -> None:
    class Ahead(ScriptedStore):
        def read_soon(self, entry: bytes, work: Any) -> Future[Any]:
            def read(entry: bytes, index: int) -> bytes:
                self.noted.append(index)
                return CHUNKS[index]

            future: Future[Any] = Future()
            future.set_result(work(read))
            return future

    store = Ahead()
    body = StoredBody(scripted_engine(store), FromStore(LARGE, 0, len(BODY)))
    assert played(body.read(), LIST, chunk(0)) == CHUNKS[0]
    assert [played(body.read()), played(body.read()), store.noted] == [CHUNKS[1], CHUNKS[2], [1, 2]]


def test_a_child_reads_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    body = reading(LARGE)
    played(body.read(), LIST, *map(chunk, range(3)))
    monkeypatch.setattr(FORKS, "generation", FORKS.generation + 1)
    assert played(body.read(), chunk(1), chunk(2)) == CHUNKS[1]
    assert played(body.read()) == CHUNKS[2]


class ReadyStore(ScriptedStore):
    """One that has its chunks at hand."""

    def __init__(self, chunks: list[bytes]) -> None:
        super().__init__()
        self.chunks = chunks

    def chunk(self, entry: bytes, index: int) -> bytes:
        self.noted.append(index)
        return self.chunks[index]


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("start", [0, 5, CHUNK_SIZE, 2 * CHUNK_SIZE - 1])
@pytest.mark.parametrize("cut", [0, 1, CHUNK_SIZE])
def test_a_stretch_is_gathered_from_where_it_is(blocks: bool, start: int, cut: int) -> None:
    """In a thread of the caller's own, or where chunks are at hand."""
    engine: Any = scripted_engine(store := ReadyStore(SIX))
    engine.blocks = blocks
    store.instant = not blocks  # type: ignore[attr-defined]
    whole = b"".join(SIX)
    body = StoredBody(engine, FromStore(LONG, start, len(whole) - cut, OpenedBody(HashList(LONG_LIST[1]), 0, SIX[0])))
    assert played(body.rest()) == whole[start : len(whole) - cut]
    assert body.at_end
    assert sorted(store.noted) == list(range(start // CHUNK_SIZE or 1, -(-(len(whole) - cut) // CHUNK_SIZE)))


@pytest.mark.parametrize("number", [1, 4])
def test_a_stretch_with_an_altered_chunk_is_given_to_nobody(number: int) -> None:
    engine: Any = scripted_engine(ReadyStore([*SIX[:number], SIX[0], *SIX[number + 1 :]]))
    engine.blocks = True
    body = StoredBody(engine, FromStore(LONG, 0, LONG.head.length))
    with pytest.raises(BrokenRecord):
        played(body.rest(), LONG_LIST, (call.change([Seen(LONG.head.partition, ANY, 7)], None), 1))
    assert not body.at_end


def test_a_body_of_many_chunks_is_gathered_in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have their turn in between, and no more room is taken at first than is set."""
    monkeypatch.setattr(stored_body, "_TOGETHER", 2)
    monkeypatch.setattr(stored_body, "_ROOM_AT_ONCE", CHUNK_SIZE)
    engine: Any = scripted_engine(ReadyStore(SIX))
    engine.blocks = True
    body = StoredBody(engine, FromStore(LONG, 7, LONG.head.length))
    assert played(body.rest(), LONG_LIST) == b"".join(SIX)[7:]


@pytest.mark.parametrize(("start", "stop", "piece"), [(0, 10, b"0123456789"), (2, 10, b"23456789"), (0, 3, b"012")])
def test_a_body_beside_its_head_is_read_without_the_store(start: int, stop: int, piece: bytes) -> None:
    body = reading(record_of(), start, stop)
    assert played(body.read()) == piece
    assert body.at_end


def test_what_was_verified_already_is_taken_once() -> None:
    body = reading(LARGE, opened=OpenedBody(HashList(HASHES), 0, CHUNKS[0]))
    assert played(body.read(), chunk(1), chunk(2)) == CHUNKS[0]
    assert played(body.read()) == CHUNKS[1]


@pytest.mark.parametrize(
    "script",
    [
        [(call.hashes(ENTRY), HASHES[:-32]), chunk(0)],
        [(call.hashes(ENTRY), None), chunk(0)],
        [LIST, chunk(0, CHUNKS[1])],
        [LIST, chunk(0, "text")],
    ],
    ids=["short list", "no list", "another chunk", "no bytes"],
)
@pytest.mark.parametrize("secret", [(), (b"a secret of at least sixteen bytes",)])
def test_a_body_that_is_not_what_its_head_says_is_removed(script: list[Row], secret: tuple[bytes, ...]) -> None:
    engine: Any = scripted_engine(opened=False)
    engine.sealer = Sealer(secret)
    with pytest.raises(BadSignature if secret else BrokenRecord):
        played(StoredBody(engine, FromStore(LARGE, 0, len(BODY))).read(), *script, REMOVED)
    assert (engine.stats.bad_signatures, engine.stats.flaws) == ((1, 0) if secret else (0, 1))


@pytest.mark.parametrize("reply", [CHUNKS[0], None.__class__])
def test_a_later_chunk_is_verified_too(reply: object) -> None:
    body = reading(LARGE)
    played(body.read(), LIST, chunk(0), (call.chunk(ENTRY, 1), lambda: reply), chunk(2))
    with pytest.raises(BrokenRecord):
        played(body.read(), REMOVED)


def test_a_chunk_that_is_gone_takes_its_record_along() -> None:
    body = reading(LARGE)
    with pytest.raises(StoreError, match="gone"):
        played(body.read(), LIST, chunk(0, StoreError("evicted")), REMOVED)
    played(body.read(), LIST, chunk(0), chunk(1, StoreError("evicted")), chunk(2))
    with pytest.raises(StoreError, match="evicted"):
        played(body.read(), REMOVED)


@pytest.mark.parametrize(("error", "said"), [(MemoryError(), "MemoryError"), (OSError("worn out"), "worn out")])
def test_trouble_in_the_midst_keeps_the_record(error: Exception, said: str) -> None:
    store = ScriptedStore()
    engine = scripted_engine(store)
    body = StoredBody(engine, FromStore(LARGE, 0, len(BODY)))
    played(body.read(), LIST, chunk(0), chunk(1, error), chunk(2))
    assert not engine.breaker.down, "it is told when its turn comes"
    with pytest.raises(StoreError, match=said):
        played(body.read())
    assert engine.breaker.down


@pytest.mark.parametrize(
    ("error", "settings", "anew"),
    [
        (StoreError("gone"), {}, True),
        (BrokenRecord("body"), {}, True),
        (BadSignature("u", "k", "body"), {}, False),
        (BadSignature("u", "k", "body"), {"on_bad_signature": "miss"}, True),
        (OSError("disk"), {"on_bad_signature": "miss"}, False),
    ],
)
def test_which_failures_of_a_body_are_a_miss(error: Exception, settings: dict[str, Any], anew: bool) -> None:
    assert may_fetch_anew(error, Policy(**settings)) is anew
