"""Whether the environment says the same as before."""

from __future__ import annotations

import os

import pytest

from sansio_cache_adapters.cache.environment import watching


def test_a_change_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANSIO_ONE", raising=False)
    state = watching("SANSIO_ONE", "SANSIO_TWO")
    seen = [state()]
    for value in ("a", "b", ""):
        monkeypatch.setenv("SANSIO_ONE", value)
        seen.append(state())
    monkeypatch.setenv("SANSIO_OTHER", "c")
    assert state() == seen[-1]
    assert seen[0] == (None, None)
    assert len(set(seen)) == 4


def test_another_environment_in_its_place_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """As tests do it."""
    state = watching("SANSIO_ONE")
    before = state()
    key = getattr(os.environ, "encodekey", str)("SANSIO_ONE")
    monkeypatch.setattr(os, "environ", {key: "x"})
    assert state() != before


def test_names_may_be_known_by_their_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever case, as proxies are named."""
    state = watching(ending="_sansio")
    before = state()
    monkeypatch.setenv("Http_Sansio", "a")
    first = state()
    monkeypatch.setenv("Http_Sansio", "b")
    second = state()
    monkeypatch.delenv("Http_Sansio")
    monkeypatch.setenv("HTTP_SANSIO", "b")
    assert len({before, first, second, state()}) == 4
    monkeypatch.delenv("HTTP_SANSIO")
    assert state() == before
