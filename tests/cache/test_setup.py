"""What a session is told is checked when it is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sansio_cache import CachedSession, MemoryStore, Policy, SettingError
from sansio_cache.sealing import make_sealer
from sansio_cache_adapters.cache.opening import store_of
from sansio_cache_adapters.cache.setup import set_up
from sansio_cache_adapters.stores.settings import UNGIVEN

KEY = "0123456789abcdef" * 4


def clock() -> float:
    return 0.0


def test_a_path_becomes_a_store_when_it_is_asked_for(tmp_path: Path) -> None:
    told = set_up(tmp_path / "a.sqlite", KEY, Policy(), None, clock)
    assert told.given is None
    assert told.location == str(tmp_path / "a.sqlite")
    assert told.sealer == make_sealer(KEY)
    assert store_of(told).location == told.location


def test_a_store_that_is_given_is_the_store() -> None:
    store = MemoryStore()
    told = set_up(store, UNGIVEN, Policy(), None, clock)
    assert store_of(told) is store
    assert told.location == store.location
    assert not told.sealer.signed


def test_without_a_place_it_is_the_default_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    told = set_up(None, UNGIVEN, Policy(), None, clock)
    assert told.location == str(tmp_path / "sansio-cache" / "default.sqlite")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cache": ""}, "SQLiteStore takes the path of a file"),
        ({"cache": "sqlite:///a?b=c"}, "without a query"),
        ({"cache": "ftp://a/b"}, "there is no store for that"),
        ({"cache": 7}, "cache takes a path or a store"),
        ({"cache": "a.sqlite", "secret_key": ""}, "non-empty"),
        ({"secret_key": KEY}, "a place of its own"),
        ({"cache": "a.sqlite", "on_event": 1}, "on_event takes a plain function"),
        ({"cache": "a.sqlite", "clock": lambda _: 0}, "clock takes a plain function"),
        ({"cache": "a.sqlite", "peer": ""}, "peer takes a str"),
        ({"cache": "a.sqlite", "vary_limit": 0}, "vary_limit"),
    ],
)
def test_what_is_wrong_is_said_when_a_session_is_made(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        CachedSession(**wrong)
