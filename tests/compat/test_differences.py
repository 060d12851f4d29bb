"""What is otherwise under the names of requests-cache and aiohttp-client-cache: each warns once and names its row."""

from __future__ import annotations

import ast
import asyncio
import re
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import requests
from aiohttp import TraceConfig
from local_origin import Origin, Reply, fresh, redirect

import sansio_cache_adapters.compat as compat
from sansio_cache.compat import requests_cache
from sansio_cache.compat.aiohttp_client_cache import CacheBackend, DictCache, MongoDBBackend, SQLiteBackend
from sansio_cache.compat.aiohttp_client_cache import CachedSession as AsyncSession
from sansio_cache.compat.notes import DifferenceWarning
from sansio_cache.compat.requests_cache import CachedSession
from sansio_cache_adapters.cache import notices
from sansio_cache_adapters.compat import addresses

PAGES = Path(__file__).parents[2] / "docs" / "howto"
CODE = Path(compat.__file__).parent


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test is told as a new process would be."""
    monkeypatch.setattr(notices, "_told", set[str]())
    monkeypatch.setattr(addresses, "_seen", dict[str, set[str]]())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def site(origin: Origin) -> str:
    """An origin with a page of each kind."""
    origin.on("/end", Reply(b"end"))
    origin.on("/start", redirect("/end"))
    origin.on("//x", Reply(b"x"))
    origin.on("/cookies", Reply(b"x", fields=[("Set-Cookie", "a=1")]))
    origin.on("/latin", Reply(b"x", fields={"Content-Type": "text/plain; charset=iso-8859-1"}))
    origin.on("/coded", fresh(b"x", coded=True))
    origin.on("/vary", fresh(b"x", Vary="Accept-Language"))
    return origin.on("/x", Reply(b"x")).removesuffix("/x")


def twice(url: str, said: dict[str, Any] | None = None, **settings: Any) -> None:
    """Two requests of a session."""
    with CachedSession(**{"backend": "memory", **settings}) as session:
        for _ in range(2):
            session.get(url, **(said or {}))


def posted(url: str, value: Any) -> None:
    """A JSON body."""
    with CachedSession(backend="memory", allowable_methods=["POST"]) as session:
        session.post(url, json=value)


def kept(url: str, look: Callable[[Any, Any], object]) -> None:
    """A session with something in its cache, and what is done with that."""
    with CachedSession(backend="memory") as session:
        session.get(url)
        look(session.cache, next(iter(session.cache.responses.values())))


def spaced(base: str) -> None:
    """A space in both spellings."""
    twice(f"{base}/x?q=a+b")
    twice(f"{base}/x?q=a%20b")


def fewer_codes(base: str) -> None:
    """Settings that are narrowed."""
    with CachedSession(backend="memory", allowable_codes=[200, 404]) as session:
        session.get(f"{base}/x")
        session.settings.allowable_codes = [200]
        session.get(f"{base}/x")


def another_kind(base: str) -> None:
    """A copy from a file."""
    with CachedSession("one") as one, CachedSession(backend="memory") as other:
        one.get(f"{base}/x")
        other.cache.update(one.cache)


def files_of_a_folder(base: str) -> None:
    """The paths of files."""
    with CachedSession("folder", backend="filesystem") as session:
        session.get(f"{base}/x")
        list(session.cache.paths())


def old_file(of: str) -> None:
    """A file that another cache has written."""
    import sqlite3

    with sqlite3.connect(f"{of}.sqlite") as db:
        db.execute("CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, value BLOB, expires INTEGER)")
        db.execute("CREATE TABLE IF NOT EXISTS redirects (key TEXT PRIMARY KEY, value BLOB, expires INTEGER)")
    db.close()


def in_old_file(base: str) -> None:
    """A session beside it."""
    old_file("old")
    CachedSession("old").close()


REQUESTS_CACHE: list[tuple[str, Callable[[str], Any]]] = [
    ("users", lambda base: twice(f"{base}/x", {"headers": {"Authorization": "Bearer x"}})),
    ("users", lambda base: twice(f"{base}/x", {"headers": {"X-API-Key": "x"}})),
    ("users redacted", lambda base: twice(f"{base}/x?api_key=x")),
    ("urls", lambda base: twice(f"{base}/x#part")),
    ("urls", lambda base: twice(f"{base}//x")),
    ("urls", lambda base: twice(f"{base}/x?a=&b=1")),
    ("urls", spaced),
    ("bodies", lambda base: posted(f"{base}/x", [1, 2])),
    ("verify", lambda base: twice(f"{base}/x", {"verify": False})),
    ("key-fn", lambda base: twice(f"{base}/x", key_fn=lambda request, **_: "one")),
    ("keys", lambda base: kept(f"{base}/x", lambda cache, found: cache.save_response(found, "mine"))),
    ("keys", lambda base: kept(f"{base}/x", lambda cache, found: cache.responses.update({"mine": found}))),
    ("recreate-keys", lambda base: kept(f"{base}/x", lambda cache, _: cache.recreate_keys())),
    ("codes", fewer_codes),
    ("cache-control", lambda base: twice(f"{base}/x", cache_control=True)),
    ("directives", lambda base: twice(f"{base}/x", {"headers": {"Cache-Control": "max-age=60"}})),
    ("directives", lambda base: twice(f"{base}/x", {"headers": {"If-None-Match": '"a"'}})),
    ("methods", lambda base: twice(f"{base}/x", {"headers": {"X-HTTP-Method-Override": "POST"}})),
    ("decoded", lambda base: twice(f"{base}/latin", backend="filesystem")),
    ("serializers decoded", lambda base: twice(f"{base}/coded", backend="filesystem", serializer="json")),
    ("fields", lambda base: kept(f"{base}/x", lambda _, found: found.headers.get("Transfer-Encoding"))),
    ("replaced", lambda base: twice(f"{base}/x", {"expire_after": 0})),
    ("redirects", lambda base: twice(f"{base}/start")),
    ("redirects", lambda base: twice(f"{base}/start", {"allow_redirects": False})),
    ("cookies", lambda base: twice(f"{base}/cookies")),
    ("requests", lambda base: kept(f"{base}/x", lambda _, found: found.request.headers)),
    ("requests", lambda base: kept(f"{base}/x", lambda _, found: found.request.body)),
    ("redacted", lambda base: twice(f"{base}/x?password=abc")),
    ("serializers", lambda _: CachedSession("x", serializer="json").close()),
    ("paths", files_of_a_folder),
    ("update", another_kind),
    ("keywords", lambda base: twice(f"{base}/x", colour="red")),
    ("old-caches", in_old_file),
]
"""What a program does, and the row of the page that its warning names."""
REQUESTS_CACHE_REFUSED: list[tuple[str, Callable[[], Any]]] = [
    ("backends", lambda: CachedSession(backend="mongodb")),
    ("backends", lambda: CachedSession(backend="gridfs")),
    ("backends", lambda: CachedSession(backend="dynamodb")),
    ("storages", lambda: requests_cache.SQLiteDict("x")),
    ("storages", lambda: setattr(requests_cache.BaseCache(), "redirects", {})),
    ("redirects", lambda: requests_cache.BaseCache().redirects.update(a="b")),
    ("serializers", lambda: requests_cache.json_serializer.dumps(requests_cache.CachedResponse())),
]


async def asked(url: str, said: dict[str, Any] | None = None, **settings: Any) -> None:
    """Two requests of a session."""
    async with AsyncSession(cache=CacheBackend(**settings)) as session:
        for _ in range(2):
            async with session.get(url, **(said or {})):
                pass


async def looked(url: str, look: Callable[[Any, Any], Coroutine[Any, Any, Any]]) -> None:
    """A session with something in its cache, and what is done with that."""
    async with AsyncSession(cache=CacheBackend()) as session:
        response = await session.get(url)
        await look(session.cache, response)


async def traced(base: str) -> None:
    """A session that is watched."""
    async with AsyncSession(cache=CacheBackend(), trace_configs=[TraceConfig()]) as session:
        for _ in range(2):
            await session.get(f"{base}/x")


async def made_key(base: str) -> None:
    """A key of a body."""
    CacheBackend().create_key("POST", base, json={"a": 1})


async def beside_old_file(base: str) -> None:
    """A cache beside an old one."""
    old_file("old")
    SQLiteBackend("old")


AIOHTTP_CLIENT_CACHE: list[tuple[str, Callable[[str], Coroutine[Any, Any, Any]]]] = [
    ("users", lambda base: asked(f"{base}/x", {"headers": {"Authorization": "Bearer x"}})),
    ("users", lambda base: asked(f"{base}/x", {"headers": {"X-API-Key": "x"}})),
    ("vary", lambda base: asked(f"{base}/vary")),
    ("urls", lambda base: asked(f"{base}/x#part")),
    ("urls", lambda base: asked(f"{base}//x")),
    ("urls", lambda base: asked(f"{base}/x?a=")),
    ("create-key", made_key),
    ("keys", lambda base: looked(f"{base}/x", lambda cache, found: cache.responses.write("mine", found))),
    ("dates", lambda base: asked(f"{base}/x", expire_after="tomorrow")),
    ("cache-control", lambda base: asked(f"{base}/x", cache_control=True)),
    ("redirects", lambda base: asked(f"{base}/start")),
    ("cookies", lambda base: asked(f"{base}/cookies")),
    ("redacted", lambda base: asked(f"{base}/x?password=abc")),
    ("traces", traced),
    ("records", lambda base: asked(f"{base}/x", serializer=object())),
    ("keywords", lambda base: asked(f"{base}/x", colour="red")),
    ("old-caches", beside_old_file),
]
AIOHTTP_CLIENT_CACHE_REFUSED: list[tuple[str, Callable[[], Any]]] = [
    ("backends", MongoDBBackend),
    ("storages", DictCache),
    ("storages", lambda: setattr(CacheBackend(), "responses", {})),
    ("redirects", lambda: asyncio.run(CacheBackend().redirects.write("a", "b"))),
]


def rows_of(page: str) -> list[str]:
    """The anchors of the table of differences."""
    text = (PAGES / f"move-from-{page}.md").read_text(encoding="utf-8")
    table = text.partition("### What is otherwise")[2].partition("\n##")[0]
    rows = re.findall(r"^\| ([^|\s].*?) \|", table, re.MULTILINE)
    return [found[1] if (found := re.match(r'<a id="([a-z-]+)"></a>\S', row)) else row for row in rows]


def told(page: str, run: Callable[[], object]) -> list[str]:
    """The anchors that the warnings of a program name."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    said = [str(each.message) for each in caught if each.category is DifferenceWarning]
    assert all(text.startswith(f"{page}: ") for text in said), said
    return [anchor_of(page, text) for text in said]


