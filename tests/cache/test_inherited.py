"""Connections that were opened before a fork: who gives them up when, and whose answers are not kept any more."""

from __future__ import annotations

from typing import Any

import pytest

from sansio_cache_adapters.cache.inherited import INHERITED, UsedConnections
from sansio_cache_adapters.stores.forking import FORKS


class Owner:
    """An adapter, a connector or a transport."""

    def __init__(self, *, seen: bool) -> None:
        self.seen = seen
        self.emptied: list[str] = []


def empty(owner: Owner, /, *, idle: bool) -> bool:
    owner.emptied.append("idle ones" if idle else "all")
    return owner.seen


@pytest.fixture
def used() -> UsedConnections[Any]:
    return UsedConnections(empty)


def fork(used: UsedConnections[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on as a child does."""
    monkeypatch.setattr(FORKS, "generation", FORKS.generation + 1)
    used.begin_anew()


@pytest.mark.parametrize("seen", [True, False])
def test_before_a_fork_nothing_is_given_up(used: UsedConnections[Any], seen: bool) -> None:
    owner = Owner(seen=seen)
    assert (used.use(owner), used.use(owner), owner.emptied) == ("", "", [])


@pytest.mark.parametrize(("seen", "refusal"), [(True, ""), (False, INHERITED)])
def test_a_child_gives_up_all_that_was_used(
    used: UsedConnections[Any], monkeypatch: pytest.MonkeyPatch, seen: bool, refusal: str
) -> None:
    owner = Owner(seen=seen)
    used.use(owner)
    fork(used, monkeypatch)
    assert (used.use(owner), owner.emptied) == (refusal, ["all"])


@pytest.mark.parametrize("seen", [True, False])
def test_one_first_used_in_a_child_gives_up_what_is_idle(
    used: UsedConnections[Any], monkeypatch: pytest.MonkeyPatch, seen: bool
) -> None:
    owner = Owner(seen=seen)
    fork(used, monkeypatch)
    assert (used.use(owner), used.use(owner), owner.emptied) == ("", "", ["idle ones"])
