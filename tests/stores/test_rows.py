"""Records as bytes: what was packed comes back, and anything else is at worst no record."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_cache_adapters.stores.rows import USED_AT, Row, fresh_rev, pack, row_of, stored_in, unpack
from sansio_cache_adapters.testing import make_item

KEY = st.binary(min_size=32, max_size=32)
TIME = st.floats(allow_nan=False)
ROWS = st.builds(
    Row,
    rev=st.integers(0, 2**64 - 1),
    entry=st.binary(min_size=16, max_size=16),
    sealed=st.binary(max_size=100),
    body=st.none() | st.binary(max_size=100),
    info=st.binary(max_size=40),
    variant=KEY,
    resource=KEY,
    partition=KEY,
    used=TIME,
    requested_at=TIME,
    received_at=TIME,
    stale_at=TIME,
    purge_at=TIME,
    size=st.integers(0, 2**64 - 1),
)


@given(st.lists(ROWS, max_size=4), st.binary(max_size=9))
def test_what_was_packed_comes_back(rows: list[Row], before: bytes) -> None:
    data = before + b"".join(map(pack, rows))
    assert unpack(data, len(before)) == rows
    assert [(each.rev, each.entry) for each in stored_in(data, len(before))] == [(row.rev, row.entry) for row in rows]
    assert [(each.sealed, each.body) for each in stored_in(data, len(before))] == [
        (row.sealed, row.body) for row in rows
    ]


@given(st.lists(ROWS, min_size=1, max_size=3), st.data())
def test_what_was_cut_off_is_no_record(rows: list[Row], data: st.DataObject) -> None:
    whole = b"".join(map(pack, rows))
    bounds = {sum(len(pack(row)) for row in rows[:count]) for count in range(len(rows) + 1)}
    at = data.draw(st.integers(0, len(whole)).filter(lambda end: end not in bounds))
    assert unpack(whole[:at]) == []
    assert stored_in(whole[:at]) == []


@given(st.binary(max_size=600))
def test_garbage_never_raises(data: bytes) -> None:
    """And what a hit reads of it, maintenance reads too, unless its times are none."""
    assert len(unpack(data)) in (0, len(stored_in(data)))
    assert all(row.listed() is None or row.listed() for row in unpack(data))


@given(ROWS)
def test_what_people_should_read_may_be_broken(row: Row) -> None:
    listed = row._replace(info=b"\xc1").listed()
    assert listed is None


def test_a_time_that_is_none_is_no_record() -> None:
    item = make_item("one", now=1.0)
    row = row_of(item, entry=b"e" * 16, body=b"body", used=1.0)
    assert unpack(pack(row)) == [row]
    assert unpack(pack(row._replace(purge_at=nan))) == []
    assert unpack(pack(row._replace(purge_at=inf))) == [row._replace(purge_at=inf)]


def test_the_last_use_lies_where_it_may_be_overwritten() -> None:
    one, two = (row_of(make_item("one", now=1.0), entry=b"e" * 16, body=None, used=used) for used in (1.0, 2.0))
    two = two._replace(rev=one.rev)
    data = bytearray(pack(one))
    data[USED_AT : USED_AT + 8] = pack(two)[USED_AT : USED_AT + 8]
    assert unpack(bytes(data)) == [two]


@pytest.mark.parametrize("body", [None, b"body"])
def test_a_row_freshened_keeps_its_body(body: bytes | None) -> None:
    old = row_of(make_item("one", b"body", now=1.0), entry=b"e" * 16, body=body, used=3.0)
    fresh = old.freshened(make_item("one", b"", now=9.0))
    assert (fresh.body, fresh.entry, fresh.used, fresh.size) == (body, old.entry, 3.0, 4)
    assert fresh.received_at == 9.0
    assert fresh.rev != old.rev
    assert fresh.cost == len(fresh.sealed) + 4


def test_a_rev_is_a_number_that_any_store_can_keep() -> None:
    assert all(0 <= fresh_rev() < 2**62 for _ in range(100))
