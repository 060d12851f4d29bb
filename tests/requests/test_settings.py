"""Drop-in, point 9: every keyword with its exact value; what is wrong is said at once, with what would be right."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from local_origin import Origin, fresh

from sansio_cache import (
    DO_NOT_CACHE,
    CacheAdapter,
    CachedSession,
    FileStore,
    Heuristic,
    KeyRequired,
    MemoryStore,
    Policy,
    SettingError,
    SQLiteStore,
)

MAKERS: list[Callable[..., Any]] = [CachedSession, lambda *cache, **more: CacheAdapter(None, *cache, **more)]

WRONG: list[tuple[str, list[Any], str]] = [
    ("cache_control", [None, 1, "yes"], "True or False"),
    ("shared", [None, 0, "no"], "True or False"),
    ("always_revalidate", [1], "True or False"),
    ("read_only", ["x"], "True or False"),
    ("offline", [[]], "True or False"),
    ("expire_after", [-2, True, math.nan, "tomorrow", "1994", [], timedelta(seconds=-1), object()], "expire_after"),
    ("urls_expire_after", [None, 5, ["*"], {"*": "soon"}, {5: 5}, {"": 5}, {"*": -7}], "urls_expire_after"),
    ("heuristic", ["10%", True, -1, Heuristic(share=2), Heuristic(share=-0.1), Heuristic(cap=-1)], "heuristic"),
    ("allowed_codes", [200, "200", [99], [600], [True], ["200"], [100]], "allowed_codes"),
    ("allowed_methods", ["GET", None, [1], [""], b"GET"], "allowed_methods"),
    ("ignored_parameters", ["token", None, [None], [""]], "ignored_parameters"),
    ("match_headers", ["Accept", None, [1]], "match_headers"),
    ("identity", ["Cookie", None, [b"Cookie"]], "identity"),
    ("filter_fn", [1, "keep"], "function"),
    ("key_fn", [1, "key"], "function"),
    ("stale_if_error", [-1, "yes", None, math.nan], "stale_if_error"),
    ("stale_while_revalidate", [-1, "yes", None], "stale_while_revalidate"),
    ("vary_limit", [0, -1, 1.5, True, "1", None], "vary_limit"),
    ("max_body", [-1, 1.5, True, "1"], "max_body"),
    ("namespace", [None, b"x", 1], "namespace"),
    ("body_digest", ["md5", None, True, [], b"sha256"], "sha256"),
    ("on_bad_signature", ["ignore", None, True, []], "on_bad_signature"),
    ("wait_for_body", [-1, "1", None, True], "wait_for_body"),
    ("wait_for_leader", [-1, "1", None], "wait_for_leader"),
    ("policy", [{}, "strict", Policy], "Policy"),
    ("on_event", [1, "print"], "function"),
    ("clock", [None, 12.5], "function"),
]


@pytest.mark.parametrize("make", MAKERS, ids=["session", "adapter"])
@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values, _ in WRONG for value in values])
def test_a_wrong_setting_is_an_error_that_says_what_to_give(make: Callable[..., Any], name: str, value: Any) -> None:
    """A SettingError, which is a ValueError, at construction."""
    (says,) = (says for each, _, says in WRONG if each == name)
    with pytest.raises(SettingError, match=re.escape(says)) as caught:
        make(MemoryStore(), **{name: value})
    assert isinstance(caught.value, ValueError)
    assert "not" in str(caught.value) or "no HTTP-date" in str(caught.value)


RIGHT: dict[str, list[Any]] = {
    "expire_after": [
        *(None, 0, -1, 1.5, 10**9, math.inf, timedelta(days=1), "Sun, 06 Nov 1994 08:49:37 GMT", DO_NOT_CACHE),
        datetime(2030, 1, 1),  # noqa: DTZ001 - naive: local time
        *(datetime.min, datetime.max, datetime.max.replace(tzinfo=UTC)),  # noqa: DTZ901 - the ends of the calendar
    ],
    "heuristic": [None, False, 5, 0, timedelta(hours=1), Heuristic(0.5), Heuristic(fixed=60)],
    "stale_if_error": [True, False, 0, 60, timedelta(1), math.inf],
    "allowed_codes": [None, [], [200], {200, 404}, range(200, 300)],
    "match_headers": [True, False, (), ["Accept"]],
    "max_body": [None, 0, 10**9],
    "on_bad_signature": ["raise", "miss"],
    "allowable_codes": [[200]],
    "allowable_methods": [["GET"]],
    "ignored_params": [["token"]],
    "include_headers": [["Accept"]],
    "on_event": [None, print],
    "policy": [None, Policy(expire_after=5)],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in RIGHT.items() for value in values])
def test_a_right_setting_is_taken(name: str, value: Any) -> None:
    """``None`` where it means something, and the names of other caches."""
    with CachedSession(MemoryStore(), **{name: value}):
        pass


@pytest.mark.parametrize("make", MAKERS, ids=["session", "adapter"])
def test_unknown_keywords_are_refused(make: Callable[..., Any]) -> None:
    """As Python refuses them."""
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'backend'"):
        make(MemoryStore(), backend="sqlite")


def test_settings_that_contradict_each_other() -> None:
    """Two names of one setting, a policy beside settings."""
    with pytest.raises(SettingError, match="one setting"):
        CachedSession(MemoryStore(), allowed_codes=[200], allowable_codes=[200])
    with pytest.raises(SettingError, match="not to both"):
        CachedSession(MemoryStore(), policy=Policy(), expire_after=5)


@pytest.mark.parametrize("cache", [5, b"cache.sqlite", object(), [], MemoryStore, SQLiteStore, {}])
def test_a_cache_that_is_none(cache: Any) -> None:
    """Neither a path nor a store."""
    with pytest.raises(SettingError, match="a path or a store"):
        CachedSession(cache)


@pytest.mark.parametrize("secret", [None, "", b"", [], (), [""], ["good enough a key", ""], [None], 5, {"k": 1}, [[]]])
def test_a_wrong_secret_is_an_error(tmp_path: Path, secret: Any) -> None:
    """None above all: an unset variable of the environment must not unsign the cache; nothing of it is shown."""
    for give in (
        lambda: CachedSession(tmp_path / "c.sqlite", secret_key=secret),
        lambda: CacheAdapter(None, tmp_path / "c.sqlite", secret_key=secret),
        lambda: SQLiteStore(tmp_path / "c.sqlite", secret_key=secret),
        lambda: MemoryStore(secret_key=secret),
        lambda: CachedSession(secret_key=secret),
    ):
        with pytest.raises(SettingError, match="leave secret_key out"):
            give()
    assert not (tmp_path / "c.sqlite").exists()


def test_a_secret_of_a_wrong_type_is_not_shown() -> None:
    """It may be one."""
    secret: Any = {"password": "hunter2"}
    with pytest.raises(SettingError) as caught:
        CachedSession(MemoryStore(), secret_key=secret)
    assert "hunter2" not in str(caught.value)


def test_a_short_secret_warns() -> None:
    """And is taken."""
    with pytest.warns(UserWarning, match="shorter than 16 bytes"):
        CachedSession(MemoryStore(), secret_key="short").close()


def test_a_secret_without_a_place() -> None:
    """The default cache is shared by all programs."""
    with pytest.raises(SettingError, match="Name a path or a store"):
        CachedSession(secret_key="a secret of sixteen bytes")


@pytest.mark.parametrize("kind", [SQLiteStore, FileStore])
def test_one_store_one_secret(tmp_path: Path, key: str, kind: Any) -> None:
    """To the store or to the session, not to both unless equal."""
    store = kind(tmp_path / "cache", secret_key=key)
    CachedSession(store).close()
    CachedSession(store, secret_key=key).close()
    with pytest.raises(SettingError, match="another secret_key"):
        CachedSession(store, secret_key=key + "2")
    unsigned = MemoryStore()
    CachedSession(unsigned, secret_key=key).close()
    with pytest.raises(SettingError, match="another secret_key"):
        CachedSession(unsigned, secret_key=key + "2")
    store.close()


def test_a_signed_store_without_its_secret(cache_file: Path, key: str, origin: Origin) -> None:
    """Is an error that says so."""
    with CachedSession(cache_file, secret_key=key) as session:
        session.get(origin.on("/a", fresh(b"x")))
    with CachedSession(cache_file) as session, pytest.raises(KeyRequired, match="open it with its secret_key"):
        session.get(origin.url("/a"))


def test_the_default_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: Origin) -> None:
    """The user's cache folder, unsigned; for the adapter too."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    url = origin.on("/a", fresh(b"x"))
    with CachedSession() as session:
        session.get(url)
        assert Path(session.cache.store.location) == tmp_path / "xdg" / "sansio-cache" / "default.sqlite"
    with CachedSession(None) as session:
        assert session.get(url).from_cache
    adapter = CacheAdapter()
    assert adapter._cache.engine.store.location == session.cache.store.location
    adapter.close()


OPTIONS: list[tuple[str, list[Any]]] = [
    ("expire_after", [-2, "soon", True]),
    ("only_if_cached", [None, 1, "yes"]),
    ("refresh", [None, 1]),
    ("force_refresh", [None, 0]),
    ("tags", ["tag", b"tag", 5, [1], [""]]),
]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in OPTIONS for value in values])
def test_a_wrong_option_of_a_request(session: CachedSession, origin: Origin, name: str, value: Any) -> None:
    """Is an error before anything is sent."""
    with pytest.raises(SettingError, match=name):
        session.get(origin.url("/a"), **{name: value})
    assert origin.count() == 0


def test_an_unknown_keyword_of_a_request(session: CachedSession, origin: Origin) -> None:
    """Is refused by requests."""
    with pytest.raises(TypeError, match="nonsense"):
        session.get(origin.url("/a"), nonsense=1)
    assert origin.count() == 0
