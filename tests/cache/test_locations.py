"""Where a cache lies, as users say it: paths, home folders, URLs, and what they give by mistake."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from every_client import CLIENTS, make
from local_origin import Origin, fresh

from sansio_cache import CachedSession, FileStore, MemoryStore, RedisStore, SettingError, SQLiteStore
from sansio_cache_adapters.cache.locations import store_at
from sansio_cache_adapters.cache.opening import resolve
from sansio_cache_adapters.stores.settings import UNGIVEN

BUILDERS: list[Callable[[Any], Any]] = [SQLiteStore, FileStore, store_at, lambda path: resolve(path, UNGIVEN)[0]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("kind", [str, Path])
def test_a_tilde_is_the_home_folder(build: Callable[[Any], Any], kind: Any, here: Path) -> None:
    assert build(kind("~/a/cache")).location == os.path.expanduser("~/a/cache")
    me = pwd.getpwuid(os.getuid())
    assert build(kind(f"~{me.pw_name}/cache")).location == os.path.join(me.pw_dir, "cache")
    assert build(kind("a~b")).location == str(here / "a~b"), "in another place it is a letter like others"
    assert not os.listdir(here)


@pytest.mark.parametrize("build", BUILDERS)
def test_a_home_that_nobody_has_is_an_error(build: Callable[[Any], Any], here: Path) -> None:
    """Not a folder of that name."""
    with pytest.raises(SettingError, match="~nobody-of-that-name is no home folder"):
        build("~nobody-of-that-name/cache")
    assert build("./~nobody-of-that-name").location == str(here / "~nobody-of-that-name")


@pytest.mark.parametrize(
    ("location", "kind", "place"),
    [
        ("redis://localhost:1234/5", RedisStore, "redis://localhost:1234/5#sansio-cache"),
        ("REDISS://localhost", RedisStore, "rediss://localhost:6379/0#sansio-cache"),
        ("memory:", MemoryStore, "memory"),
        ("sqlite:///tmp/a%20b.sqlite", SQLiteStore, "/tmp/a b.sqlite"),
        ("sqlite:////tmp/a.sqlite", SQLiteStore, "/tmp/a.sqlite"),
        ("sqlite://localhost/tmp/a.sqlite", SQLiteStore, "/tmp/a.sqlite"),
        ("file:///tmp/a", FileStore, "/tmp/a"),
        ("file:///cache", FileStore, "/cache"),
        ("file:///~/a", FileStore, "~/a"),
        ("C:\\cache.sqlite", SQLiteStore, "./C:\\cache.sqlite"),
        ("c:/cache.sqlite", SQLiteStore, "./c:/cache.sqlite"),
        ("v1:cache.sqlite", SQLiteStore, "./v1:cache.sqlite"),
        ("./redis:/cache", SQLiteStore, "./redis:/cache"),
    ],
)
def test_a_url_names_a_store(location: str, kind: type, place: str, here: Path) -> None:
    """As ``cache=`` takes them; a constructor looks nowhere and connects to nothing."""
    store = store_at(location)
    assert type(store) is kind
    if place.startswith(("~", ".")):
        place = os.path.abspath(os.path.expanduser(place))
    assert str(store.location).startswith(place)
    assert not os.listdir(here)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("location", "advice"),
    [
        (":memory:", 'cache="memory:"'),
        ("file::memory:", 'cache="memory:"'),
        ("file::memory:?cache=shared", 'cache="memory:"'),
        ("sqlite:///:memory:", 'cache="memory:"'),
        ("memory://", 'cache="memory:"'),
        ("memory:x", 'cache="memory:"'),
        ("sqlite://", "with an absolute path after it"),
        ("sqlite:///", "with an absolute path after it"),
        ("sqlite:cache.sqlite", "a relative path is given without a scheme"),
        ("sqlite://cache.sqlite", "a relative path is given without a scheme"),
        ("sqlite:///cache.sqlite", 'write cache="cache.sqlite"'),
        ("sqlite:///tmp/cache.sqlite?mode=ro", "without a query"),
        ("file:cache", "a relative path is given without a scheme"),
        ("redis:localhost", '"redis://host:port/0"'),
        ("unix:///run/redis.sock", "RedisStore("),
        ("http://localhost/", "not whom to ask"),
        ("mongodb://user:hunter2@localhost/", "no store for that"),
        ("s3://bucket/cache", "no store for that"),
        (Path("redis://localhost"), "not a URL"),
        (b"cache.sqlite", "as str"),
        ({}, "cache=MemoryStore()"),
        (MemoryStore, "give MemoryStore(…)"),
    ],
)
def test_anything_else_is_an_error_that_says_what_to_write(client: str, location: Any, advice: str, here: Path) -> None:
    """Neither a folder of that name nor a password in the message."""
    with pytest.raises(SettingError) as caught:
        make(client, cache=location)
    assert advice in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert not os.listdir(here)


@pytest.mark.parametrize("build", [SQLiteStore, FileStore])
@pytest.mark.parametrize(
    "path", ["redis://localhost", "file:///tmp/a", ":memory:", Path("http://a/b"), "", "a\0b", 5, b"a"]
)
def test_a_store_takes_a_path_and_no_url(build: Any, path: Any) -> None:
    with pytest.raises(SettingError, match="takes the path of a"):
        build(path)


def test_clients_and_caches_of_others_are_told_from_stores() -> None:
    """By the module of their class."""
    redis = pytest.importorskip("redis")
    with pytest.raises(SettingError, match=r"cache=RedisStore\(client\)"):
        CachedSession(redis.Redis())
    theirs = type("SQLiteCache", (), {"__module__": "requests_cache.backends.sqlite"})
    with pytest.raises(SettingError, match="requests_cache has stores of its own: here there are SQLiteStore"):
        CachedSession(theirs())


@pytest.mark.parametrize("location", ["sqlite://{}/cache.sqlite", "file://{}/cache", "file:///{}/cache", "{}/plain"])
def test_what_a_url_names_is_used(location: str, here: Path, origin: Origin) -> None:
    url = origin.on("/a", fresh(b"x"))
    for from_cache in (False, True):
        with CachedSession(location.format(here)) as session:
            assert session.get(url).from_cache is from_cache
    assert [name for name in os.listdir(here) if name.startswith(("cache", "plain"))]
