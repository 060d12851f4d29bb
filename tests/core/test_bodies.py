"""Bodies in passing: chunks, hashes, and whether a body is whole (RFC 9111 §3.3, RFC 9112 §6.3, G17)."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from core_rows import DATE, fields, record_of, rows
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sansio_cache.bodies import Chunker, CodingCheck, HashList, Intake, OpenedBody, expected_length, open_body
from sansio_cache.messages import EMPTY, Headers
from sansio_cache.records import CHUNK_SIZE, Flaw, chunk_hashes

HEAD = record_of(DATE).head


@rows(
    "method status lines expected",
    ("Content-Length", "9112-6.3", "GET", 200, ["Content-Length: 5"], 5),
    ("none", "9112-6.3", "GET", 200, [], None),
    ("chunks promise nothing", "9112-6.3", "GET", 200, ["Content-Length: 5", "Transfer-Encoding: chunked"], None),
    ("twice the same", "9112-6.3", "GET", 200, ["Content-Length: 5", "Content-Length: 5"], 5),
    ("the same in a list", "9112-6.3", "GET", 200, ["Content-Length: 5, 5"], 5),
    ("two that differ", "9112-6.3", "GET", 200, ["Content-Length: 5", "Content-Length: 6"], None),
    ("no number", "9112-6.3", "GET", 200, ["Content-Length: x"], None),
    ("negative", "9112-6.3", "GET", 200, ["Content-Length: -5"], None),
    ("more than there is", "G18", "GET", 200, ["Content-Length: " + "9" * 5000], None),
    ("more lengths than are read", "G31", "GET", 200, ["Content-Length: 5" + ", 5" * 1000], None),
    ("HEAD has no content", "9112-6.3", "HEAD", 200, ["Content-Length: 5"], 0),
    ("204 has no content", "9112-6.3", "GET", 204, [], 0),
    ("304 has no content", "9112-6.3", "GET", 304, ["Content-Length: 5"], 0),
    ("nor what is not final", "9112-6.3", "GET", 103, ["Content-Length: 5"], 0),
)
def test_the_framing_promises(method: str, status: int, lines: list[str], expected: int | None) -> None:
    assert expected_length(method, status, fields(*lines)) == expected


@rows(
    "parts",
    ("nothing", "chunks", []),
    ("a little", "chunks", [b"x"]),
    ("many pieces", "chunks", [b"x" * 1000] * 2000),
    ("exactly one chunk", "chunks", [b"x" * CHUNK_SIZE]),
    ("several at once", "chunks", [b"x" * (3 * CHUNK_SIZE + 1), b"y"]),
    ("a piece across the edge", "chunks", [b"x" * (CHUNK_SIZE - 1), b"yz", b""]),
)
def test_a_body_is_cut_and_hashed_as_it_comes(parts: list[bytes]) -> None:
    chunker = Chunker()
    chunks = [chunk for part in parts for chunk in chunker.feed(part)]
    assert {len(chunk) for chunk in chunks} <= {CHUNK_SIZE}
    rest = chunker.rest()
    assert len(rest) < CHUNK_SIZE
    whole = b"".join(parts)
    assert b"".join([*chunks, rest]) == whole
    assert chunker.length == len(whole)
    assert bytes(chunker.hashes) == chunk_hashes(whole)


def test_small_pieces_are_held_as_one() -> None:
    """G31: as objects of their own they would take twenty times their size."""
    chunker = Chunker()
    tracemalloc.start()
    for at in range(100_000):
        chunker.feed(b"%d%d" % (at % 10, at // 7 % 10))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 400_000
    assert len(chunker.rest()) == 200_000


# Codings


def _raw(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


CODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", _raw),
    "identity and gzip": ("identity, gzip", gzip.compress),
}


def check(coding: str, *parts: bytes) -> bool:
    made = CodingCheck(Headers([("Content-Encoding", coding)]))
    for part in parts:
        made.feed(part)
    return made.complete()


@pytest.mark.parametrize(("coding", "code"), CODERS.values(), ids=CODERS)
def test_a_coded_body_is_whole_only_to_its_end(coding: str, code: Callable[[bytes], bytes]) -> None:
    """G17: in any pieces; a byte less is not whole, nor is another byte within."""
    coded = code(b"hello " * 1000)
    assert check(coding, coded)
    assert check(coding, *(coded[at : at + 1] for at in range(len(coded))))
    assert check(coding, b"", coded, b"")
    assert not check(coding, coded[:-1])
    assert not check(coding, coded[:1])


@pytest.mark.parametrize(("coding", "code"), CODERS.values(), ids=CODERS)
@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 131_072, 5_000_000])
def test_the_end_may_be_the_last_to_come_out(coding: str, code: Callable[[bytes], bytes], size: int) -> None:
    """What has been taken in need not have come out: bodies are decoded in steps of 64 KiB."""
    assert check(coding, code(b"a" * size))


@rows(
    "coding parts expected",
    ("several members", "1952-2.2", "gzip", [gzip.compress(b"a") + gzip.compress(b"b")], True),
    ("in pieces", "1952-2.2", "gzip", [gzip.compress(b"a"), gzip.compress(b"b")], True),
    ("the second cut short", "1952-2.2", "gzip", [gzip.compress(b"a"), gzip.compress(b"b")[:-1]], False),
    ("junk after it", "1952-2.2", "gzip", [gzip.compress(b"a") + b"junk"], False),
    ("junk", "G17", "gzip", [b"junk"], False),
    ("junk, then more", "G17", "gzip", [b"junk", gzip.compress(b"a")], False),
    ("a checksum that is wrong", "1952-2.3", "gzip", [gzip.compress(b"a")[:-8] + b"12345678"], False),
    ("junk for deflate", "G17", "deflate", [b"\x07junk"], False),
    ("no content at all", "9110-9.3.2", "gzip", [], True),
    ("empty pieces", "9110-9.3.2", "deflate", [b"", b""], True),
    ("no coding", "8.4", "identity", [b"anything"], True),
    ("a coding that is not known here", "8.4", "br", [b"anything"], True),
    ("two codings", "8.4", "gzip, br", [b"anything"], True),
)
def test_a_body_is_whole_as_far_as_can_be_told(coding: str, parts: list[bytes], expected: bool) -> None:
    assert check(coding, *parts) is expected


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate"]), st.integers(0, 300))
def test_any_bytes_can_be_checked(data: bytes, coding: str, at: int) -> None:
    """A coding that is broken says so, and never raises."""
    assert isinstance(check(coding, data[:at], data[at:]), bool)


@settings(max_examples=30, deadline=None)
@given(st.integers(60_000, 200_000), st.sampled_from(sorted(CODERS)), st.data())
def test_whole_and_cut_are_told_apart_at_any_size(size: int, name: str, data: st.DataObject) -> None:
    coding, code = CODERS[name]
    coded = code(b"ab" * (size // 2))
    at = data.draw(st.integers(1, len(coded) - 1))
    assert check(coding, coded[:at], coded[at:])
    assert not check(coding, coded[:at])


def test_a_bomb_is_decoded_in_steps() -> None:
    """G19: 60 KiB that would become 64 MiB are never held decoded; its end is found all the same."""
    assert check("gzip", gzip.compress(b"\0" * 67_108_864))


@rows(
    "coded least most",
    ("a bomb, by what it expands to", "G31", gzip.compress(bytes(64_000_000)), 100, 200),
    ("empty members, by their number", "G31", gzip.compress(b"") * 6400 + gzip.compress(b"x"), 100, 130),
    ("what is no bomb, at once", "G31", gzip.compress(b"hello"), 0, 0),
)
def test_a_check_goes_on_in_steps(coded: bytes, least: int, most: int) -> None:
    made = CodingCheck(Headers([("Content-Encoding", "gzip")]))
    made.take(coded)
    steps = 0
    while made.step():
        steps += 1
    assert least <= steps <= most
    assert made.complete()


def test_what_is_taken_before_the_rest_was_checked_comes_after_it() -> None:
    coded = gzip.compress(bytes(5_000_000) + b"end")
    made = CodingCheck(Headers([("Content-Encoding", "gzip")]))
    made.take(coded[:3000])
    assert made.step()
    made.take(coded[3000:])
    while made.step():
        pass
    assert made.complete()


# Hashes of a stored body


def test_the_list_of_hashes_is_checked_before_the_first_chunk() -> None:
    """G2: it is the one that the head vouches for, or BODY."""
    body = b"x" * (CHUNK_SIZE + 5)
    hashes = chunk_hashes(body)
    head = replace(HEAD, length=len(body), digest=hashlib.sha256(hashes).digest())
    checked = HashList.checked(hashes, head)
    assert isinstance(checked, HashList)
    assert checked.holds(0, body[:CHUNK_SIZE])
    assert checked.holds(1, body[CHUNK_SIZE:])
    assert not checked.holds(1, body[:CHUNK_SIZE])
    assert not checked.holds(2, b"")
    assert HashList.checked(hashes[:-1], head) is Flaw.BODY
    assert HashList.checked(hashes[::-1], head) is Flaw.BODY
    assert HashList.checked(hashes, replace(head, length=5)) is Flaw.BODY
    assert isinstance(HashList.checked(b"", replace(HEAD, length=0, digest=hashlib.sha256().digest())), HashList)


LONG = b"x" * CHUNK_SIZE + b"yz"


@rows(
    "body hashes index chunk expected",
    ("one chunk", "G2", b"abc", b"", 0, b"abc", b"abc"),
    ("another", "G2", b"abc", b"", 0, b"abd", None),
    ("cut", "G2", b"abc", b"", 0, b"ab", None),
    ("of another type", "G2", b"abc", b"", 0, "abc", None),
    ("the first of two", "G2", LONG, chunk_hashes(LONG), 0, LONG[:CHUNK_SIZE], LONG[:CHUNK_SIZE]),
    ("the second of two", "G2", LONG, chunk_hashes(LONG), 1, b"yz", b"yz"),
    ("the first in the place of the second", "G2", LONG, chunk_hashes(LONG), 1, LONG[:CHUNK_SIZE], None),
    ("another list", "G2", LONG, chunk_hashes(LONG)[::-1], 1, b"yz", None),
    ("a list of another type", "G2", LONG, None, 1, b"yz", None),
)
def test_a_body_is_opened_by_its_first_chunk(
    body: bytes, hashes: object, index: int, chunk: object, expected: bytes | None
) -> None:
    head = replace(HEAD, length=len(body), digest=hashlib.sha256(chunk_hashes(body)).digest())
    opened = open_body(head, hashes, index, chunk)
    if expected is None:
        assert opened is Flaw.BODY
        return
    assert isinstance(opened, OpenedBody)
    assert opened.take(index + 1) is None
    assert opened.take(index) == expected
    assert opened.take(index) is None, "it is given once, and not held any longer"


# On its way in


@rows(
    "lines parts limit refused whole",
    ("as long as promised", "3.3", ["Content-Length: 5"], [b"he", b"llo"], 5, False, True),
    ("of no promised length", "3.3", [], [b"hello"], 5, False, True),
    ("shorter than promised", "3.3", ["Content-Length: 6"], [b"hello"], 9, False, False),
    ("longer than promised", "3.3", ["Content-Length: 4"], [b"hello"], 9, False, False),
    ("a coding not finished", "G17", ["Content-Encoding: gzip"], [gzip.compress(b"a")[:-1]], 99, False, False),
    ("longer than is kept", "G28", [], [b"hello", b"!"], 5, True, False),
    ("promised longer than is kept", "G28", ["Content-Length: 6"], [b"hello"], 5, True, False),
)
def test_a_body_is_taken_in(lines: list[str], parts: list[bytes], limit: int, refused: bool, whole: bool) -> None:
    intake = Intake(fields(*lines), expected_length("GET", 200, fields(*lines)), limit)
    written = [chunk for part in parts for chunk in intake.feed(part)]
    assert written == []  # all of it is less than a chunk
    assert (intake.refused, intake.whole()) == (refused, whole)


def test_what_is_refused_is_not_taken_in_again() -> None:
    intake = Intake(EMPTY, None, 5)
    intake.feed(b"too much")
    intake.feed(b"x")
    assert (intake.refused, intake.chunker.length) == (True, 0)
