"""The transports under httpx2's clients: what is answered, what is stored, what is left as httpx2 has it."""

from __future__ import annotations

import gzip
import threading
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from anyio import to_thread
from clock import Clock
from colours import COLOURS, Client, Colour
from httpx_answers import FRESH, hit
from local_origin import Reply, Seen, fresh, redirect
from watched_origin import WatchedOrigin, tagged

from sansio_cache import NEVER_EXPIRE, CacheWarning, MemoryStore, NotCached, Policy, SettingError
from sansio_cache_adapters.cache import notices
from sansio_cache_adapters.stores.work import awaited

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", COLOURS, indirect=True)]

TEXT = b"the quick brown fox " * 500


async def test_a_hit_is_the_response_that_was_stored(client: Client, origin: WatchedOrigin, clock: Clock) -> None:
    fields = [*FRESH.items(), ("Content-Type", "text/plain"), ("X-Name", "J\xf8rgen"), ("x-name", "two")]
    url = origin.on("/page", Reply(TEXT, fields=fields)) + "?b=2&a=1"
    miss = await client.get(url)
    clock.advance(7)
    found = await client.get(url, headers={"X-Mine": "1"})
    assert [each.target for each in origin.seen] == ["/page?b=2&a=1"]
    assert found.content == miss.content == TEXT
    assert found.text == TEXT.decode()
    assert (found.status_code, found.reason_phrase, found.http_version) == (200, "OK", "HTTP/1.1")
    added = (b"Age", b"Date")  # an origin that sends no Date: what is stored gets one (RFC 9110 §6.6.1)
    assert [pair for pair in found.headers.raw if pair[0] not in added] == miss.headers.raw
    assert found.headers["age"] == "7"
    assert found.headers.get_list("x-name") == ["J\xf8rgen", "two"]
    assert found.request.headers["x-mine"] == "1"
    assert (str(found.url), found.history, found.is_closed) == (url, [], True)
    assert found.elapsed.total_seconds() < 10


async def test_what_the_cache_knows_is_in_the_extensions(client: Client, origin: WatchedOrigin, clock: Clock) -> None:
    url = origin.on("/", fresh(b"hello"))
    began = clock.now
    miss = (await client.get(url)).extensions
    clock.advance(5)
    found = (await client.get(url)).extensions
    assert (miss["from_cache"], found["from_cache"]) == (False, True)
    assert miss["created_at"] == found["created_at"] == datetime.fromtimestamp(began, UTC)
    assert miss["expires"] == found["expires"] == datetime.fromtimestamp(began + 3600, UTC)
    assert miss["cache_key"] == found["cache_key"]
    assert len(bytes.fromhex(found["cache_key"])) == 32
    assert (miss["revalidated"], found["revalidated"]) == (False, False)
    assert miss["cache_status"] == "sansio-cache;fwd=uri-miss;fwd-status=200;stored"
    assert found["cache_status"] == "sansio-cache;hit;ttl=3595"


async def test_what_is_not_stored_passes_untouched(client: Client, origin: WatchedOrigin) -> None:
    url = origin.on("/", Reply(b"hello", 299, {"Cache-Control": "no-store"}, "Mine"))
    response = await client.get(url)
    assert (response.content, response.reason_phrase) == (b"hello", "Mine")
    extensions = response.extensions
    assert (extensions["from_cache"], extensions["created_at"], extensions["expires"]) == (False, None, None)
    await client.get(url)
    assert origin.count() == 2


async def test_without_a_reason_there_is_that_of_the_status(client: Client, origin: WatchedOrigin) -> None:
    url = origin.on("/", Reply(b"hello", fields=FRESH, reason=""))
    await client.get(url)
    assert (await client.get(url)).reason_phrase == "OK"


async def test_a_stale_response_is_validated_and_its_connection_used_again(
    client: Client, origin: WatchedOrigin
) -> None:
    url = origin.on("/", tagged(TEXT))
    await client.get(url)
    response = await client.get(url)
    assert response.content == TEXT
    assert (response.extensions["revalidated"], hit(response)) == (True, True)
    assert origin.last().get("if-none-match") == '"tag"'
    assert "if-none-match" not in response.request.headers
    await client.get(url)
    assert (origin.count(), origin.accepted) == (3, 1)