def anchor_of(page: str, text: str) -> str:
    """The row that a text names."""
    found = re.search(rf"\(see docs/howto/move-from-{page}\.md#([a-z-]+)\)$", text)
    assert found, text
    return found[1]


@pytest.mark.parametrize(("anchor", "run"), REQUESTS_CACHE)
def test_a_difference_from_requests_cache_warns_once(anchor: str, run: Callable[[str], Any], site: str) -> None:
    assert told("requests-cache", lambda: run(site)) == anchor.split()
    assert told("requests-cache", lambda: run(site)) == []


@pytest.mark.parametrize(("anchor", "run"), AIOHTTP_CLIENT_CACHE)
def test_a_difference_from_aiohttp_client_cache_warns_once(
    anchor: str, run: Callable[[str], Coroutine[Any, Any, Any]], site: str
) -> None:
    assert told("aiohttp-client-cache", lambda: asyncio.run(run(site))) == [anchor]
    assert told("aiohttp-client-cache", lambda: asyncio.run(run(site))) == []


@pytest.mark.parametrize(
    ("page", "anchor", "run"),
    [
        *[("requests-cache", *row) for row in REQUESTS_CACHE_REFUSED],
        *[("aiohttp-client-cache", *row) for row in AIOHTTP_CLIENT_CACHE_REFUSED],
    ],
)
def test_what_is_refused_names_its_row(page: str, anchor: str, run: Callable[[], Any]) -> None:
    with pytest.raises((NotImplementedError, TypeError)) as raised:
        run()
    assert anchor_of(page, str(raised.value)) == anchor


