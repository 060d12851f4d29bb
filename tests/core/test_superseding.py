"""What the origin's newest answer takes the place of (RFC 9111 §4.3.3): rows of what is stored and what is answered."""

from __future__ import annotations

from core_rows import DATE, NOW, ask, fields, got, record_of, rows, rules_of
from core_world import SmallWorld, Step, converse, reply, step

from sansio_cache.dates import format_date
from sansio_cache.keeping import Superseded
from sansio_cache.messages import Options, Request
from sansio_cache.policy import Policy
from sansio_cache.records import Record, variant_of
from sansio_cache.superseding import Newest, superseded
from sansio_cache.urls import MAX_URL

TAG, OTHER = 'ETag: "a"', 'ETag: "b"'
LAST = f"Last-Modified: {format_date(NOW - 3000)}"
OTHER_LAST = f"Last-Modified: {format_date(NOW - 2000)}"
FRESH = "Cache-Control: max-age=60"
LONG = "Cache-Control: max-age=3600"
GET, HEAD = ask(), ask(method="HEAD")
ANEW = Options(force_refresh=True)
STORED = record_of(DATE, TAG, LAST)
PLAIN = record_of(DATE)
ERROR = record_of(DATE, FRESH, status=500)
MISSING = record_of(DATE, FRESH, status=404)
STORED_HEAD = record_of(DATE, TAG, request=HEAD, body=b"")
YES, MAYBE, NO = "certain", "if whole", "no"


def said(newest: Newest, record: Record) -> str:
    """What becomes of a stored response."""
    gone = superseded(newest, [record])
    return NO if not gone else YES if gone[0].certain else MAYBE


@rows(
    "request_ status lines stored expected",
    ("a full response", "4.3.3", GET, 200, [], PLAIN, MAYBE),
    ("of the same tag", "4.3.3", GET, 200, [TAG], STORED, MAYBE),
    ("of another tag", "4.3.3", GET, 200, [OTHER], STORED, YES),
    ("of the weak form of its tag", "4.3.3", GET, 200, ['ETag: W/"a"'], STORED, MAYBE),
    ("of another date", "4.3.3", GET, 200, [OTHER_LAST], STORED, YES),
    ("of the same tag and another date", "4.3.3", GET, 200, [TAG, OTHER_LAST], STORED, MAYBE),
    ("a redirect", "4.3.3", GET, 302, [], STORED, YES),
    ("not found", "4.3.3", GET, 404, [], STORED, YES),
    ("gone", "4.3.3", GET, 410, [], STORED, YES),
    ("who are you", "4.3.3", GET, 401, [], STORED, YES),
    ("a proxy asks who", "9110-15.5.8", GET, 407, [], STORED, NO),
    ("too slow", "9110-15.5.9", GET, 408, [], STORED, NO),
    ("too often", "6585-4", GET, 429, [], STORED, NO),
    ("an error of the server", "G27", GET, 500, [], STORED, NO),
    ("any error of the server", "G27", GET, 599, [OTHER], STORED, NO),
    ("an error takes the place of an error", "G27", GET, 503, [], ERROR, YES),
    ("a full response takes that of an error", "4.3.3", GET, 200, [], ERROR, YES),
    ("found at last", "4.3.3", GET, 200, [], MISSING, YES),
    ("a part", "9110-15.3.7", GET, 206, [TAG], STORED, NO),
    ("a part of another", "9110-15.3.7", GET, 206, [OTHER], STORED, YES),
    ("a part of as much", "9110-14.4", GET, 206, ["Content-Range: bytes 0-1/10"], PLAIN, NO),
    ("a part of more", "9110-14.4", GET, 206, ["Content-Range: bytes 0-1/11"], PLAIN, YES),
    ("a part of unknown length", "9110-14.4", GET, 206, ["Content-Range: bytes 0-1/*"], PLAIN, NO),
    ("no such part", "9110-15.5.17", GET, 416, ["Content-Range: bytes */10"], PLAIN, NO),
    ("no such part of less", "9110-15.5.17", GET, 416, ["Content-Range: bytes */9"], PLAIN, YES),
    ("a failed precondition", "9110-15.5.13", GET, 412, [], STORED, NO),
    ("a failed precondition, and another tag", "9110-15.5.13", GET, 412, [OTHER], STORED, YES),
    ("the user's 304", "9110-15.4.5", GET, 304, [TAG], STORED, NO),
    ("the user's 304 of another", "9110-15.4.5", GET, 304, [OTHER], STORED, YES),
    ("HEAD confirms", "4.3.5", HEAD, 200, [TAG], STORED, NO),
    ("HEAD names another", "4.3.5", HEAD, 200, [OTHER], STORED, YES),
    ("HEAD has another length", "4.3.5", HEAD, 200, ["Content-Length: 11"], STORED, YES),
    ("HEAD finds nothing", "9110-9.3.2", HEAD, 404, [], STORED, YES),
    ("HEAD finds something at last", "9110-9.3.2", HEAD, 200, [], MISSING, YES),
    ("no HEAD here", "9110-9.3.2", HEAD, 405, [], STORED, NO),
    ("no GET here", "9110-9.3.1", GET, 405, [], STORED, YES),
    ("GET after HEAD", "9110-9.3.2", GET, 404, [], STORED_HEAD, YES),
)
def test_an_answer_takes_the_place_of(
    request_: Request, status: int, lines: list[str], stored: Record, expected: str
) -> None:
    assert said(Newest(request_, got(DATE, *lines, status=status, at=NOW + 10)), stored) == expected


