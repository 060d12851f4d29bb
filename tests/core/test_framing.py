"""Whether a body is here as a whole (RFC 9112 §6, §7.1)."""

from __future__ import annotations

import pytest
from core_rows import fields, rows
from hypothesis import given
from hypothesis import strategies as st

from sansio_cache.bodies import expected_length
from sansio_cache.framing import body_here

CHUNKED = "Transfer-Encoding: chunked"


@rows(
    "lines received expected",
    ("as long as promised", "6.2", ["Content-Length: 5"], b"hello", b"hello"),
    ("and more behind it", "6.2", ["Content-Length: 5"], b"hello!", b"hello"),
    ("shorter", "6.2", ["Content-Length: 6"], b"hello", None),
    ("nothing promised", "6.3", [], b"hello", None),
    ("promised nothing", "6.2", ["Content-Length: 0"], b"", b""),
    ("chunks", "7.1", [CHUNKED], b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
    ("chunks in hexadecimal", "7.1", [CHUNKED], b"0A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    ("extensions", "7.1.1", [CHUNKED], b'5;a="b"\r\nhello\r\n0;c\r\n\r\n', b"hello"),
    ("trailers", "7.1.2", [CHUNKED], b"5\r\nhello\r\n0\r\nA: b\r\n\r\n", b"hello"),
    ("trailers to come", "7.1.2", [CHUNKED], b"5\r\nhello\r\n0\r\nA: b\r\n", None),
    ("the end to come", "7.1", [CHUNKED], b"5\r\nhello\r\n0\r\n", None),
    ("the last chunk to come", "7.1", [CHUNKED], b"5\r\nhello\r\n", None),
    ("a chunk that goes on", "7.1", [CHUNKED], b"6\r\nhello\r\n0\r\n\r\n", None),
    ("no size", "7.1", [CHUNKED], b"\r\nhello\r\n0\r\n\r\n", None),
    ("a negative one", "7.1", [CHUNKED], b"-5\r\nhello\r\n0\r\n\r\n", None),
    ("a sign", "7.1", [CHUNKED], b"+5\r\nhello\r\n0\r\n\r\n", None),
    ("an underscore", "7.1", [CHUNKED], b"0_5\r\nhello\r\n0\r\n\r\n", None),
    ("a size that is none", "7.1", [CHUNKED], b"zz\r\nhello\r\n0\r\n\r\n", None),
    ("a size too large", "7.1", [CHUNKED], b"fffffffff\r\nhello\r\n0\r\n\r\n", None),
    ("an endless line", "7.1", [CHUNKED], b"5;" + b"a" * 2000 + b"\r\nhello\r\n0\r\n\r\n", None),
    ("another coding", "7", ["Transfer-Encoding: gzip, chunked"], b"0\r\n\r\n", None),
    ("nothing yet", "7.1", [CHUNKED], b"", None),
)
def test_a_body_is_here(lines: list[str], received: bytes, expected: bytes | None) -> None:
    headers = fields(*lines)
    assert body_here(received, expected_length("GET", 200, headers), headers) == expected


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=20), st.binary(max_size=9))
def test_what_was_cut_into_chunks_is_whole_only_to_its_end(pieces: list[bytes], behind: bytes) -> None:
    sent = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"
    headers = fields(CHUNKED)
    assert body_here(sent + behind, None, headers) == b"".join(pieces)
    for cut in range(len(sent)):
        assert body_here(sent[:cut], None, headers) is None


@pytest.mark.parametrize("received", [b"\xff" * 50, b"0" * 3000, b"5\r\n" * 100])
def test_garbage_is_no_body(received: bytes) -> None:
    assert body_here(received, None, fields(CHUNKED)) is None
