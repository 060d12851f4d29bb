"""What ``session.cache`` shows of stored responses, with every client: one by one, in a loop, and copied elsewhere."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cached_clients import CLIENTS, Client, Opener
from local_origin import Origin, Reply, fresh

from sansio_cache import CacheAdapter, CachedSession, FileStore, MemoryStore, SettingError, SQLiteStore

pytestmark = pytest.mark.anyio
KEY = "a secret of at least sixteen bytes"


@pytest.fixture
def anyio_backend() -> str:
    """The loop of aiohttp; trio's session runs on it too."""
    return "asyncio"


@pytest.fixture
async def opened() -> AsyncIterator[Opener]:
    """Opens a client by its name."""
    async with AsyncExitStack() as stack:
        yield Opener(stack)


async def entries_of(client: Client) -> list[Any]:
    """Those that a loop over the cache gives."""
    if hasattr(client.cache, "__aiter__"):
        return [entry async for entry in client.cache]
    return list(client.cache)


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_stored_response_is_looked_at(opened: Opener, origin: Origin, name: str) -> None:
    """Fresh or stale, small or of many chunks, coded or not; it is not used by that."""
    client = await opened(name, keep_set_cookie=True, expire_after=60)
    small = origin.on("/small", Reply(b"small", fields={"X-A": "1", "Set-Cookie": "a=1"}))
    large = origin.on("/large", fresh(b"0123456789" * 300_000, coded=True))
    for url in (small, large):
        await client.is_hit("GET", url)
    found = await client.ask("get", small)
    assert (found.status, found.reason, found.method, found.url) == (200, "OK", "GET", small)
    assert (found.body, found.content, found.headers["x-a"], found.ok) == (b"small", b"small", "1", True)
    assert (found.text, found.headers.lines("set-cookie")) == ("small", ["a=1"])
    assert abs((found.stored_at - datetime.now(UTC)).total_seconds()) < 5
    assert found.expires_at - found.stored_at == timedelta(seconds=60)
    coded = await client.ask("get", large)
    assert coded.content == b"0123456789" * 300_000
    assert len(coded.body) < 100_000
    assert await client.ask("get", origin.url("/never")) is None
    assert client.cache.stats.hits == 0


@pytest.mark.parametrize("name", CLIENTS)
async def test_an_entry_stands_for_itself_and_for_no_other_variant(opened: Opener, origin: Origin, name: str) -> None:
    """HEAD and GET of a URL, and what Vary selects, lie under one key."""
    client = await opened(name)
    url = origin.on("/hello", lambda seen: fresh((seen.get("accept-language") or "").encode(), vary="Accept-Language"))
    await client.is_hit("HEAD", url, headers={"Accept-Language": "fr"})
    for language in ("de", "it"):
        await client.is_hit("GET", url, headers={"Accept-Language": language})
    found = await entries_of(client)
    assert len({entry.key for entry in found}) == 1
    shown = [await client.ask("get", entry) for entry in found]
    assert [(each.method, each.variant) for each in shown] == [(entry.method, entry.variant) for entry in found]
    assert {each.body for each in shown} == {b"", b"de", b"it"}
    german = next(entry for entry, each in zip(found, shown, strict=True) if each.body == b"de")
    assert await client.ask("delete", german) == 1
    assert not await client.ask("contains", german)
    assert await client.ask("get", german) is None
    assert sorted(entry.variant for entry in await entries_of(client)) == sorted(
        {e.variant for e in found} - {german.variant}
    )
    assert await client.ask("delete", *shown) == 2
    assert await entries_of(client) == []


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_cache_is_gone_through_and_thinned_out(opened: Opener, origin: Origin, name: str) -> None:
    client = await opened(name, cache_control=False)
    urls = [origin.on(f"/{number}", Reply(b"x")) for number in range(4)]
    for url in urls:
        await client.is_hit("GET", url)
    found = await entries_of(client)
    assert sorted(entry.url for entry in found) == urls
    assert all(entry.stored_at.tzinfo is UTC and entry.expires_at is None for entry in found)
    assert client.cache  # an empty one too is one
    assert await client.ask("delete", urls[0], urls[1]) == 2
    last = next(entry for entry in found if entry.url == urls[3])
    assert await client.ask("contains", last)
    assert (await client.ask("get", last)).body == b"x"
    assert await client.ask("delete", last) == 1
    assert await client.ask("get", last) is None
    assert await client.ask("urls") == [urls[2]]
    assert (await client.ask("size")).entries == 1


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_stored_response_is_read_as_text_and_as_json(opened: Opener, origin: Origin, name: str) -> None:
    client = await opened(name, cache_control=False)
    latin = origin.on(
        "/latin", Reply("Grüße".encode("latin-1"), fields={"Content-Type": "text/plain; charset=latin-1"})
    )
    data = origin.on("/data", fresh(b'{"a": [1, 2]}', coded=True))
    for url in (latin, data):
        await client.is_hit("GET", url)
    assert (await client.ask("get", latin)).text == "Grüße"
    assert (await client.ask("get", data)).json() == {"a": [1, 2]}
    with pytest.raises(ValueError, match=r"codec|Expecting"):
        (await client.ask("get", latin)).json()


