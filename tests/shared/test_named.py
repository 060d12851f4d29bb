"""``session.cache`` finds and deletes what ``session.get`` would be given, for every client, however it is named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import product
from typing import Any

import aiohttp
import httpx2
import pytest
import requests
import yarl
from cached_clients import CLIENTS, Opener
from local_origin import Origin, Reply, Seen, fresh

from sansio_cache import (
    CachedSession,
    SettingError,
)
from sansio_cache.messages import Request

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The loop of aiohttp; trio's session runs on it too."""
    return "asyncio"


@pytest.fixture
async def opened() -> AsyncIterator[Opener]:
    """Opens a client by its name."""
    async with AsyncExitStack() as stack:
        yield Opener(stack)


def varied(_: Seen) -> Reply:
    return fresh(b"x", vary="Accept-Encoding, Accept, User-Agent")


OWN = {"Authorization": "Bearer t", "X-Tenant": "a"}
# what a session says, what each request says beside its URL
SAID: list[tuple[str, dict[str, Any], dict[str, str] | None, dict[str, Any]]] = [
    ("nothing", {}, None, {}),
    ("a token of the session", {}, OWN, {}),
    ("a field that is matched", {"match_headers": ["X-Tenant"]}, OWN, {}),
    ("fields of the request", {}, None, {"headers": {"Authorization": "Bearer other"}}),
    ("parameters", {}, None, {"params": {"a": "1 2"}}),
    ("a key of one's own", {"key_fn": lambda request: request.url.partition("?")[0]}, None, {"params": {"t": "1"}}),
]


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(("rule", "settings", "headers", "keywords"), SAID, ids=[row[0] for row in SAID])
async def test_contains_is_true_where_get_is_a_hit(
    opened: Opener,
    origin: Origin,
    name: str,
    rule: str,
    settings: dict[str, Any],
    headers: dict[str, str] | None,
    keywords: dict[str, Any],
) -> None:
    client = await opened(name, headers, **settings)
    url = origin.on("/", varied)
    named: Any = url
    said = dict(keywords)
    if name.startswith("httpx"):
        # A transport does not know its client, which makes the request.
        named, said = client.session.build_request("GET", url, **keywords), {}
    assert not await client.ask("contains", named, **said)
    assert not await client.is_hit("GET", url, **keywords)
    assert await client.ask("contains", named, **said)
    assert await client.is_hit("GET", url, **keywords)
    assert not await client.ask("contains", url + "other", **keywords)


@pytest.mark.parametrize("name", CLIENTS)
async def test_contains_is_false_where_get_asks_the_origin(
    opened: Opener, origin: Origin, name: str, clock: Any
) -> None:
    """A stale response is no answer; offline it is."""
    client = await opened(name, clock=clock)
    url = origin.on("/", fresh(b"x"))
    await client.is_hit("GET", url)
    assert await client.ask("contains", url)
    assert not await client.ask("contains", url, headers={"Authorization": "Bearer t"})
    assert not await client.ask("contains", url, headers={"Cache-Control": "no-cache"})
    clock.now += 1_000_000
    assert not await client.ask("contains", url)
    offline = await opened(name, clock=clock, offline=True, cache=client.cache.store)
    assert await offline.ask("contains", url)
    assert not await offline.ask("contains", url + "other")


# what is asked for beside a URL, and whether a stored response that is fresh for a minute answers
BESIDE: list[tuple[dict[str, Any], bool]] = [
    ({"expire_after": 30}, True),
    ({"expire_after": 0}, False),
    ({"only_if_cached": True}, True),
    ({"refresh": True}, False),
    ({"force_refresh": True}, False),
    ({"timeout": 5}, True),
]


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(("said", "found"), BESIDE, ids=[str(row[0]) for row in BESIDE])
async def test_contains_takes_what_get_takes(
    opened: Opener, origin: Origin, name: str, said: dict[str, Any], found: bool
) -> None:
    client = await opened(name)
    url = origin.on("/", fresh(b"x"))
    await client.is_hit("GET", url)
    assert await client.ask("contains", url, **said) is found
    assert await client.ask("contains", url=url, **said) is found
    if not name.startswith("httpx"):
        assert await client.is_hit("GET", url, **said) is found


async def test_whether_redirects_are_followed_decides_nothing(opened: Opener, origin: Origin) -> None:
    client = await opened("requests")
    url = origin.on("/", fresh(b"x"))
    await client.is_hit("GET", url)
    assert await client.ask("contains", url, allow_redirects=False)


async def test_a_user_named_in_the_url_is_one_user_for_all_clients(opened: Opener, origin: Origin) -> None:
    """Some clients leave userinfo in the URL, some make it an Authorization field."""
    url = origin.on("/", fresh(b"x")).replace("//", "//user:p%20w@")
    first = await opened("requests")
    await first.is_hit("GET", url)
    for name in CLIENTS:
        client = await opened(name, cache=first.cache.store)
        assert await client.is_hit("GET", url), name


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_post_that_is_opted_in_is_named_by_its_body(opened: Opener, origin: Origin, name: str) -> None:
    client = await opened(name, allowed_methods=["GET", "POST"])
    url = origin.on("/", fresh(b"x"))
    await client.is_hit("POST", url, json={"a": 1})
    assert await client.ask("contains", url, "POST", json={"a": 1})
    assert not await client.ask("contains", url, "POST", json={"a": 2})
    assert not await client.ask("contains", url)
    assert not await client.ask("contains", url, "PUT", json={"a": 1})


