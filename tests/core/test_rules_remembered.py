"""Records remembered opened: a row is opened anew unless it is the last one of its place, to the byte (G1, G5)."""

from __future__ import annotations

import pytest
from core_rows import META, SECRET, ask, got, item_of, rules_of, stored_of
from msgspec.structs import replace

from sansio_cache import rules as module
from sansio_cache.messages import Request
from sansio_cache.policy import Policy
from sansio_cache.records import Flaw, Record, Stored, _fields, encode_head, open_record
from sansio_cache.rules import Rules
from sansio_cache.sealing import make_sealer

FRESH = "Cache-Control: max-age=60"


def signed() -> Rules:
    return Rules(Policy(), META, make_sealer(SECRET))


def row_of(rules: Rules, request: Request, body: bytes = b"a body") -> Stored:
    return stored_of(item_of(got(FRESH), request, rules, body=body))


def opened(rules: Rules, request: Request, *rows: Stored) -> list[Record | Flaw]:
    records, flaws = rules.open(rows, rules.maker.keys(request))
    return [*records, *flaws]


def copy_of(row: Stored) -> Stored:
    return Stored(bytes(bytearray(row.sealed)), bytes(bytearray(row.body or b"")), row.entry, row.rev)


def test_the_same_row_is_opened_once() -> None:
    rules, request = signed(), ask()
    row = row_of(rules, request)
    [first] = opened(rules, request, row)
    [second] = opened(rules, request, copy_of(row))
    assert isinstance(first, Record)
    assert second is first


def test_after_a_good_row_each_changed_one_is_looked_at() -> None:
    """G1: any one bit of head or body, its rev, its place."""
    rules, request = signed(), ask()
    row = row_of(rules, request)
    [first] = opened(rules, request, row)
    for at in range(len(row.sealed)):
        forged = bytearray(row.sealed)
        forged[at] ^= 1
        [got_] = opened(rules, request, row._replace(sealed=bytes(forged)))
        assert isinstance(got_, Flaw), at
    assert opened(rules, request, row._replace(body=b"A body")) == [Flaw.BODY]
    assert opened(rules, ask(url="https://example.com/other"), row) == [Flaw.PLACE]
    [again] = opened(rules, request, row._replace(rev=row.rev + 1))
    assert isinstance(again, Record)
    assert again is not first
    assert again.stored.rev == row.rev + 1


def test_what_was_freshened_is_known_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """G1: the head that was sealed here, with the same body, under whatever rev it comes back; and nothing else."""
    rules, request = signed(), ask()
    keys = rules.maker.keys(request)
    other, row = row_of(rules, ask(method="HEAD"), b""), row_of(rules, request)
    records, _ = rules.open([other, row], keys)
    record = next(each for each in records if each.stored is row)
    head = replace(record.head, received_at=record.head.received_at + 60.0)
    item = replace(item_of(got(FRESH), request, rules, body=b"a body"), sealed=rules.sealer.seal(encode_head(head)))
    rules.freshened(Record(head, record.stored), item, keys)
    written = row._replace(sealed=item.sealed, rev=row.rev + 1)
    with monkeypatch.context() as patch:
        patch.setattr(module, "open_record", lambda *_: Flaw.SIGNATURE)
        [first, second] = opened(rules, request, other, written)
        found = {each.stored: each for each in (first, second) if isinstance(each, Record)}
        assert found[written].head == head
        assert [*found[written].headers] == [*head.headers]
        assert {id(each) for each in opened(rules, request, other, copy_of(written))} == {id(first), id(second)}
    for at in range(len(written.sealed)):
        forged = bytearray(written.sealed)
        forged[at] ^= 1
        assert any(
            isinstance(each, Flaw) for each in opened(rules, request, other, written._replace(sealed=bytes(forged)))
        )
    assert Flaw.BODY in opened(rules, request, other, written._replace(body=b"A body"))


def test_what_was_freshened_is_not_known_where_it_was_not_before() -> None:
    rules, request = signed(), ask()
    keys, row = rules.maker.keys(request), row_of(rules, request)
    record = open_record(row, keys, rules.place, rules.sealer)
    assert isinstance(record, Record)
    rules.freshened(record, item_of(got(FRESH), request, rules, body=b"a body"), keys)
    assert not rules._opened


def test_what_another_session_remembers_is_its_own() -> None:
    """G5: under another secret, or none, nothing is taken for verified."""
    rules, request = signed(), ask()
    row = row_of(rules, request)
    opened(rules, request, row)
    assert opened(Rules(Policy(), META, make_sealer("x" * 32)), request, row) == [Flaw.SIGNATURE]
    assert opened(rules_of(), request, row) == [Flaw.KEYLESS]


def test_variants_of_a_partition_are_remembered_apart() -> None:
    rules, request = signed(), ask()
    one, other = row_of(rules, request, b"one"), row_of(rules, request, b"other")
    first = opened(rules, request, one, other)
    assert [id(each) for each in opened(rules, request, one, other)] == [id(each) for each in first]


def test_large_rows_are_not_remembered() -> None:
    rules, request = signed(), ask()
    row = row_of(rules, request, bytes(8_000))
    assert opened(rules, request, row)[0] is not opened(rules, request, row)[0]


def test_no_more_than_a_thousand_are_remembered() -> None:
    rules = signed()
    asked = [ask(url=f"https://example.com/{number}") for number in range(1025)]
    kept = [row_of(rules, each) for each in asked]
    first = [opened(rules, each, row)[0] for each, row in zip(asked, kept, strict=True)]
    assert opened(rules, asked[-1], kept[-1])[0] is first[-1]
    assert opened(rules, asked[0], kept[0])[0] is not first[0]


def test_what_thousands_have_in_common_is_held_once() -> None:
    """G31: fields and places of remembered records are the same objects, and each record is what its row says."""
    rules, requests = signed(), [ask(url=f"https://example.com/{name}") for name in "ab"]
    rows = [row_of(rules, request) for request in requests]
    records = [opened(rules, request, row)[0] for request, row in zip(requests, rows, strict=True)]
    first, second = (record for record in records if isinstance(record, Record))
    assert all(mine is theirs for mine, theirs in zip(first.head.headers, second.head.headers, strict=True))
    assert first.head.partition is rules.maker.keys(requests[0]).partition
    for record, row, request in zip(records, rows, requests, strict=True):
        alone = open_record(row, rules.maker.keys(request), rules.place, rules.sealer)
        assert isinstance(alone, Record)
        assert isinstance(record, Record)
        assert record.head == alone.head


def test_fields_held_once_are_few_and_short() -> None:
    """G28, G31: strangers may choose them."""
    rules, request = signed(), ask()
    for number in range(3_000):
        lines = (FRESH, f"X-Number: {number}", "X-Long: " + "y" * 1_000)
        opened(rules, request, stored_of(item_of(got(*lines), request, rules)))
    assert len(_fields) <= 1_024
    assert all(len(name) + len(value) <= 256 for name, value in _fields)