@pytest.mark.parametrize("name", CLIENTS)
async def test_the_stored_responses_of_one_kind(opened: Opener, origin: Origin, name: str) -> None:
    """Expired or not, old, tagged: what is said must all be true."""
    now = time.time()
    client = await opened(name, cache_control=False, clock=lambda: now, urls_expire_after={"*/short": 10})
    short, long = (origin.on(path, Reply(b"x")) for path in ("/short", "/long"))
    for url in (short, long):
        await client.is_hit("GET", url)

    async def urls(*keep: Any, **keywords: Any) -> list[str]:
        return sorted(entry.url for entry in await client.ask("filter", *keep, **keywords))

    assert await urls() == [long, short]
    assert (await urls(expired=True), await urls(expired=False)) == ([], [long, short])
    now += 20
    assert (await urls(expired=True), await urls(expired=False)) == ([short], [long])
    assert await urls(older_than=timedelta(seconds=15)) == [long, short]
    assert await urls(older_than=30) == await urls(older_than=1e300) == []
    assert await urls(lambda entry: entry.status == 404, expired=True) == []
    assert await urls(tags=["none"]) == []
    with pytest.raises(SettingError, match="expired="):
        await urls("text")
    with pytest.raises(SettingError, match="tags takes a list"):
        await urls(tags="one")
    with pytest.raises(SettingError, match="older_than takes seconds"):
        await urls(older_than="a day")


@pytest.mark.parametrize("name", ["requests", "httpx"])
async def test_a_blocking_cache_is_a_collection(opened: Opener, origin: Origin, name: str) -> None:
    client = await opened(name)
    assert (len(client.cache), bool(client.cache)) == (0, True)
    url = origin.on("/", fresh(b"x"))
    await client.is_hit("GET", url)
    assert len(client.cache) == 1
    assert url in client.cache
    assert origin.url("/other") not in client.cache
    assert all(entry in client.cache for entry in client.cache)


@pytest.mark.parametrize("name", ["aiohttp", "httpx-async", "trio"])
async def test_an_awaiting_cache_says_how_to_ask_it(opened: Opener, name: str) -> None:
    cache = (await opened(name)).cache
    with pytest.raises(TypeError, match=r"await session\.cache\.size"):
        len(cache)
    with pytest.raises(TypeError, match=r"await session\.cache\.contains"):
        "http://x/" in cache  # noqa: B015
    with pytest.raises(TypeError, match=r"async for entry in session\.cache"):
        list(cache)
    assert cache


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("make", [MemoryStore, lambda: FileStore("copy"), lambda: SQLiteStore("copy.sqlite")])
async def test_everything_is_copied_to_another_store(
    opened: Opener, origin: Origin, name: str, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealed with its own secret; responses of users who are told apart, too."""
    monkeypatch.chdir(tmp_path)
    client = await opened(name, {"Authorization": "Bearer a"})
    urls = [origin.on("/a", fresh(b"a")), origin.on("/b", fresh(b"b" * 200_000, vary="Accept"))]
    for url in urls:
        await client.is_hit("GET", url)
    store = make()
    assert await client.ask("copy_to", store, secret_key=KEY) == 2
    assert await client.ask("copy_to", store, secret_key=KEY) == 0
    other = await opened(name, {"Authorization": "Bearer a"}, cache=store, secret_key=KEY)
    assert [await other.is_hit("GET", url) for url in urls] == [True, True]


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("secret", [KEY, "another secret, of as many bytes"])
async def test_a_signed_cache_is_copied(opened: Opener, origin: Origin, name: str, secret: str, tmp_path: Path) -> None:
    """G7: read with its session's secret, and sealed with that of the copy."""
    client = await opened(name, cache=tmp_path / "old.sqlite", secret_key=KEY)
    url = origin.on("/a", fresh(b"a" * 100_000))
    await client.is_hit("GET", url)
    assert await client.ask("copy_to", tmp_path / "new.sqlite", secret_key=secret) == 1
    other = await opened(name, cache=tmp_path / "new.sqlite", secret_key=secret)
    assert await other.is_hit("GET", url)


@pytest.mark.parametrize("name", CLIENTS)
async def test_what_was_kept_unsigned_is_signed(opened: Opener, origin: Origin, name: str, tmp_path: Path) -> None:
    url = origin.on("/", fresh(b"x"))
    first = await opened(name, cache=SQLiteStore(tmp_path / "c.sqlite"))
    await first.is_hit("GET", url)
    await first.ask("size")
    if hasattr(first.session, "aclose"):
        await first.session.aclose()
    elif name == "aiohttp":
        await first.session.close()
    second = await opened(name, cache=SQLiteStore(tmp_path / "c.sqlite"), secret_key=KEY)
    assert await second.ask("resign") == 0
    assert await second.ask("resign", sign_unsigned=True) == 1
    assert await second.is_hit("GET", url)
    assert await second.ask("resign", sign_unsigned=True) == 0
    with pytest.raises(SettingError, match="contrary"):
        await second.ask("resign", sign_unsigned=True, unsign=True)


def test_an_adapter_has_a_cache_too(origin: Origin) -> None:
    url = origin.on("/", fresh(b"x"))
    adapter = CacheAdapter(cache=MemoryStore())
    with requests.Session() as session:
        session.mount("http://", adapter)
        session.get(url)
        assert url in adapter.cache
        assert len(adapter.cache) == 1
        assert adapter.cache.delete(url) == 1
        session.get(url)
    assert origin.count("/") == 2


def test_a_forged_body_is_shown_to_nobody(origin: Origin, tmp_path: Path) -> None:
    """G2."""
    import sqlite3

    from sansio_cache import BadSignature

    url = origin.on("/", fresh(b"the very body"))
    with CachedSession(tmp_path / "c.sqlite", secret_key=KEY) as session:
        session.get(url)
    with sqlite3.connect(tmp_path / "c.sqlite") as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        changed = 0
        for table in tables:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            for column in columns:
                sql = f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {column} = ?"
                changed += db.execute(sql, (b"the evil body", b"the very body")).rowcount
    db.close()
    assert changed
    with CachedSession(tmp_path / "c.sqlite", secret_key=KEY) as session:
        try:
            found = session.cache.get(url)
        except BadSignature:
            found = None
        assert found is None