async def test_cookies_come_with_the_exchange_and_never_from_the_store(
    client: Client, origin: WatchedOrigin, clock: Clock
) -> None:
    url = origin.on("/", fresh(b"hello", 10, set_cookie="a=1", etag='"tag"'), tagged(b"", set_cookie="b=2"))
    cookies = client.plain.cookies
    await client.get(url)
    assert dict(cookies) == {"a": "1"}
    cookies.clear()
    assert "set-cookie" not in (await client.get(url)).headers
    assert dict(cookies) == {}
    clock.advance(60)
    response = await client.get(url)
    assert (response.content, response.extensions["revalidated"]) == (b"hello", True)
    assert response.headers.get_list("set-cookie") == ["b=2"]
    assert dict(cookies) == {"b": "2"}


async def test_cookies_of_a_confirmation_are_this_exchanges_own(colour: Colour, origin: WatchedOrigin) -> None:
    """G13: also where those of the stored response are kept to be looked at; no hit gives any."""
    number = iter(range(9))

    def answer(seen: Seen) -> Reply:
        known = seen.get("If-None-Match") == '"a"'
        fields = {"ETag": '"a"', "Set-Cookie": f"n={next(number)}", "Cache-Control": "max-age=0"}
        return Reply(b"" if known else b"x", status=304 if known else 200, fields=fields)

    url = origin.on("/", answer)
    client = colour.over(colour.transport(cache=MemoryStore(), keep_set_cookie=True))
    assert (await client.get(url)).cookies["n"] == "0"
    confirmed = await client.get(url)
    assert confirmed.extensions["revalidated"]
    assert confirmed.cookies["n"] == "1"
    client.plain.cookies.clear()
    found = await client.get(url, headers={"Cache-Control": "only-if-cached, max-stale=60"})
    assert hit(found)
    assert not found.cookies
    assert not client.plain.cookies


async def test_redirects_are_cached_hop_by_hop_with_their_history(client: Client, origin: WatchedOrigin) -> None:
    url = origin.on("/old", redirect("/new", 301))
    origin.on("/new", fresh(b"here"))
    first = await client.get(url, follow_redirects=True)
    second = await client.get(url, follow_redirects=True)
    for response in (first, second):
        assert (response.content, response.url.path) == (b"here", "/new")
        assert [(hop.status_code, hop.url.path, hop.content) for hop in response.history] == [(301, "/old", b"moved")]
    assert [hit(each) for each in (*second.history, second)] == [True, True]
    assert origin.count() == 2
    left = await client.get(url)
    assert left.next_request is not None
    assert (left.status_code, left.next_request.url.path) == (301, "/new")


async def test_content_coding_is_kept_in_the_store_and_decoded_by_httpx2(
    client: Client, store: MemoryStore, origin: WatchedOrigin
) -> None:
    url = origin.on("/", fresh(TEXT, coded=True))
    assert [(await client.get(url)).content for _ in range(2)] == [TEXT, TEXT]
    async with client.stream("GET", url) as response:
        assert gzip.decompress(b"".join(await client.pieces(response, raw=True))) == TEXT
    assert origin.count() == 1
    assert store.size().bytes < len(TEXT) / 5


async def test_codings_that_this_httpx2_does_not_decode_are_known(client: Client) -> None:
    transport: Any = client.plain._transport
    nothing = {"br": b"\x3b", "zstd": b"\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"}
    read = {each: httpx2.Response(200, headers={"Content-Encoding": each}, content=nothing[each]) for each in nothing}
    assert transport._cache.engine._undecodable == {each for each, response in read.items() if response.content}


# Errors


async def test_errors_of_the_network_are_httpx2s_own(client: Client, origin: WatchedOrigin) -> None:
    await to_thread.run_sync(origin.close)
    with pytest.raises(httpx2.ConnectError) as raised:
        await client.get(origin.url())
    assert raised.value.request.method == "GET"
    with pytest.raises(httpx2.UnsupportedProtocol):
        await client.get("ftp://127.0.0.1/")


async def test_timeouts_are_httpx2s_own(client: Client, origin: WatchedOrigin) -> None:
    url = origin.script("/", lambda _, conversation: conversation.wait_for_end())
    with pytest.raises(httpx2.ReadTimeout):
        await client.get(url, timeout=0.05)


async def test_a_stale_response_stands_in_for_an_origin_that_fails(
    colour: Colour, store: MemoryStore, origin: WatchedOrigin, clock: Clock
) -> None:
    url = origin.on("/", fresh(b"hello", 1), Reply(b"sorry", 503))
    client = colour.over(colour.transport(cache=store, clock=clock, stale_if_error=True))
    await client.get(url)
    clock.advance(60)
    assert (await client.get(url)).content == b"hello"
    await to_thread.run_sync(origin.close)
    response = await client.get(url)
    assert (response.content, hit(response)) == (b"hello", True)
    assert origin.count() == 2


