"""What is remembered is bounded in bytes, whatever the length of its parts (G28)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sansio_cache.memo import Memo, remembered


def test_what_was_put_is_there() -> None:
    memo = Memo[str, int](1000)
    memo.put("a", 1, 10)
    assert (memo.get("a"), memo.get("b")) == (1, None)
    assert memo.info() == (1000, 10, 1)
    memo.clear()
    assert memo.get("a") is None
    assert memo.info() == (1000, 0, 0)


def test_the_unused_is_forgotten_first() -> None:
    """Half of the bytes are always for what was put or used last."""
    memo = Memo[int, int](1000)
    for number in range(1, 200):
        memo.put(number, number, 10)
        assert memo.get(1) == 1
    assert [memo.get(number) for number in range(151, 200)] == [*range(151, 200)]
    assert memo.get(50) is None


def test_what_would_push_out_all_else_is_not_remembered() -> None:
    memo = Memo[str, int](1600)
    memo.put("short", 1, 100)
    memo.put("long", 2, 101)
    assert (memo.get("short"), memo.get("long")) == (1, None)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 90))))
def test_never_more_than_was_said(puts: list[tuple[int, int]]) -> None:
    memo = Memo[int, int](1000)
    for key, cost in puts:
        memo.put(key, cost, cost)
        assert memo.get(key) == (cost if cost <= 62 else memo.get(key))
        assert memo.info().currsize <= 1000


def test_a_function_remembers_what_it_gave() -> None:
    asked: list[str] = []

    @remembered(100_000)
    def shouted(text: str) -> str:
        """The text, louder."""
        asked.append(text)
        return text.upper()

    assert [shouted("a"), shouted("a"), shouted("b" * 9000), shouted("b" * 9000)] == ["A", "A", *["B" * 9000] * 2]
    assert asked == ["a", "b" * 9000, "b" * 9000]
    assert shouted.__doc__ == "The text, louder."
    assert shouted.__wrapped__("c") == "C"
    assert shouted.cache_info().entries == 1
    shouted.cache_clear()
    assert shouted.cache_info().currsize == 0


def test_long_texts_take_no_more_room_than_short_ones() -> None:
    @remembered(1_000_000)
    def same(text: str) -> str:
        return text

    for length in (10, 1_000, 20_000):
        for number in range(300):
            same(f"{number}" + "x" * length)
        assert same.cache_info().currsize <= 1_000_000
        assert same.cache_info().entries > 0