@pytest.mark.parametrize(
    ("page", "rows"),
    [
        ("requests-cache", [*REQUESTS_CACHE, *REQUESTS_CACHE_REFUSED]),
        ("aiohttp-client-cache", [*AIOHTTP_CLIENT_CACHE, *AIOHTTP_CLIENT_CACHE_REFUSED]),
    ],
)
def test_each_row_of_the_page_warns(page: str, rows: list[tuple[str, Any]]) -> None:
    listed = rows_of(page)
    assert len(listed) == len(set(listed)) > 10
    assert set(listed) == {anchor for anchors, _ in rows for anchor in anchors.split()}


@pytest.mark.parametrize(
    ("page", "folder", "name"),
    [
        ("requests-cache", "requests_cache", "REQUESTS_CACHE"),
        ("aiohttp-client-cache", "aiohttp_client_cache", "AIOHTTP_CLIENT_CACHE"),
    ],
)
def test_whatever_warns_stands_in_the_page(page: str, folder: str, name: str) -> None:
    calls = [
        node
        for path in [*CODE.glob("*.py"), *(CODE / folder).rglob("*.py")]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in ("differs", "refusal") and ast.unparse(node.func.value) in (name, "peer")
    ]
    assert len(calls) > 15
    anchors = {ast.literal_eval(node.args[0]) for node in calls}
    assert anchors == set(rows_of(page))


def test_a_program_without_differences_is_told_nothing(site: str) -> None:
    def run() -> None:
        with CachedSession("plain", expire_after=60, allowable_codes=(200, 404), ignored_parameters=["t"]) as session:
            for _ in range(2):
                session.get(f"{site}/x?t=1&a=b", timeout=5)
            session.cache.delete(expired=True)
            assert session.cache.contains(url=f"{site}/x?t=2&a=b")
            assert [each.url for each in session.cache.filter()] == [f"{site}/x?a=b&t=REDACTED"]

    assert told("requests-cache", run) == []


def test_a_warning_is_silenced_by_its_class_or_its_words(site: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", "requests-cache: redirects", DifferenceWarning)
        twice(f"{site}/start")
    assert caught == []


def test_a_warning_that_is_an_error_costs_no_answer(site: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with requests_cache.enabled(backend="memory"):
            assert requests.get(f"{site}/start").text == "end"
