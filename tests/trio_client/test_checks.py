"""What makes no sense is refused where it is given, and the message says what would be taken."""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import Any

import pytest

from sansio_cache import SettingError
from sansio_cache_adapters.trio.http.client import HTTPSession, Limits, Timeout
from sansio_cache_adapters.trio.http.errors import ConnectError, InvalidURL

PAIRS = "a mapping, or pairs of a name and a value, not"
BASE: dict[str, Any] = {"base_url": "http://h/"}

# What both a session and a request take: the argument, what the message says of it.
EITHER: list[tuple[dict[str, Any], str]] = [
    ({"params": 5}, f"params takes {PAIRS} int"),
    ({"params": "a=b"}, f"params takes {PAIRS} str"),
    ({"params": [1]}, "params takes pairs of a name and a value, not int among them"),
    ({"params": {1: "a"}}, "a name in params takes a str, not int"),
    ({"params": {"a": b"x"}}, r"params\['a'\] takes text, numbers or lists of them, not bytes"),
    ({"params": {"a": {"b": 1}}}, r"params\['a'\] takes text, numbers or lists of them, not dict"),
    ({"params": {"a": [b"x"]}}, r"params\['a'\] takes text, numbers or lists of them, not bytes"),
    ({"headers": "x"}, f"headers takes {PAIRS} str"),
    ({"headers": [("a",)]}, "headers takes pairs of a name and a value, not tuple among them"),
    ({"headers": {1: "a"}}, "a name in headers takes a str, not int"),
    ({"headers": {"A": 1}}, r"headers\['A'\] takes a str, not int"),
    ({"headers": {"A": b"x"}}, r"headers\['A'\] takes a str, not bytes"),
    ({"auth": "user"}, "auth takes a user and a password, as .*, or None, not str"),
    ({"auth": ("user",)}, "auth takes a user and a password"),
    ({"auth": ("u", "p", "x")}, "auth takes a user and a password"),
    ({"auth": (1, 2)}, "auth takes a user and a password"),
    ({"auth": 7}, "auth takes a user and a password"),
    ({"auth": ("a:b", "c")}, "cannot contain a colon"),
    ({"timeout": -1}, "above zero seconds, or None, not -1"),
    ({"timeout": "5"}, "above zero seconds, or None, not '5'"),
    ({"timeout": True}, "above zero seconds, or None, not True"),
    ({"timeout": (1, 2)}, "above zero seconds, or None"),
    ({"follow_redirects": "no"}, "follow_redirects takes True or False, not 'no'"),
    ({"follow_redirects": None}, "follow_redirects takes True or False, not None"),
]

OF_A_SESSION: list[tuple[dict[str, Any], str]] = [
    ({"base_url": 7}, "base_url takes a str, not int"),
    ({"base_url": ""}, "no absolute URL"),
    ({"base_url": "/api/"}, "no absolute URL"),
    ({"cookies": {"a": "b"}}, "give base_url= too, or a CookieJar"),
    ({"cookies": "a=b"}, "cookies takes a mapping of names and values, or a CookieJar, not str"),
    ({**BASE, "cookies": {"a": 1}}, r"cookies\['a'\] takes a str, not int"),
    ({**BASE, "cookies": {"a": "b;c"}}, "a ; or a line end: 'a'"),
    ({"limits": 5}, r"limits takes a Limits, as Limits\(per_host=4\), not 5"),
    ({"ssl_context": "ca.pem"}, "ssl_context takes an ssl.SSLContext, not str"),
    ({"ssl_context": object(), "verify": False}, "exclude each other"),
    ({"verify": "ca.pem"}, r"verify takes True or False, not 'ca.pem'; .* give ssl_context="),
    ({"verify": None}, "verify takes True or False, not None"),
    ({"max_redirects": -1}, "max_redirects must be at least 0, not -1"),
    ({"max_redirects": "3"}, "max_redirects must be at least 0, not '3'"),
    ({"max_redirects": True}, "max_redirects must be at least 0, not True"),
]

OF_A_REQUEST: list[tuple[dict[str, Any], str]] = [
    ({"data": 7}, f"data takes {PAIRS} int"),
    ({"data": [1]}, "data takes pairs of a name and a value, not int among them"),
    ({"data": {"a": b"x"}}, r"data\['a'\] takes text, numbers or lists of them, not bytes"),
    ({"data": "a=b"}, "give text and bytes as content="),
    ({"content": 7}, "content= takes bytes, str, a binary file or an async iterator, not int"),
    ({"content": b"x", "json": 1}, "give one of content=, data= and json="),
    ({"verify": False}, "a request takes no verify; there are auth, content, data, follow_redirects, headers, json"),
]