# Options of a request


def options(**given: Any) -> dict[str, Any]:
    return {"sansio_cache": given}


async def test_a_requests_own_options(client: Client, origin: WatchedOrigin) -> None:
    url = origin.on("/", Reply(b"hello"))
    await client.get(url, extensions=options(expire_after=60))
    assert hit(await client.get(url, extensions=options(expire_after=60)))
    assert not hit(await client.get(url, extensions=options(expire_after=60, refresh=True)))
    assert not hit(await client.get(url, extensions=options(force_refresh=True)))
    assert (await client.get(url, extensions=options(expire_after=NEVER_EXPIRE))).extensions["expires"] is None
    assert (await client.get(origin.url("/no"), extensions=options(only_if_cached=True))).status_code == 504
    assert origin.count("/no") == 0


async def test_options_are_kept_over_redirects_and_left_alone(client: Client, origin: WatchedOrigin) -> None:
    url = origin.on("/old", Reply(status=302, fields={"Location": "/new"}))
    origin.on("/new", Reply(b"here"))
    mine = options(expire_after=60)
    for _ in range(2):
        response = await client.get(url, extensions=mine, follow_redirects=True)
    assert [hit(each) for each in (*response.history, response)] == [True, True]
    assert mine == options(expire_after=60)


@pytest.mark.parametrize(
    "given", ["expire_after=60", {"expire_afer": 60}, {"expire_after": "soon"}, {"refresh": 1}, {"tags": "one"}]
)
async def test_wrong_options_are_errors(client: Client, origin: WatchedOrigin, given: Any) -> None:
    with pytest.raises(SettingError):
        await client.get(origin.url(), extensions={"sansio_cache": given})
    assert origin.count() == 0


async def test_options_beside_their_extension_are_told(
    client: Client, origin: WatchedOrigin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be without effect, in silence."""
    monkeypatch.setattr(notices, "_told", set[str]())
    url = origin.on("/misplaced", fresh(b"x"))
    await client.get(url, extensions={"sansio_cache": {"refresh": True}, "theirs": 1})
    said = r'"refresh": …\} says nothing to the cache: write extensions=\{"sansio_cache"'
    with pytest.warns(CacheWarning, match=said):
        await client.get(url, extensions={"refresh": True})


async def test_the_transport_below_does_not_see_the_options(colour: Colour) -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, content=b"hello")

    client = colour.over(colour.transport(httpx2.MockTransport(handler), cache=MemoryStore()))
    await client.get("http://a.example/", extensions=options(expire_after=60) | {"trace": None})
    assert "sansio_cache" not in seen[0].extensions
    assert seen[0].extensions["trace"] is None


# Settings


@pytest.mark.parametrize(
    ("error", "given"),
    [
        (SettingError, {"cache": 7}),
        (SettingError, {"cache": MemoryStore(), "expire_after": "soon"}),
        (SettingError, {"cache": MemoryStore(), "secret_key": None}),
        (SettingError, {"cache": MemoryStore(), "secret_key": ""}),
        (SettingError, {"secret_key": "a key without a place"}),
        (SettingError, {"cache": MemoryStore(), "policy": {"shared": True}}),
        (SettingError, {"cache": MemoryStore(), "policy": Policy(), "shared": True}),
        (SettingError, {"cache": MemoryStore(), "peer": 7}),
        (SettingError, {"cache": MemoryStore(), "on_event": 7}),
        (SettingError, {"cache": MemoryStore(), "clock": 7}),
        (TypeError, {"cache": MemoryStore(), "verify": False}),
    ],
)
async def test_wrong_settings_are_errors(colour: Colour, error: type[Exception], given: dict[str, Any]) -> None:
    with pytest.raises(error):
        colour.transport(**given)


async def test_what_lies_below_must_be_a_transport_of_the_same_colour(colour: Colour) -> None:
    for inner in ("cache.sqlite", httpx2.AsyncHTTPTransport() if colour.blocks else httpx2.HTTPTransport()):
        with pytest.raises(SettingError):
            colour.transport(inner)


async def test_settings_are_the_policys(colour: Colour, store: MemoryStore, origin: WatchedOrigin) -> None:
    url = origin.on("/", Reply(b"hello"))
    transport = colour.transport(cache=store, policy=Policy(expire_after=60))
    assert transport.policy == Policy(expire_after=60)
    client = colour.over(transport)
    await client.get(url)
    assert hit(await client.get(url))


async def test_offline_never_asks_the_origin(colour: Colour, store: MemoryStore, origin: WatchedOrigin) -> None:
    client = colour.over(colour.transport(cache=store, offline=True))
    with pytest.raises(NotCached):
        await client.get(origin.url())
    assert origin.count() == 0


async def test_disabled_is_for_this_context_only(colour: Colour, store: MemoryStore, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(b"hello"))
    transport = colour.transport(cache=store)
    client = colour.over(transport)
    await client.get(url)
    elsewhere: list[bool] = []
    with transport.disabled():
        assert not hit(await client.get(url))
        if isinstance(client.plain, httpx2.Client):
            plain = client.plain
            thread = threading.Thread(target=lambda: elsewhere.append(hit(plain.get(url))))
            thread.start()
            thread.join()
    assert elsewhere == [True] * colour.blocks
    assert hit(await client.get(url))
    assert origin.count() == 2


async def test_every_decision_is_told(colour: Colour, store: MemoryStore, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(b"hello"))
    told: list[str] = []
    client = colour.over(colour.transport(cache=store, on_event=lambda event: told.append(event.kind)))
    for _ in range(2):
        await client.get(url)
    assert told == ["miss", "stored", "hit"]


# What is below


class Application:
    """One of WSGI and of ASGI, that counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def wsgi(self, environ: Any, start_response: Any) -> list[bytes]:
        self.asked.append(environ["PATH_INFO"])
        start_response("200 OK", list(FRESH.items()))
        return [b"hello"]

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]})
        await send({"type": "http.response.body", "body": b"hello"})


