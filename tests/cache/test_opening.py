"""From what a user gives to a store and its sealer: one store, one secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sansio_cache import FileStore, MemoryStore, RedisStore, SettingError, SQLiteStore
from sansio_cache_adapters.cache.opening import awaitable, probing, resolve, sealer_for
from sansio_cache_adapters.stores.redis.asynchronous import AsyncRedisStore
from sansio_cache_adapters.stores.settings import UNGIVEN

ONE, OTHER = "the first secret of all", "another secret of this test"


def test_a_path_is_a_sqlite_file_and_a_store_is_itself(tmp_path: Path) -> None:
    store, sealer = resolve(tmp_path / "a.sqlite", ONE)
    assert isinstance(store, SQLiteStore)
    assert sealer.signed
    own = MemoryStore()
    assert resolve(own, UNGIVEN)[0] is own


def test_the_default_place_is_shared_and_takes_no_secret() -> None:
    store, sealer = resolve(None, UNGIVEN)
    assert not sealer.signed
    assert str(store.location).endswith("default.sqlite")
    with pytest.raises(SettingError, match="Name a path or a store"):
        resolve(None, ONE)
    with pytest.raises(SettingError, match="secret_key"):
        resolve(None, "")


@pytest.mark.parametrize("thing", [object(), 5, MemoryStore, ["a"]])
def test_anything_else_is_an_error(thing: object) -> None:
    with pytest.raises(SettingError, match="cache takes"):
        resolve(thing, UNGIVEN)


@pytest.mark.parametrize("make", [lambda: MemoryStore(secret_key=ONE), MemoryStore])
def test_a_store_keeps_the_secret_it_first_got(make: Any) -> None:
    store = make()
    assert sealer_for(store, ONE) == sealer_for(store, ONE)
    with pytest.raises(SettingError, match="one store, one secret"):
        sealer_for(store, OTHER)
    with pytest.raises(SettingError, match="one store, one secret"):
        sealer_for(store, [OTHER, ONE])


def test_a_store_that_has_a_secret_gives_it_to_sessions_without() -> None:
    assert sealer_for(MemoryStore(secret_key=ONE), UNGIVEN).signed


def test_a_session_that_leaves_it_out_does_not_take_anothers() -> None:
    """What one session gave is not the store's: a second one must say it too."""
    store = MemoryStore()
    sealer_for(store, ONE)
    with pytest.raises(SettingError, match="one store, one secret"):
        sealer_for(store, UNGIVEN)


def test_a_probe_opens_and_checks_where_it_can(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "a.sqlite", secret_key=ONE)
    sealer = sealer_for(store, UNGIVEN)
    assert probing(store, sealer)().signed
    memory = MemoryStore()
    assert not probing(memory, sealer_for(memory, UNGIVEN))().signed
    store.close()


def test_awaiting_sessions_on_one_store_share_its_threads(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "files")
    assert awaitable(store) is awaitable(store) is not store


def test_a_store_that_awaits_by_itself_is_asked_for_that() -> None:
    store = RedisStore("redis://127.0.0.1:1/0")
    assert isinstance(awaitable(store), AsyncRedisStore)