@pytest.mark.parametrize(("given", "words"), EITHER + OF_A_SESSION)
def test_a_session_says_what_it_takes(given: dict[str, Any], words: str) -> None:
    """At once, and not with its first request."""
    with pytest.raises(ValueError, match=words):
        HTTPSession(**given)


async def ask(session: HTTPSession, how: str, given: dict[str, Any]) -> None:
    if how == "request":
        await session.post("http://127.0.0.1:1/", **given)
    async with session.stream("POST", "http://127.0.0.1:1/", **given):
        pass


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["request", "stream"])
@pytest.mark.parametrize(("given", "words"), EITHER + OF_A_REQUEST)
async def test_a_request_says_what_it_takes(given: dict[str, Any], words: str, how: str) -> None:
    """Before anything is sent."""
    async with HTTPSession() as session:
        with pytest.raises((TypeError, ValueError), match=words):
            await ask(session, how, given)
        assert session.pool.counts == (0, 0, 0)


@pytest.mark.anyio
@pytest.mark.parametrize("url", [7, None, b"http://h/", ["http://h/"]])
async def test_urls_and_methods_are_texts(url: Any) -> None:
    for base in (None, "http://h/"):
        async with HTTPSession(base_url=base) as session:
            with pytest.raises(SettingError, match=r"url takes a str, not .*; give str"):
                await session.get(url)
            with pytest.raises(SettingError, match="method takes a str, not"):
                await session.request(url, "http://h/")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"total": "3"}, "total must be at least 1, or None, not '3'"),
        ({"per_host": True}, "per_host must be at least 1, or None, not True"),
        ({"idle": -1}, "idle must be at least 0, not -1"),
        ({"idle": None}, "idle must be at least 0, not None"),
        ({"idle_expiry": -1}, "idle_expiry must be seconds, 0 or more, or None, not -1"),
        ({"idle_expiry": "x"}, "idle_expiry must be seconds, 0 or more, or None, not 'x'"),
    ],
)
def test_limits_say_what_they_take(given: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        Limits(**given)


@pytest.mark.parametrize("given", ["5", True, (1, 2), {}])
def test_a_wait_is_a_number(given: Any) -> None:
    with pytest.raises(SettingError, match="the read timeout must be above zero seconds, or None"):
        Timeout(read=given)


@pytest.mark.anyio
async def test_what_is_sound_is_taken(serve: Any) -> None:
    """Each setting in its widest form."""
    server = serve.pages({"*": serve.message()})
    settings: dict[str, Any] = {
        "base_url": server.url,
        "params": [("a", [1, None, True]), ("b", 0.5)],
        "headers": [("X-One", "1"), ("Accept", None)],
        "cookies": CookieJar(),
        "auth": ["u", "p"],
        "timeout": Timeout(2, 2.5, None, None),
        "limits": Limits(None, None, 0, None),
        "max_redirects": 0,
    }
    async with HTTPSession(**settings) as session:
        await session.get("/x", auth=("me", "p"), headers={"X-Two": "2"}, timeout=None, follow_redirects=False)
    assert server.seen[0].target == "/x?a=1&a=true&b=0.5"
    assert (server.seen[0].get("x-one"), server.seen[0].get("x-two"), server.seen[0].get("accept")) == ("1", "2", None)
    assert server.seen[0].get("authorization") == "Basic bWU6cA=="


@pytest.mark.anyio
async def test_an_iterator_that_gives_text_is_told_so(serve: Any) -> None:
    async def pieces() -> Any:
        yield "text"

    server = serve.pages({})
    async with HTTPSession() as session:
        with pytest.raises(TypeError, match="an iterator of bytes, and this one gave str"):
            await session.post(server.url, content=pieces())
        assert session.pool.counts == (0, 0, 0)


@pytest.mark.anyio
async def test_an_error_of_connecting_names_the_host() -> None:
    async with HTTPSession() as session:
        with pytest.raises(ConnectError, match=r"connecting to 127\.0\.0\.1:1: "):
            await session.get("http://127.0.0.1:1/")
        with pytest.raises(InvalidURL, match="is a base_url missing"):
            await session.get("/x")
