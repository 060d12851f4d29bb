"""G27: what the origin has replaced or withdrawn is not served again; an error of the server withdraws nothing.

Each with every client: a page is stored, asked for anew in some way, and answered in some way; then the origin is down.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from asking import CLIENTS, Asking
from clock import Clock
from every_client import Face, play
from local_origin import Conversation, Origin, Reply, Seen

from sansio_cache import FileStore, SQLiteStore

pytestmark = pytest.mark.once

STALE: dict[str, Any] = {"stale_if_error": True}
NO_STORE = {"Cache-Control": "no-store"}


def page(body: bytes = b"old", **more: str) -> Reply:
    """A page that is fresh for an hour."""
    fields = {"Cache-Control": "max-age=3600", "ETag": '"old"'}
    return Reply(body, fields=fields | {name.replace("_", "-"): value for name, value in more.items()})


RELOADS: dict[str, dict[str, Any]] = {
    "refresh": {"refresh": True},
    "force_refresh": {"force_refresh": True},
    "no-cache": {"headers": {"Cache-Control": "no-cache"}},
    "max-age=0": {"headers": {"Cache-Control": "max-age=0"}},
    "Pragma": {"headers": {"Pragma": "no-cache"}},
    "If-Match": {"headers": {"If-Match": "*"}},
}

GONE: dict[str, Reply] = {
    "no-store": Reply(b"new", fields=NO_STORE),
    "no-store, the same tag": Reply(b"new", fields=NO_STORE | {"ETag": '"old"'}),
    "neither freshness nor validator": Reply(b"new"),
    "Vary: *": page(b"new", Vary="*"),
    "401": Reply(b"who", 401),
    "403": Reply(b"no", 403),
    "404": Reply(b"not here", 404),
    "410": Reply(b"gone", 410),
    "302": Reply(b"", 302, {"Location": "/elsewhere"}),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("answer", GONE)
def test_a_reload_of_what_is_fresh(client: str, clock: Clock, origin: Origin, answer: str) -> None:
    """G27: whatever is not stored takes the old one away."""
    for name, options in RELOADS.items():
        url = origin.on(f"/{name}", page(), GONE[answer], Reply(b"asked", fields=NO_STORE))
        asking = Asking(client, clock)
        asking.get(url)
        clock.advance(1)
        assert asking.get(url).from_cache
        assert asking.get(url, **options).status == GONE[answer].status
        assert asking.get(url).body == b"asked", name


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("answer", GONE)
def test_a_validation_and_then_an_error(client: str, clock: Clock, origin: Origin, answer: str) -> None:
    """G27: stale-if-error does not bring it back."""
    url = origin.on("/a", page(), GONE[answer], Reply(b"down", 503))
    asking = Asking(client, clock, **STALE)
    asking.get(url)
    clock.advance(4000)
    assert asking.get(url).status == GONE[answer].status
    assert asking.get(url).status == 503


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("status", [500, 503, 408, 429])
def test_what_says_nothing_of_the_page_withdraws_nothing(
    client: str, clock: Clock, origin: Origin, status: int
) -> None:
    """G27: an error of the server, and the refusal of a request."""
    for name, options in RELOADS.items():
        url = origin.on(f"/{name}", page(), Reply(b"trouble", status))
        asking = Asking(client, clock)
        asking.get(url)
        clock.advance(1)
        assert asking.get(url, **options).status == status
        assert asking.get(url).body == b"old", name


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("answer", [*GONE, "replaced"])
def test_a_background_validation(client: str, clock: Clock, origin: Origin, answer: str) -> None:
    """G27: it is made once, not for every request in the window."""
    swr = {"Cache-Control": "max-age=10, stale-while-revalidate=1000"}
    newer = GONE.get(answer, page(b"newer", ETag='"new"'))
    url = origin.on("/a", Reply(b"old", fields=swr), newer, Reply(b"asked", fields=NO_STORE))
    asking = Asking(client, clock)
    asking.get(url)
    clock.advance(20)
    assert asking.get(url).body == b"old"
    assert asking.get(url).body == (b"newer" if answer == "replaced" else b"asked")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_background_validation_is_the_caches_own(client: str, clock: Clock, origin: Origin) -> None:
    """The user's preconditions and ranges are about the user's answer; what is stored is the whole."""

    def answer(seen: Seen) -> Reply:
        assert seen.get("Accept") == "text/plain"
        return Reply(b"0123456789", fields={"Cache-Control": "max-age=10, stale-while-revalidate=1000"})

    asked = {
        "Range": "bytes=0-1",
        "If-Range": '"x"',
        "If-None-Match": '"x"',
        "If-Modified-Since": "Sun, 06 Nov 1994 08:49:37 GMT",
    }
    for name, value in asked.items():
        url = origin.on(f"/{name}", answer)
        asking = Asking(client, clock)
        asking.get(url, headers={"Accept": "text/plain"})
        clock.advance(20)
        assert asking.get(url, headers={"Accept": "text/plain", name: value}).from_cache
        assert origin.count(f"/{name}") == 2
        assert [origin.last(f"/{name}").get(each) for each in asked] == [None] * 4
        assert asking.get(url, headers={"Accept": "text/plain"}).from_cache
        assert origin.count(f"/{name}") == 2


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "settings", [{"max_body": 10}, {"filter_fn": lambda _, response: response.body != b"0123456789abcdef"}]
)
def test_what_is_not_kept_when_its_body_has_come(
    client: str, clock: Clock, origin: Origin, settings: dict[str, Any]
) -> None:
    """G27: too large, or refused by the user: the page is another all the same."""
    for name, framing in (("length", "length"), ("chunked", "chunked")):
        large = page(b"0123456789abcdef", ETag='"large"')
        large.framing = framing
        if framing == "chunked":
            large.body = [b"01234567", b"89abcdef"]
        url = origin.on(f"/{name}", page(), large, Reply(b"asked", fields=NO_STORE))
        asking = Asking(client, clock, **settings)
        asking.get(url)
        assert asking.get(url, refresh=True).body == b"0123456789abcdef"
        assert asking.get(url).body == b"asked", name


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("tag", "next_body"), [('"new"', b"asked"), ('"old"', b"old"), (None, b"old")])
def test_a_newer_one_that_breaks_off(
    client: str, clock: Clock, origin: Origin, tag: str | None, next_body: bytes
) -> None:
    """G27: it has replaced the old one where its head says that it is another; else the good entry is kept."""

    def broken(_: Seen, conversation: Conversation) -> None:
        field = f"ETag: {tag}\r\n" if tag else ""
        head = f"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n{field}Content-Length: 100\r\n\r\n"
        conversation.send(head.encode() + b"only so much")
        conversation.close()

    url = origin.on("/a", page())
    asking = Asking(client, clock)
    asking.get(url)
    origin.script("/a", broken)
    with pytest.raises(Exception):  # noqa: B017 - each client has its own
        asking.get(url, force_refresh=True)
    origin._scripts.clear()
    origin.on("/a", Reply(b"asked", fields=NO_STORE))
    assert asking.get(url).body == next_body


@pytest.mark.parametrize("client", CLIENTS)
def test_a_vary_that_changed(client: str, clock: Clock, origin: Origin) -> None:
    """RFC 9111 §4.1 prefers one with Vary, but what was replaced is not there to be preferred."""
    varied = page(b"old", Vary="Accept-Language")
    english, french = {"Accept-Language": "en"}, {"Accept-Language": "fr"}
    url = origin.on("/a", varied, page(b"vieux", Vary="Accept-Language", ETag='"fr"'), page(b"new", ETag='"new"'))
    asking = Asking(client, clock)
    asking.get(url, headers=english)
    asking.get(url, headers=french)
    asking.get(url, headers=english, refresh=True)
    assert asking.get(url, headers=english).body == b"new"
    assert asking.get(url, headers=french).body == b"vieux"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("lines", "next_body"),
    [
        ({"ETag": '"new"', "Content-Range": "bytes 0-1/3"}, b"asked"),
        ({"ETag": '"old"', "Content-Range": "bytes 0-1/3"}, b"old"),
        ({"Content-Range": "bytes 0-1/3"}, b"old"),
        ({"Content-Range": "bytes 0-1/4"}, b"asked"),
        ({"ETag": '"old"', "Content-Range": "bytes 0-1/3", **NO_STORE}, b"asked"),
    ],
)
def test_a_part(client: str, clock: Clock, origin: Origin, lines: dict[str, str], next_body: bytes) -> None:
    """G27: it is about what is stored where it names something else, or forbids to store."""
    url = origin.on("/a", page(), Reply(b"ne", 206, lines), Reply(b"asked", fields=NO_STORE))
    asking = Asking(client, clock)
    asking.get(url)
    assert asking.get(url, headers={"Range": "bytes=0-1"}, force_refresh=True).status == 206
    assert asking.get(url).body == next_body


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("head", "next_body"),
    [
        (Reply(b"", 404), b"asked"),
        (Reply(b"", 410, {"Cache-Control": "max-age=60"}), b"asked"),
        (Reply(b"", 200, {"ETag": '"new"'}), b"asked"),
        (Reply(b"", 405), b"old"),
        (Reply(b"", 503), b"old"),
    ],
)
def test_a_head_that_contradicts(client: str, clock: Clock, origin: Origin, head: Reply, next_body: bytes) -> None:
    """RFC 9110 §9.3.2: the fields of a HEAD are those that a GET would bring."""
    head.framing = "none"
    url = origin.on("/a", page(), head, Reply(b"asked", fields=NO_STORE))
    asking = Asking(client, clock)
    asking.get(url)
    assert asking.get(url, method="HEAD", refresh=True).status == head.status
    assert asking.get(url).body == next_body


@pytest.mark.parametrize("kind", ["sqlite", "files"])
@pytest.mark.parametrize("client", CLIENTS)
def test_in_a_store_on_disk(client: str, clock: Clock, origin: Origin, tmp_path: Any, kind: str) -> None:
    """G27: as in memory; and what belongs to another user, or to another variant, stays."""
    store = SQLiteStore(tmp_path / "cache.sqlite") if kind == "sqlite" else FileStore(tmp_path / "cache")
    ann, bob = {"Authorization": "ann"}, {"Authorization": "bob"}
    url = origin.on("/a", page(b"ann's"), page(b"bob's"), Reply(b"", 401), Reply(b"asked", fields=NO_STORE))
    asking = Asking(client, clock, store)
    asking.get(url, headers=ann)
    asking.get(url, headers=bob)
    assert asking.get(url, headers=bob, refresh=True).status == 401
    assert asking.get(url, headers=ann).body == b"ann's"
    assert asking.get(url, headers=bob).body == b"asked"
    store.close()


class Slow(SQLiteStore):
    """A store that writes a record when it may."""

    may = threading.Event()

    def commit(self, item: Any, **said: Any) -> bool:
        assert self.may.wait(10)
        return super().commit(item, **said)


@pytest.mark.parametrize("client", ["aiohttp", "trio", "async httpx"])
def test_while_the_newest_answer_is_on_its_way_to_the_store(client: str, origin: Origin, tmp_path: Path) -> None:
    """G27: a session that awaits sees the record that will be replaced, and does not serve it."""
    withdrawn = Reply(b"withdrawn", 403, {"Cache-Control": "max-age=0"})
    url = origin.on("/a", page(), withdrawn, Reply(b"down", 503))
    store = Slow(str(tmp_path / "cache.sqlite"))
    store.may.set()
    play(client, lambda face: face.get(url), cache=store)

    async def scenario(face: Face) -> None:
        assert (await face.get(url)).body == b"old"
        store.may.clear()
        try:
            assert (await face.get(url, force_refresh=True)).body == b"withdrawn"
            assert (await face.get(url)).body == b"withdrawn"
        finally:
            store.may.set()

    play(client, scenario, cache=store, **STALE)
