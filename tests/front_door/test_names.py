"""Keywords that a session does not know: other caches' names, misspelt ones, and settings set as attributes later."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import requests
from every_client import CLIENTS, make
from local_origin import Origin, Reply

import sansio_cache
from sansio_cache import (
    AsyncCachedSession,
    CacheAdapter,
    CachedSession,
    CacheMiddleware,
    FileStore,
    MemoryStore,
    Policy,
    RedisStore,
    SettingError,
    SQLiteStore,
    TrioCachedSession,
    enabled,
    install_cache,
)
from sansio_cache.names import OF_CACHE, OF_SESSION, PUBLIC

OTHERS: dict[str, Callable[..., Any]] = {
    "adapter": CacheAdapter,
    "middleware": CacheMiddleware,
    "install_cache": install_cache,
    "enabled": enabled,
}
MAKERS = [*CLIENTS, *OTHERS]


def made(maker: str, **keywords: Any) -> Any:
    return OTHERS[maker](**keywords) if maker in OTHERS else make(maker, **keywords)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize(
    ("keywords", "advice"),
    [
        ({"cache_name": "x"}, 'cache="x.sqlite"'),
        ({"backend": "sqlite"}, 'cache="….sqlite"'),
        ({"cache_name": "x", "backend": "filesystem"}, 'cache=FileStore("x")'),
        ({"backend": "memory"}, 'cache="memory:"'),
        ({"backend": "Redis"}, 'cache="redis://localhost"'),
        ({"backend": "mongodb"}, "cache=SQLiteStore"),
        ({"backend": object()}, "cache=SQLiteStore"),
        ({"storage": object()}, "cache=SQLiteStore"),
        ({"serializer": "json"}, "without pickle"),
        ({"use_cache_dir": True}, "leave cache= out"),
        ({"use_temp": True}, "tempfile"),
        ({"use_memory": True}, 'cache="memory:"'),
        ({"fast_save": True}, "leave it out"),
        ({"wal": True}, "WAL"),
        ({"connection": object()}, "RedisStore(client)"),
        ({"max_bytes": 5}, "cache=SQLiteStore(path, max_bytes=…)"),
        ({"force_cache": True}, "cache_control=False"),
        ({"controller": object()}, "policy=Policy(…)"),
        ({"only_if_cached": True}, "offline=True"),
        ({"refresh": True}, "session.get(url, refresh=…)"),
        ({"expires_after": 3}, "expire_after=?"),
        ({"expire_afer": 3}, "expire_after=?"),
        ({"allowable_code": [200]}, "allowed_codes=?"),
        ({"ignore_parameters": ["a"]}, "ignored_parameters=?"),
        ({"match_header": ["a"]}, "match_headers=?"),
        ({"filter_function": print}, "filter_fn=?"),
        ({"secretkey": "x"}, "secret_key=?"),
        ({"stale_on_error": True}, "stale_if_error=?"),
    ],
)
def test_an_unknown_keyword_is_an_error_that_says_what_to_write(
    maker: str, keywords: dict[str, Any], advice: str
) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument") as caught:
        made(maker, **keywords)
    assert advice in str(caught.value)


@pytest.mark.parametrize("keyword", ["max_retries", "pool_maxsize"])
def test_what_concerns_the_network_is_said_to_the_adapter_below(keyword: str) -> None:
    with pytest.raises(TypeError, match=r"inner=HTTPAdapter\("):
        made("adapter", **{keyword: 3})


def test_header_fields_are_not_taken_for_a_setting() -> None:
    with pytest.raises(TypeError, match=r"session\.headers\.update"):
        made("requests", headers={"Accept": "text/html"})


@pytest.mark.parametrize("maker", MAKERS)
def test_a_keyword_that_is_like_nothing_is_an_error_all_the_same(maker: str) -> None:
    with pytest.raises(TypeError, match=r"\w+\(\) got an unexpected keyword argument 'qqqqq'"):
        made(maker, qqqqq=1)


@pytest.mark.parametrize(
    ("alias", "value", "name", "means"),
    [
        ("allowable_codes", [200], "codes", {200}),
        ("allowable_methods", ["GET"], "methods", {"GET"}),
        ("cacheable_methods", ["GET"], "methods", {"GET"}),
        ("cacheable_status_codes", [200], "codes", {200}),
        ("ignored_params", ["a"], "ignored", {"a"}),
        ("include_headers", ["A"], "matched", {"a"}),
        ("include_get_headers", True, "matched", None),
        ("old_data_on_error", True, "error_grace", float("inf")),
    ],
)
def test_a_name_that_means_the_same_is_taken(alias: str, value: Any, name: str, means: Any) -> None:
    with CachedSession(MemoryStore(), **{alias: value}) as session:
        assert getattr(session.policy, name) == means


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda: CachedSession("x", "sqlite", 300), "everything else by name"),
        (lambda: install_cache("x", "sqlite", 300), "expire_after=60"),
        (lambda: enabled("x", "memory"), "MemoryStore()"),
        (lambda: CacheMiddleware("x", 300), "not 300"),
        (lambda: TrioCachedSession("cache.sqlite"), "takes nothing by position"),
        (lambda: AsyncCachedSession("http://localhost", MemoryStore()), "takes base_url by position"),
    ],
)
def test_what_is_given_by_position_is_an_error_that_says_so(call: Callable[[], Any], advice: str) -> None:
    with pytest.raises(TypeError) as caught:
        call()
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    "place", ["cache.sqlite", "redis://localhost", "sqlite:///tmp/x", "file:///tmp/x", MemoryStore()]
)
def test_the_place_of_a_cache_is_no_base_url(place: Any) -> None:
    with pytest.raises(SettingError, match="the place of the cache is cache=…"):
        AsyncCachedSession(place)


@pytest.mark.parametrize("place", ["cache.sqlite", MemoryStore()])
def test_the_place_of_a_cache_is_no_adapter(place: Any) -> None:
    with pytest.raises(SettingError, match="the place of the cache is cache=…"):
        CacheAdapter(place)


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda: SQLiteStore("x", expire_after=60), "a setting of the session"),  # type: ignore[call-arg]
        (lambda: FileStore("x", allowed_codes=[200]), "a setting of the session"),  # type: ignore[call-arg]
        (lambda: MemoryStore(expire_after=60), "a setting of the session"),  # type: ignore[call-arg]
        (lambda: RedisStore("redis://localhost", ttl=5), "expire_after="),  # type: ignore[call-arg]
        (lambda: SQLiteStore(cache_name="x"), "write path="),  # type: ignore[call-arg]
        (lambda: SQLiteStore("x", use_temp=True), "tempfile"),  # type: ignore[call-arg]
        (lambda: SQLiteStore("x", max_byte=5), "max_bytes=?"),  # type: ignore[call-arg]
        (lambda: FileStore("x", qqqqq=5), "'qqqqq'"),  # type: ignore[call-arg]
        (lambda: Policy(expires_after=60), "expire_after=?"),  # type: ignore[call-arg]
        (lambda: Policy(backend="sqlite"), "cache=SQLiteStore"),  # type: ignore[call-arg]
    ],
)
def test_stores_and_policies_say_so_too(call: Callable[[], Any], advice: str) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument") as caught:
        call()
    assert advice in str(caught.value)


# Attributes set later


@pytest.fixture
def several() -> Any:
    """One of each that has settings."""

    def build() -> list[Any]:
        cases = [make(client, cache=MemoryStore()) for client in CLIENTS if client != "aiohttp"]
        return [*cases, CacheAdapter(cache=MemoryStore()), CacheMiddleware(MemoryStore())]

    return build()


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("expire_after", "expire_after"),
        ("allowed_methods", "allowed_methods"),
        ("allowable_codes", "allowed_codes"),
        ("old_data_on_error", "stale_if_error"),
        ("cache_control", "cache_control"),
        ("offline", "offline"),
        ("filter_fn", "filter_fn"),
        ("expires_after", "expire_after"),
        ("ignored_parameter", "ignored_parameters"),
    ],
)
def test_a_setting_set_later_is_refused(several: list[Any], name: str, own: str) -> None:
    """Nothing would look at it."""

    async def aiohttp_too() -> None:
        async with AsyncCachedSession(cache=MemoryStore()) as session:
            with pytest.raises(AttributeError, match=rf"{name} cannot be set.*Policy\({own}=…\)"):
                setattr(session, name, 60)

    asyncio.run(aiohttp_too())
    for each in several:
        with pytest.raises(AttributeError, match=rf"{name} cannot be set.*Policy\({own}=…\)"):
            setattr(each, name, 60)
        assert name not in vars(each)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("secret_key", "secret_key=…"),
        ("on_event", "on_event=…"),
        ("peer", "peer=…"),
        ("settings", "given when it is made"),
        ("force_refresh", "one request"),
        ("tags", "one request"),
        ("backend", "give the store itself"),
        ("cache_name", "where the cache lies"),
        ("serializer", "without pickle"),
        ("cache_disabled", "disabled"),
    ],
)
def test_what_else_is_said_of_a_cache_elsewhere_is_refused(several: list[Any], name: str, instead: str) -> None:
    """G6: above all no program stores unsigned, believing that it has set a secret."""

    async def aiohttp_too() -> None:
        async with AsyncCachedSession(cache=MemoryStore()) as session:
            with pytest.raises(AttributeError, match=rf"{name} cannot be set: .*{instead}"):
                setattr(session, name, "x")

    asyncio.run(aiohttp_too())
    for each in several:
        with pytest.raises(AttributeError, match=rf"{name} cannot be set: .*{instead}"):
            setattr(each, name, "x")
        assert name not in vars(each)


def test_there_are_no_settings_to_be_changed(several: list[Any]) -> None:
    """``session.settings.expire_after = 60`` is how another cache does it."""
    for each in several:
        assert not hasattr(each, "settings")
        with pytest.raises(AttributeError, match=r"'settings': settings are fixed, .* by name or as policy="):
            each.settings.expire_after = 60
        with pytest.raises(AttributeError):
            each.cache.expire_after = 60


@pytest.mark.filterwarnings("error")
def test_all_else_may_be_set(several: list[Any], origin: Origin) -> None:
    """By the client, by users, and by subclasses for whom a name means something else."""
    for each in several[:-2]:
        each.mine = 1

    class Session(CachedSession):
        offline: bool = False
        """Their own."""

        def __init__(self) -> None:
            self.namespace = "of their own"
            super().__init__(MemoryStore(), expire_after=60)

    session = Session()
    session.offline = True
    session.headers = {"A": "b"}  # type: ignore[assignment]
    session.settings = session.secret_key = {}  # type: ignore[attr-defined]
    assert session.policy.offline is False
    url = origin.on("/a", Reply(b"x"))
    assert [session.get(url).from_cache for _ in "12"] == [False, True]
    session.close()


def test_copies_are_fixed_too() -> None:
    with CachedSession(SQLiteStore("/tmp/never-opened.sqlite"), expire_after=60) as session:
        for again in (pickle.loads(pickle.dumps(session)), copy.copy(session)):
            with pytest.raises(AttributeError, match="cannot be set"):
                again.expire_after = 5
            again.close()


# Names of other caches, as attributes and in the front door


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_what_other_caches_export_is_an_import_error_that_says_what_to_take(name: str) -> None:
    """An AttributeError would lose its words on the way out of an import statement."""
    with pytest.raises(ImportError, match=f"there is no {name} in sansio_cache: take "):
        exec(f"from sansio_cache import {name}", {})


def test_what_is_ours_is_not_among_them() -> None:
    assert not set(PUBLIC) & set(sansio_cache.__all__)
    with CachedSession(MemoryStore()) as session:
        assert not [name for name in OF_CACHE if hasattr(session.cache, name)]
        assert not [name for name in OF_SESSION if hasattr(session, name)]


@pytest.mark.parametrize("name", sorted(OF_CACHE))
def test_what_other_caches_have_in_their_cache(name: str) -> None:
    async def aiohttp_too() -> None:
        async with AsyncCachedSession(cache=MemoryStore()) as session:
            with pytest.raises(AttributeError, match=f"'AsyncStoredResponses' object has no attribute '{name}': "):
                getattr(session.cache, name)

    asyncio.run(aiohttp_too())
    with CachedSession(MemoryStore()) as session, pytest.raises(AttributeError, match=f"no attribute '{name}': "):
        getattr(session.cache, name)


def test_what_other_caches_have_in_their_sessions(several: list[Any]) -> None:
    for each in several:
        if isinstance(each, CacheAdapter):
            continue  # which says what the adapter below it has
        with pytest.raises(AttributeError, match=r"session\.cache\.delete\(expired=True\)"):
            each.remove_expired_responses()
        with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
            _ = each.nothing


def test_a_class_behind_may_know_more_names() -> None:
    """Its own way of finding attributes is asked."""

    class Theirs(requests.Session):
        def __getattr__(self, name: str) -> str:
            return f"their {name}"

    class Session(CachedSession, Theirs):
        pass

    with Session(MemoryStore()) as session:
        assert session.settings == "their settings"


def test_an_existing_session_is_wrapped(origin: Origin) -> None:
    """It goes on with what the other has; the other stays as it was."""
    plain = requests.Session()
    plain.headers["User-Agent"] = "mine"
    plain.params = {"units": "metric"}
    url = origin.on("/a", Reply(b"x"))
    with CachedSession.wrap(plain, "memory:", expire_after=60) as session:
        assert [session.get(url).from_cache for _ in "12"] == [False, True]
    assert (origin.last().get("user-agent"), origin.last().target) == ("mine", "/a?units=metric")
    assert not hasattr(plain, "cache")
    plain.close()


def test_the_session_of_aiohttp_has_another_name() -> None:
    async def main() -> None:
        async with CachedSession(MemoryStore()):
            pass

    with pytest.raises(TypeError, match="for aiohttp take AsyncCachedSession"):
        asyncio.run(main())
