"""Responses put in by hand: stored like any other where they may be, refused with a reason where not."""

from __future__ import annotations

import gzip
import inspect
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
import requests
from cached_clients import CLIENTS, Client, Opener
from local_origin import Origin, Reply, fresh

from sansio_cache import BadSignature, CachedSession, SettingError
from sansio_cache.messages import Headers, Received

pytestmark = pytest.mark.anyio
KEEPS = Headers([("Cache-Control", "max-age=60"), ("Content-Type", "text/plain")])


@pytest.fixture
def anyio_backend() -> str:
    """The loop of aiohttp."""
    return "asyncio"


@pytest.fixture
async def opened() -> AsyncIterator[Opener]:
    """Opens a client by its name."""
    async with AsyncExitStack() as stack:
        yield Opener(stack)


def head(now: float, *, status: int = 200, headers: Headers = KEEPS) -> Received:
    return Received(status, "OK", headers, now, now)


async def text_of(client: Client, url: str) -> str:
    """What a GET brings."""
    response = client.session.get(url)
    if inspect.isawaitable(response):
        response = await response
    return await response.text() if client.name == "aiohttp" else str(response.text)


@pytest.mark.parametrize("name", CLIENTS)
async def test_values_of_the_core_are_stored_and_signed(
    opened: Opener, origin: Origin, clock: Any, key: str, name: str
) -> None:
    client = await opened(name, clock=clock, secret_key=key)
    url = origin.url("/put")
    done = await client.ask("put", url, head(clock.now), b"by hand")
    assert (done.stored, done.reason, bool(done)) == (True, "", True)
    assert await client.ask("contains", url)
    assert await text_of(client, url) == "by hand"
    assert origin.count() == 0
    assert (await client.ask("verify")).good == 1


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_response_of_the_client_is_stored_without_its_coding(opened: Opener, origin: Origin, name: str) -> None:
    """What it says of a coding that the client took off would be untrue."""
    url = origin.on("/from", fresh(b"hello" * 50, coded=True))
    client, other = await opened(name), await opened(name)
    given = client.session.get(url)
    if inspect.isawaitable(given):
        given = await given
    put_at = origin.url("/to")
    done = await other.ask("put", put_at, given)
    assert done, done.reason
    assert await text_of(other, put_at) == "hello" * 50
    assert origin.count("/to") == 0


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(
    ("status", "fields", "reason"),
    [
        (200, [("Cache-Control", "no-store")], "no-store"),
        (200, [("Cache-Control", "max-age=60"), ("Content-Length", "99")], "incomplete"),
        (500, [], ""),
    ],
    ids=["not to be stored", "not whole", "no freshness"],
)
async def test_what_may_not_be_stored_is_not(
    opened: Opener, origin: Origin, clock: Any, name: str, status: int, fields: list[tuple[str, str]], reason: str
) -> None:
    client = await opened(name, clock=clock)
    done = await client.ask("put", origin.url(), head(clock.now, status=status, headers=Headers(fields)), b"x")
    assert not done
    assert done.reason
    assert reason in done.reason
    assert not await client.ask("contains", origin.url())


@pytest.mark.parametrize("name", CLIENTS)
async def test_it_takes_the_place_of_what_was_there(opened: Opener, origin: Origin, clock: Any, name: str) -> None:
    client = await opened(name, clock=clock)
    url = origin.on("/", fresh(b"from the network"))
    assert await text_of(client, url) == "from the network"
    assert await client.ask("put", url, head(clock.now), b"by hand")
    assert await text_of(client, url) == "by hand"


async def test_its_age_counts(opened: Opener, origin: Origin, clock: Any) -> None:
    """RFC 9111 §5.1: the time that it has lain with the user."""
    client = await opened("requests", clock=clock)
    assert await client.ask("put", origin.url("/a"), head(clock.now - 50), b"x")
    assert client.session.get(origin.url("/a")).headers["Age"] == "50"
    clock.advance(11)
    assert not await client.ask("contains", origin.url("/a"))


async def test_options_go_with_it(opened: Opener, origin: Origin, clock: Any) -> None:
    client = await opened("requests", clock=clock)
    plain = head(clock.now, headers=Headers())
    assert await client.ask("put", origin.url("/a"), plain, b"x", expire_after=100, tags=["mine"])
    assert await client.ask("delete", tags=["mine"]) == 1