@rows(
    "status expected",
    ("a part of what is not to be stored", "9110-15.3.7", 206, MAYBE),
    ("a 304 of what is not to be stored", "9110-15.4.5", 304, MAYBE),
    ("a full response that is not to be stored", "5.2.2.5", 200, YES),
    ("a refusal of the request forbids nothing", "6585-4", 429, NO),
)
def test_an_answer_forbids_to_store(status: int, expected: str) -> None:
    assert said(Newest(GET, got(DATE, status=status, at=NOW + 10), forbids=True), STORED) == expected


def test_what_came_while_we_waited_for_an_older_answer_stays() -> None:
    record = record_of(DATE, at=NOW + 5)
    assert superseded(Newest(GET, got(status=404, at=NOW + 10, delay=10.0)), [record]) == ()
    assert superseded(Newest(GET, got(status=404, at=NOW + 10, delay=1.0)), [record])


def test_what_is_superseded_is_named_by_variant_and_rev() -> None:
    gone = superseded(Newest(GET, got(status=410, at=NOW + 10)), [STORED, STORED_HEAD])
    assert gone == (Superseded(variant_of("GET", ()), 1, True), Superseded(variant_of("HEAD", ()), 1, True))


@rows(
    "steps",
    (
        "another Vary",
        "4.1",
        [
            step(ask("A: 1"), reply(LONG, "Vary: A", "X: 1"), 200, "origin"),
            step(ask("A: 2"), reply(LONG, "Vary: A", "X: 2"), 200, "origin"),
            step(ask("A: 1", "Cache-Control: no-cache"), reply(LONG, "Vary: B", "X: 3"), 200, "origin"),
            step(ask("A: 1"), None, 200, "store", "X: 3"),
            step(ask("A: 2"), None, 200, "store", "X: 2"),
        ],
    ),
    (
        "no Vary any more",
        "4.1",
        [
            step(ask("A: 1"), reply(LONG, "Vary: A", "X: 1"), 200, "origin"),
            step(ask("A: 1", "Cache-Control: no-cache"), reply(LONG, "X: 2"), 200, "origin"),
            step(ask("A: 1"), None, 200, "store", "X: 2"),
        ],
    ),
    (
        "a HEAD and then a GET",
        "9110-9.3.2",
        [
            step(HEAD, reply(LONG, "X: 1"), 200, "origin"),
            step(GET, reply("Cache-Control: no-store"), 200, "origin"),
            step(HEAD, reply(LONG, "X: 2"), 200, "origin"),
        ],
    ),
    (
        "a method that is refused",
        "9110-15.5.6",
        [
            step(GET, reply(LONG), 200, "origin"),
            step(ask(method="POST", body=b"x"), reply(status=405), 405, "origin"),
            step(ask(method="POST", body=b"x"), reply(status=401), 401, "origin"),
            step(GET, None, 200, "store"),
        ],
    ),
    (
        "an error asked for anew keeps the good one",
        "G27",
        [
            step(GET, reply(LONG, "X: 1"), 200, "origin"),
            step(ask(options=ANEW), reply(LONG, status=503), 503, "origin"),
            step(GET, None, 200, "store", "X: 1"),
        ],
    ),
    (
        "a user's own tag, which is the newest",
        "4.3.2",
        [
            step(GET, reply(FRESH, TAG), 200, "origin"),
            step(ask('If-None-Match: "b"'), reply(OTHER, status=304), 304, "origin", after=100),
            step(GET, reply("Cache-Control: no-store"), 200, "origin"),
        ],
    ),
    (
        "a 304 with a tag of nobody's, and then an error",
        "4.3.4",
        [
            step(GET, reply(FRESH, "Cache-Control: stale-if-error=999", TAG), 200, "origin"),
            step(ask(), [reply(OTHER, status=304), reply(status=503)], 503, "origin", after=100),
            step(GET, reply(status=503), 503, "origin"),
        ],
    ),
)
def test_a_conversation(steps: list[Step]) -> None:
    converse({}, steps)


def test_private_in_a_shared_cache() -> None:
    converse(
        {"shared": True},
        [
            step(GET, reply(LONG), 200, "origin"),
            step(ask(options=ANEW), reply("Cache-Control: private"), 200, "origin"),
            step(GET, reply(LONG), 200, "origin"),
        ],
    )


def test_one_user_withdraws_nothing_of_anothers() -> None:
    world = SmallWorld(script=[reply(LONG), reply(status=401), reply(LONG)])
    world.answer(ask("Authorization: ann"))
    world.answer(ask("Authorization: bob"))
    assert world.answer(ask("Authorization: ann")).from_cache


def test_a_background_validation_carries_nothing_of_the_users_conditions() -> None:
    """But lies where the user's request looks: there they may be part of the key."""
    world = SmallWorld(
        rules_of(Policy(match_headers=True)), [reply(FRESH + ", stale-while-revalidate=999", TAG, body=b"old")]
    )
    asked = ask("Accept: a", 'If-None-Match: "b"', "If-Modified-Since: x", "Range: bytes=0-1")
    world.script.append(reply(LONG, 'ETag: "c"', body=b"new"))
    world.answer(asked)
    world.now += 100
    assert world.answer(asked).status == 206
    [later] = world.later_asked
    assert world.answer(later.request, background=True).status == 200
    assert world.sent[1].headers == fields("Accept: a", f"If-None-Match: {TAG[6:]}")
    assert len(world.items()) == 1
    assert world.body(world.answer(asked)) == b"ne"


def test_no_key_is_made_of_a_request_that_is_too_large() -> None:
    """G31: neither to hear that a page is not there."""
    world = SmallWorld(script=[reply(status=404)])
    world.answer(ask(method="DELETE", url="https://example.org/" + "a" * MAX_URL))
    assert world.log == ["fetch"]
