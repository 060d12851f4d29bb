"""Answers made from a stored response: RFC 9111 §4 and §5.1, RFC 9110 §13 to §15."""

from __future__ import annotations

import math

from core_rows import DATE, NOW, ask, fields, record_of, rows
from msgspec.structs import replace as changed

from sansio_cache.answering import answer_from, gateway_timeout
from sansio_cache.cache_status import CacheStatus
from sansio_cache.decisions import Answer, FromStore, Given
from sansio_cache.messages import Request
from sansio_cache.records import Record

STORED = (DATE, 'ETag: "a"', "Cache-Control: max-age=60", "Content-Length: 10", "X-Other: 1", "Age: 5")
STATUS = CacheStatus(hit=True)


def answer(request: Request, record: Record, now: float = NOW + 10) -> Answer | None:
    return answer_from(record, request, now, now + 5, STATUS)


def test_the_whole_answer() -> None:
    record = record_of(*STORED)
    assert answer(ask(), record) == Answer(
        status=200,
        reason="OK",
        headers=fields(*STORED[:-1], "Age: 15"),
        body=FromStore(record, 0, 10),
        cache_status=STATUS,
        record=record,
        revalidated=False,
        expires=NOW + 15,
        key=record.head.partition,
    )


def test_an_answer_to_head_has_no_body_but_its_length() -> None:
    """RFC 9110 §9.3.2."""
    given = answer(ask(method="HEAD"), record_of(*STORED))
    assert given is not None
    assert given.body == Given(b"")
    assert given.headers.get("content-length") == "10"
    assert given.from_cache


@rows(
    "lines now expected",
    ("the time since it came", "5.1", [DATE], NOW + 10, "10"),
    ("with the Age that it came with", "5.1", [DATE, "Age: 30"], NOW + 10.9, "40"),
    ("in place of that", "4", [DATE, "Age: 30"], NOW, "30"),
    ("at most 2^31", "1.2.2", [DATE, "Age: 2147483648"], NOW + 10, "2147483648"),
    ("an invalid one is as none", "5.1", [DATE, "Age: x"], NOW + 10, "10"),
    ("a clock a little behind", "G25", [DATE], NOW - 30, "0"),
    ("a clock far behind", "G25", [DATE], NOW - 3600, "2147483648"),
)
def test_the_answer_says_its_age(lines: list[str], now: float, expected: str) -> None:
    given = answer(ask(), record_of(*lines), now)
    assert given is not None
    assert given.headers.lines("age") == [expected]


@rows(
    "lines status length fields_",
    ("304", "13.1.2", ['If-None-Match: "a"'], 304, 0, [DATE, 'ETag: "a"', "Cache-Control: max-age=60", "Age: 15"]),
    (
        "206",
        "14.2",
        ["Range: bytes=2-3"],
        206,
        2,
        [*STORED[:3], "X-Other: 1", "Age: 15", "Content-Range: bytes 2-3/10", "Content-Length: 2"],
    ),
    ("416", "15.5.17", ["Range: bytes=10-"], 416, 0, ["Content-Range: bytes */10", "Content-Length: 0"]),
    ("200 where If-None-Match does not match", "13.1.2", ['If-None-Match: "b"'], 200, 10, [*STORED[:-1], "Age: 15"]),
    (
        "304 before 206",
        "13.2.2",
        ['If-None-Match: "a"', "Range: bytes=2-3"],
        304,
        0,
        [DATE, 'ETag: "a"', "Cache-Control: max-age=60", "Age: 15"],
    ),
    (
        "200 where If-Range does not match",
        "13.1.5",
        ['If-Range: "b"', "Range: bytes=2-3"],
        200,
        10,
        [*STORED[:-1], "Age: 15"],
    ),
)
def test_preconditions_and_ranges_are_answered(lines: list[str], status: int, length: int, fields_: list[str]) -> None:
    given = answer(ask(*lines), record_of(*STORED))
    assert given is not None
    assert (given.status, given.headers) == (status, fields(*fields_))
    body = given.body
    assert (body.stop - body.start if isinstance(body, FromStore) else 0) == length


def test_a_part_does_not_carry_the_digest_of_the_whole() -> None:
    """RFC 9530 §2: Content-Digest is of this message's content; Repr-Digest is of the representation."""
    record = record_of(DATE, "Content-Digest: a", "Content-MD5: b", "Repr-Digest: c")
    given = answer(ask("Range: bytes=0-1"), record)
    assert given is not None
    assert [name for name, _ in given.headers] == ["Date", "Repr-Digest", "Age", "Content-Range", "Content-Length"]


@rows(
    "lines",
    ("If-Match", "4.3.2", ['If-Match: "a"']),
    ("If-Unmodified-Since", "4.3.2", ["If-Unmodified-Since: x"]),
    ("several ranges", "14.2", ["Range: bytes=0-1,3-4"]),
)
def test_only_the_origin_can_answer(lines: list[str]) -> None:
    assert answer(ask(*lines), record_of(*STORED)) is None


@rows(
    "status expected",
    ("200", "13.2.1", 200, 304),
    ("301", "13.2.1", 301, 301),
    ("404", "13.2.1", 404, 404),
)
def test_a_precondition_on_what_is_no_success_is_ignored(status: int, expected: int) -> None:
    given = answer(ask("If-None-Match: *"), record_of(*STORED, status=status))
    assert given is not None
    assert given.status == expected


def test_a_confirmed_answer_says_so() -> None:
    record = record_of(*STORED)
    confirmed = answer_from(record, ask(), NOW, math.inf, STATUS, revalidated=True)
    assert confirmed is not None
    assert (confirmed.revalidated, confirmed.expires) == (True, math.inf)


def test_only_if_cached_is_answered_by_504() -> None:
    """RFC 9111 §5.2.1.7."""
    given = gateway_timeout("only-if-cached")
    assert (given.status, given.reason, given.body) == (504, "Gateway Timeout", Given(b""))
    assert given.cache_status == CacheStatus(detail="only-if-cached")
    assert given.key == b""


def test_no_cookie_comes_out_of_a_store() -> None:
    """G13: anyone who can write an unsigned one may have put it there."""
    record = record_of(*STORED)
    cookies = (("Set-Cookie", "sid=forged"), ("SET-COOKIE", "b=2"))
    forged = Record(changed(record.head, headers=(*cookies, *record.head.headers)), record.stored)
    given = answer(ask(), forged)
    assert given is not None
    assert given.headers == fields(*STORED[:-1], "Age: 15")