SPELLINGS: list[tuple[str, Any]] = [
    ("blanks", lambda url: url + "a b"),
    ("letters outside ASCII", lambda url: url + "caf\u00e9?q=\u00fc"),
    ("a fragment", lambda url: url + "a#top"),
    ("dots", lambda url: url + "a/../a b"),
    ("escapes", lambda url: url + "%7Ea%2fb"),
]
TILDES = list(product(["%7Ea", "~a"], ["%2fb", "%2Fb"]))


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(("rule", "spelled"), SPELLINGS, ids=[row[0] for row in SPELLINGS])
async def test_a_url_is_deleted_as_it_was_asked_for(
    opened: Opener, origin: Origin, name: str, rule: str, spelled: Any
) -> None:
    client = await opened(name)
    for path in ("a", "a%20b", "a/../a%20b", "caf%C3%A9", *("".join(each) for each in TILDES)):
        origin.on(f"/{path}", fresh(b"x"))
    url = spelled(origin.url())
    await client.is_hit("GET", url)
    assert await client.is_hit("GET", url)
    assert await client.ask("contains", url)
    assert await client.ask("delete", urls=[url]) == 1
    assert not await client.ask("contains", url)
    assert not await client.is_hit("GET", url)


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("make", [yarl.URL, httpx2.URL], ids=["yarl", "httpx2"])
async def test_a_url_of_any_library_names_a_response(opened: Opener, origin: Origin, name: str, make: Any) -> None:
    client = await opened(name)
    url = origin.on("/", fresh(b"x"))
    await client.is_hit("GET", url)
    assert await client.ask("contains", make(url))
    assert await client.ask("delete", urls=[make(url)]) == 1
    assert not await client.ask("contains", make(url))


@pytest.mark.parametrize("name", CLIENTS)
async def test_deleting_a_request_leaves_those_of_others(opened: Opener, origin: Origin, name: str) -> None:
    """Another user's, and another body's; while deleting the URL removes them all."""
    client = await opened(name, allowed_methods=["GET", "POST"])
    url = origin.on("/", fresh(b"x"))
    users = [{"headers": {"Authorization": f"Bearer {user}"}} for user in ("alice", "bob")]
    for user in users:
        await client.is_hit("GET", url, **user)
        await client.is_hit("POST", url, json={"a": 1}, **user)
    alice = Request("GET", url, _fields(Authorization="Bearer alice"))
    assert await client.ask("delete", requests=[alice]) == 1
    assert [await client.ask("contains", url, **user) for user in users] == [False, True]
    assert [await client.ask("contains", url, "POST", json={"a": 1}, **user) for user in users] == [True, True]
    assert await client.ask("delete", urls=[url]) == 3


def _fields(**fields: str) -> Any:
    from sansio_cache.messages import Headers

    return Headers(fields.items())


async def test_requests_own_objects_name_a_response(opened: Opener, origin: Origin) -> None:
    """Its parameters belong to a request that is not prepared: the URL without them is another."""
    client = await opened("requests")
    url = origin.on("/", fresh(b"x"))
    session: CachedSession = client.session
    for _ in range(2):
        plain, asked = session.get(url), session.get(url, params={"a": "b c"})
    assert plain.from_cache
    request = requests.Request("GET", url, params={"a": "b c"})
    assert session.cache.contains(request)
    for thing in (request, session.prepare_request(request), asked):
        session.get(url, params={"a": "b c"})
        assert session.cache.delete(requests=[thing]) == 1
        assert not session.cache.contains(thing)
        assert session.cache.contains(url)


async def test_aiohttps_own_objects_name_a_response(opened: Opener, origin: Origin) -> None:
    client = await opened("aiohttp", OWN)
    url = origin.on("/", varied)
    async with client.session.get(url) as response:
        await response.read()
    for thing in (response, response.request_info):
        assert await client.ask("contains", thing)
    assert await client.ask("delete", requests=[response]) == 1


async def test_httpx2s_own_objects_name_a_response(opened: Opener, origin: Origin) -> None:
    client = await opened("httpx", OWN)
    url = origin.on("/", varied)
    response = client.session.get(url)
    assert await client.ask("contains", response)
    assert await client.ask("contains", client.session.build_request("GET", url))
    assert await client.ask("delete", requests=[response.request]) == 1


async def test_trios_own_objects_name_a_response(opened: Opener, origin: Origin) -> None:
    client = await opened("trio", OWN)
    url = origin.on("/", varied)
    response = await client.session.get(url)
    assert await client.ask("contains", response)
    assert await client.ask("delete", requests=[response.request]) == 1


async def test_looking_sends_nothing_and_runs_the_users_middlewares(opened: Opener, origin: Origin) -> None:
    """A token that a middleware adds decides whose response it is."""

    async def signing(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        request.headers["Authorization"] = "Bearer t"
        return await handler(request)

    client = await opened("aiohttp", middlewares=[signing])
    url = origin.on("/", fresh(b"x"))
    assert not await client.ask("contains", url)
    assert origin.count() == 0
    await client.is_hit("GET", url)
    assert await client.ask("contains", url)


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(
    "wrong", [{"urls": "http://x/"}, {"requests": "http://x/"}, {"urls": 5}, {"requests": [5]}, {}]
)
async def test_what_names_nothing_is_refused(opened: Opener, name: str, wrong: dict[str, Any]) -> None:
    client = await opened(name)
    with pytest.raises(SettingError):
        await client.ask("delete", **wrong)