async def test_an_application_in_the_place_of_the_network(colour: Colour, store: MemoryStore) -> None:
    app = Application()
    inner: Any = httpx2.WSGITransport(app.wsgi) if colour.blocks else httpx2.ASGITransport(app.asgi)
    client = colour.over(colour.transport(inner, cache=store, peer="app"))
    assert [(await client.get("http://app/")).content for _ in range(3)] == [b"hello"] * 3
    assert app.asked == ["/"]


def answering(colour: Colour, kind: str) -> httpx2.MockTransport:
    def respond(_: httpx2.Request) -> httpx2.Response:
        if kind == "content":
            return httpx2.Response(200, headers=FRESH, content=b"hello")
        stream = colour.content([b"hel", b"lo"])
        return httpx2.Response(200, headers=FRESH, content=stream)

    return httpx2.MockTransport(respond)


@pytest.mark.parametrize("kind", ["content", "stream"])
async def test_what_another_transport_answers_is_stored(colour: Colour, store: MemoryStore, kind: str) -> None:
    client = colour.over(colour.transport(answering(colour, kind), cache=store))
    responses = [await client.get("http://app/") for _ in range(2)]
    assert [(each.content, hit(each)) for each in responses] == [(b"hello", False), (b"hello", True)]


async def test_a_confirmation_with_content_confirms_all_the_same(colour: Colour, store: MemoryStore) -> None:
    def respond(request: httpx2.Request) -> httpx2.Response:
        fields = {"Cache-Control": "max-age=0", "ETag": '"tag"'}
        status, body = (304, b"junk") if "if-none-match" in request.headers else (200, b"hello")
        return httpx2.Response(status, headers=fields, stream=httpx2.ByteStream(body))

    client = colour.over(colour.transport(httpx2.MockTransport(respond), cache=store))
    assert [(await client.get("http://app/")).content for _ in range(2)] == [b"hello"] * 2


async def test_a_body_that_can_be_read_once_goes_to_the_origin_whole(colour: Colour, origin: WatchedOrigin) -> None:
    url = origin.on("/", lambda seen: fresh(seen.body))
    client = colour.over(colour.transport(cache=MemoryStore(), allowed_methods=("GET", "POST")))
    for _ in range(2):
        response = await client.post(url, content=colour.content([b"one", b"two"]))
        assert response.content == b"onetwo"
        assert "body-not-known" in response.extensions["cache_status"]
        assert (await client.post(url, content=b"three")).content == b"three"
    assert b"data" in (await client.post(url, files={"file": ("name", b"data")})).content
    assert origin.count() == 4


async def test_the_cache_is_looked_after_by_the_transport(
    colour: Colour, store: MemoryStore, origin: WatchedOrigin
) -> None:
    url = origin.on("/", fresh(b"hello"))
    transport = colour.transport(cache=store)
    client = colour.over(transport)
    await client.get(url, extensions=options(tags=["greeting"]))
    assert transport.cache.store is store
    assert await awaited(transport.cache.urls()) == [url]
    assert await awaited(transport.cache.delete(tags=["greeting"])) == 1
    assert not hit(await client.get(url))
    assert transport.cache.stats.misses == 2
