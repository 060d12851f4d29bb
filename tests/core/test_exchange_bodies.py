"""A head whose body does not lie beside it: the body is looked at before an answer is given (G2)."""

from __future__ import annotations

from typing import Any

import pytest
from core_rows import DATE, SECRET, ask, got, item_of, rows, rules_of
from core_world import OriginGone, SmallWorld, reply, source_of
from msgspec.structs import replace

from sansio_cache.decisions import FromStore
from sansio_cache.errors import BadSignature, NotCached
from sansio_cache.messages import Request
from sansio_cache.policy import Policy
from sansio_cache.records import CHUNK_SIZE, Flaw, chunk_hashes

FRESH = "Cache-Control: max-age=60"
TAG = 'ETag: "a"'
ENTRY = b"entry of 16 byte"
LONG = b"a" * CHUNK_SIZE + b"b" * 100


def world(
    *script: Any,
    stored: tuple[str, ...] = (FRESH,),
    body: bytes = b"x" * 100,
    secret: bytes | None = None,
    **settings: Any,
) -> SmallWorld:
    """A world with a response whose body lies in chunks."""
    rules = rules_of(Policy(**settings), secret=secret)
    made = SmallWorld(rules, script)
    item = item_of(got(DATE, *stored), ask(), rules, body=body)
    made.put(replace(item, body=None, entry=ENTRY, hashes=chunk_hashes(body)))
    made.chunks[ENTRY] = [body[at : at + CHUNK_SIZE] for at in range(0, len(body), CHUNK_SIZE)]
    return made


def lose(made: SmallWorld, how: str) -> None:
    """Let a body be gone, or another than was stored."""
    if how == "gone":
        made.chunks.clear()
    else:
        made.chunks[ENTRY][0] = {"altered": b"y" * 100, "cut": b"x" * 99, "empty": b""}[how]


@pytest.mark.parametrize("body", [b"x" * 100, LONG], ids=["one chunk", "two"])
def test_the_first_chunk_comes_with_the_answer(body: bytes) -> None:
    made = world(body=body)
    answer = made.answer(ask())
    assert made.log == ["load", "load_body"]
    assert isinstance(answer.body, FromStore)
    assert answer.body.opened is not None
    assert answer.body.opened.take(0) == body[:CHUNK_SIZE]
    assert answer.body.opened.take(0) is None, "it is held no longer than it must be"


def test_a_part_opens_the_chunk_that_it_begins_in() -> None:
    answer = world(body=LONG).answer(ask(f"Range: bytes={CHUNK_SIZE + 1}-{CHUNK_SIZE + 2}"))
    assert answer.status == 206
    assert isinstance(answer.body, FromStore)
    assert answer.body.opened is not None
    assert (answer.body.opened.take(0), answer.body.opened.take(1)) == (None, b"b" * 100)


@rows(
    "request_ status",
    ("HEAD", "G2", ask(method="HEAD"), 200),
    ("the user's own tag", "G2", ask('If-None-Match: "a"'), 304),
)
def test_what_gives_no_body_reads_none(request_: Request, status: int) -> None:
    made = world(stored=(FRESH, TAG))
    assert made.answer(request_).status == status
    assert made.log == ["load"]


@pytest.mark.parametrize("how", ["gone", "altered", "cut", "empty"])
@pytest.mark.parametrize("secret", [None, SECRET], ids=["unsigned", "signed"])
def test_a_head_without_its_body_is_a_miss(how: str, secret: bytes | None) -> None:
    made = world(reply(DATE, FRESH), secret=secret, on_bad_signature="miss")
    lose(made, how)
    answer = made.answer(ask())
    assert (source_of(answer), made.body(answer)) == ("origin", b"from the origin")
    assert answer.flaws == [Flaw.GONE if how == "gone" else Flaw.BODY]
    assert made.log == ["load", "load_body", "discard", "claim", "fetch"]
    assert source_of(made.answer(ask())) == "store"


