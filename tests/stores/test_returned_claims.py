"""Claims that are given back behind queued writes, and taken over before their turn has come."""

from __future__ import annotations

from sansio_cache_adapters.stores.returned_claims import ReturnedClaims


def test_a_claim_that_nobody_wants_is_given_back_in_its_turn() -> None:
    returning = ReturnedClaims()
    assert returning.token(b"partition", b"a") == b"a"
    returned = returning.leave(b"partition", b"a")
    assert returned.token == b"a"
    assert returning.leaves(b"partition", returned)
    assert not returning.leaves(b"partition", returned)
    assert returning.token(b"partition", b"b") == b"b"


def test_one_that_is_taken_over_is_known_by_its_first_token_until_the_last_has_left() -> None:
    returning = ReturnedClaims()
    first = returning.leave(b"partition", b"a")
    assert [returning.token(b"partition", b"b") for _ in range(2)] == [b"a", b"a"]
    second = returning.leave(b"partition", b"b")
    assert second.token == b"a"
    # The turn of the first comes, when the second is on its way: what was queued between them is not written yet.
    assert not returning.leaves(b"partition", first)
    assert returning.leaves(b"partition", second)


def test_other_partitions_have_nothing_to_do_with_it() -> None:
    returning = ReturnedClaims()
    returned = returning.leave(b"partition", b"a")
    assert returning.token(b"another", b"b") == b"b"
    assert returning.leaves(b"partition", returned)


def test_one_that_was_not_granted_leaves_no_trace() -> None:
    returning = ReturnedClaims()
    returning.leave(b"partition", b"a")
    returning.token(b"partition", b"b")
    assert returning.forget(b"b") == b"a"
    assert returning.forget(b"b") == b"b"