async def test_a_request_names_what_it_answers(opened: Opener, origin: Origin) -> None:
    """Another user's stays theirs."""
    client = await opened("requests")
    made = requests.Response()
    made.status_code, made._content = 200, b"alice's"
    made.headers["Cache-Control"] = "max-age=60"
    mine = {"Authorization": "Bearer alice"}
    assert await client.ask("put", requests.Request("GET", origin.url(), headers=mine), made)
    assert client.session.get(origin.url(), headers=mine).text == "alice's"
    origin.on("/", Reply(b"anybody's"))
    assert client.session.get(origin.url()).text == "anybody's"


async def test_a_coded_body_of_the_core_stays_coded(opened: Opener, origin: Origin, clock: Any) -> None:
    client = await opened("requests", clock=clock)
    coded = KEEPS.with_field("Content-Encoding", "gzip")
    assert await client.ask("put", origin.url(), head(clock.now, headers=coded), gzip.compress(b"plain"))
    assert client.session.get(origin.url()).text == "plain"
    done = await client.ask("put", origin.url("/broken"), head(clock.now, headers=coded), b"no gzip")
    assert not done


@pytest.mark.parametrize("name", CLIENTS)
async def test_what_cannot_be_put_says_so(opened: Opener, origin: Origin, clock: Any, name: str) -> None:
    client = await opened(name, clock=clock)
    for response, body, words in (
        (5, None, "put takes .* not int: 5"),
        (head(clock.now), None, "body="),
        (httpx2.Response(200), None, "not httpx2.Response: <Response")
        if name == "requests"
        else (requests.Response(), None, "not requests.Response: <Response"),
    ):
        with pytest.raises(SettingError, match=words):
            await client.ask("put", origin.url(), response, body)
    for settings in ({"offline": True}, {"read_only": True}):
        other = await opened(name, **settings)
        with pytest.raises(SettingError, match=next(iter(settings))):
            await other.ask("put", origin.url(), head(clock.now), b"x")


def test_a_signature_of_another_secret_is_no_good(origin: Origin, key: str, tmp_path: Path) -> None:
    """G5: what is put in is signed by this session's secret."""
    place = tmp_path / "c.sqlite"
    with CachedSession(place, secret_key=key) as session:
        made = requests.Response()
        made.status_code, made._content = 200, b"x"
        made.headers["Cache-Control"] = "max-age=60"
        assert session.cache.put(origin.url(), made)
    with CachedSession(place, secret_key="another secret of 16 bytes") as other, pytest.raises(BadSignature):
        other.get(origin.url())


async def test_aiohttps_response_is_put_in_after_it_was_read_and_given_back(opened: Opener, origin: Origin) -> None:
    """As programs have it that leave the ``async with`` of the response first."""
    client, other = await opened("aiohttp"), await opened("aiohttp")
    async with client.session.get(origin.on("/", fresh(b"hello"))) as response:
        await response.read()
    assert await other.ask("put", response, response)
    assert await text_of(other, origin.url("/")) == "hello"


async def test_aiohttps_response_of_which_a_part_is_gone_is_refused(opened: Opener, origin: Origin) -> None:
    """Closed unread, or read in part: what is left of it is not its body."""
    client = await opened("aiohttp")
    url = origin.on("/", fresh(b"hello" * 50_000))
    async with client.session.get(url) as unread:
        pass
    async with client.session.get(url) as begun:
        await begun.content.read(1)
        for response in (unread, begun):
            with pytest.raises(SettingError, match="whole body"):
                await client.ask("put", origin.url("/to"), response)


@pytest.mark.parametrize(
    "use",
    [
        lambda response: response.close(),
        lambda response: setattr(response, "reader", response.iter_content(1)) or next(response.reader),
        lambda response: list(response.iter_content(1)),
        lambda response: response.raw.read(),
    ],
    ids=["closed", "begun", "read in parts", "read raw"],
)
@pytest.mark.parametrize("stored", [False, True], ids=["from the network", "stored"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_requests_response_of_which_a_part_is_gone_is_refused(
    origin: Origin, use: Any, stored: bool, framing: str
) -> None:
    reply = fresh(b"hello")
    reply.framing = framing
    url = origin.on("/", reply)
    with CachedSession("memory:") as session:
        if stored:
            session.get(url)
        with session.get(url, stream=True) as response:
            use(response)
            with pytest.raises(SettingError, match="whole body"):
                session.cache.put(origin.url("/to"), response)


def test_requests_response_with_nothing_to_read_is_put_in(origin: Origin) -> None:
    url = origin.on("/", fresh(b""))
    with CachedSession("memory:") as session:
        session.get(url)
        assert session.cache.put(origin.url("/to"), session.get(url, stream=True))