def test_an_altered_body_of_a_signed_store_is_a_signal() -> None:
    """G5: to the owner; the record is dropped, so it is given once."""
    made = world(reply(DATE, FRESH), secret=SECRET)
    lose(made, "altered")
    with pytest.raises(BadSignature) as caught:
        made.answer(ask())
    assert caught.value.reason == "body"
    assert source_of(made.answer(ask())) == "origin"


def test_a_lost_body_is_none() -> None:
    """G5: it was not forged."""
    made = world(reply(DATE, FRESH), secret=SECRET)
    lose(made, "gone")
    assert source_of(made.answer(ask())) == "origin"


@rows(
    "stored settings request_ script sent source",
    (
        "confirmed, it is fetched whole",
        "4.3",
        (FRESH, TAG),
        {},
        ask(),
        (reply(TAG, status=304), reply(FRESH)),
        ['"a"', None],
        "origin",
    ),
    (
        "in the background too",
        "5861-3",
        (FRESH, TAG),
        {"stale_while_revalidate": 999},
        None,
        (reply(TAG, status=304), reply(FRESH)),
        ['"a"', None],
        "origin",
    ),
    ("replaced, nobody looks", "4.3", (FRESH, TAG), {}, ask(), (reply(FRESH),), ['"a"'], "origin"),
    (
        "in the place of an error",
        "5861-4",
        (FRESH,),
        {"stale_if_error": True},
        ask(),
        (reply(status=503),),
        [None],
        "origin",
    ),
)
def test_a_stale_head_without_its_body(
    stored: tuple[str, ...],
    settings: dict[str, Any],
    request_: Request | None,
    script: tuple[Any, ...],
    sent: list[str | None],
    source: str,
) -> None:
    made = world(*script, stored=stored, **settings)
    made.now += 100
    if request_ is None:
        made.answer(ask())
        request_ = made.later_asked[0].request
    lose(made, "gone")
    answer = made.answer(request_, background=not stored)
    assert source_of(answer) == source
    assert [each.headers.get("if-none-match") for each in made.sent] == sent
    assert "freshen" not in made.log, "a head alone is worth nothing"
    assert not made.script


def test_stale_while_validated_needs_a_body_too() -> None:
    made = world(reply(FRESH), stored=(FRESH, TAG), stale_while_revalidate=999)
    made.now += 100
    lose(made, "gone")
    assert source_of(made.answer(ask())) == "origin"
    assert not made.later_asked


def test_an_origin_that_cannot_be_reached_is_an_error() -> None:
    made = world(OriginGone(), stale_if_error=True)
    made.now += 100
    lose(made, "gone")
    with pytest.raises(OriginGone):
        made.answer(ask())


@pytest.mark.parametrize("tag", ['"a"', '"b", "a"'])
def test_confirmed_for_the_users_own_tag_it_is_not_freshened(tag: str) -> None:
    """The answer needs no body; the next one would."""
    made = world(reply(TAG, status=304), stored=(FRESH, TAG))
    made.now += 100
    lose(made, "gone")
    assert made.answer(ask(f"If-None-Match: {tag}")).status == 304
    assert "freshen" not in made.log


def test_offline_the_next_best_answers() -> None:
    made = world(offline=True)
    lose(made, "gone")
    with pytest.raises(NotCached):
        made.answer(ask())
    made = world(offline=True, stored=(FRESH, "Vary: Accept"))
    made.put(item_of(got(DATE, FRESH), ask(), made.rules, body=b"older"))
    lose(made, "gone")
    assert made.body(made.answer(ask())) == b"older"


def test_online_it_is_not_asked() -> None:
    """RFC 9111 §4: it was replaced by the one whose body is gone."""
    made = world(reply(FRESH), stored=(FRESH, "Vary: Accept"))
    made.put(item_of(got(DATE, FRESH), ask(), made.rules, body=b"older"))
    lose(made, "gone")
    assert source_of(made.answer(ask())) == "origin"
