"""Content codings: every split, every end, every bomb."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sansio_cache_adapters.cache import decoding
from sansio_cache_adapters.cache.decoding import BrokenCoding, decode, decoders, default_accept_encoding, not_offered


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


Encode = Callable[[bytes], bytes]
CODINGS: list[tuple[str, str, Encode]] = [
    ("gzip", "gzip", gzip.compress),
    ("x-gzip", "x-gzip", gzip.compress),
    ("gzip, two members", "gzip", lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:])),
    ("gzip and padding", "gzip", lambda data: gzip.compress(data) + bytes(100)),
    ("gzip and one byte", "gzip", lambda data: gzip.compress(data) + b"\x1f"),
    ("deflate", "deflate", zlib.compress),
    ("deflate and junk", "deflate", lambda data: zlib.compress(data) + b"junk"),
    ("raw deflate", "deflate", raw_deflate),
    ("br", "br", brotli.compress),
    ("zstd", "zstd", zstandard.compress),
    ("zstd, two frames", "zstd", lambda data: zstandard.compress(data[:7]) + zstandard.compress(data[7:])),
    ("two codings", "gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    ("three codings", "GZIP,deflate , zstd", lambda d: zstandard.compress(zlib.compress(gzip.compress(d)))),
    ("identity", "identity, gzip,", gzip.compress),
]
coding = pytest.mark.parametrize(("names", "encode"), [row[1:] for row in CODINGS], ids=[row[0] for row in CODINGS])


def decoded(names: str, data: bytes, *cuts: int) -> bytes:
    chain = decoders(names)
    assert chain
    output: list[bytes] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        for piece in decode(chain, data[start:end]):
            assert len(piece) <= 65536
            output.append(piece)
    for decoder in chain:
        decoder.finish()
    return b"".join(output)


@coding
@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 1_000_000])
def test_what_was_coded_comes_back(names: str, encode: Encode, size: int) -> None:
    data = (b"abcdefghij" * (size // 10 + 1))[:size]
    assert decoded(names, encode(data)) == data


@coding
@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 1000), max_size=5))
def test_any_split_gives_the_same(names: str, encode: Encode, data: bytes, cuts: list[int]) -> None:
    assert decoded(names, encode(data), *cuts) == data


@coding
def test_bytes_one_by_one_give_the_same(names: str, encode: Encode) -> None:
    data = b"hello" * 1000
    coded = encode(data)
    assert decoded(names, coded, *range(len(coded))) == data


TRUNCATED = [row for row in CODINGS if "junk" not in row[0] and "padding" not in row[0] and "byte" not in row[0]]


@pytest.mark.parametrize(("names", "encode"), [row[1:] for row in TRUNCATED], ids=[row[0] for row in TRUNCATED])
def test_an_end_in_the_middle_is_an_error(names: str, encode: Encode) -> None:
    data = bytes(range(256)) * 4
    coded = encode(data)
    # A cut between two members or frames cannot be seen.
    whole = {len(gzip.compress(data[:7])), len(zstandard.compress(data[:7]))} if "two" in names else set()
    for end in range(1, len(coded)):
        if end in whole or (end == len(encode(data[:7])) and "two" in names):
            continue
        try:
            partial = decoded(names, coded[:end])
        except BrokenCoding:
            continue
        assert partial == data[:7], end


@pytest.mark.parametrize("names", ["gzip", "deflate", "br", "zstd"])
def test_an_empty_body_has_no_coding(names: str) -> None:
    assert decoded(names, b"") == b""


@pytest.mark.parametrize("names", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
@pytest.mark.parametrize(
    "body", [b"<html>hello</html>", b"\xff" * 100, b"\x1f\x8b\x08nonsense", b"\x28\xb5\x2f\xfd\xff\xff"]
)
def test_garbage_is_an_error_and_nothing_worse(names: str, body: bytes) -> None:
    with pytest.raises(BrokenCoding):
        decoded(names, body)


@given(names=st.sampled_from(["gzip", "deflate", "br", "zstd"]), body=st.binary(max_size=200))
def test_any_garbage_is_decoded_or_an_error(names: str, body: bytes) -> None:
    with suppress(BrokenCoding):
        decoded(names, body)


@pytest.mark.once
@pytest.mark.parametrize(("names", "encode"), [row[1:] for row in CODINGS[5:]], ids=[row[0] for row in CODINGS[5:]])
def test_a_bomb_costs_no_memory(names: str, encode: Encode) -> None:
    size = 32 * 1024 * 1024
    coded = encode(bytes(size))
    tracemalloc.start()
    try:
        chain = decoders(names)
        total = sum(len(piece) for piece in decode(chain, coded))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == size
    assert peak < 8 * 1024 * 1024


def test_a_zstd_window_above_8_mib_is_refused() -> None:
    """RFC 9659 §3."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    coded = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = coded.compress(bytes(1000)) + coded.flush()
    with pytest.raises(BrokenCoding):
        decoded("zstd", data)


@pytest.mark.parametrize("names", ["", "identity", "aes128gcm", "gzip, aes128gcm", "compress"])
def test_what_cannot_be_taken_off_is_left_alone(names: str) -> None:
    assert decoders(names) == []
    assert list(decode([], b"body")) == [b"body"]


def test_too_many_codings_are_refused() -> None:
    assert len(decoders("gzip, " * 5)) == 5
    with pytest.raises(BrokenCoding, match="6 content codings"):
        decoders("gzip, " * 6)


class Modules:
    """Pretends that only some packages are installed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **modules: Any) -> None:
        def import_module(name: str) -> Any:
            try:
                return modules[name.replace(".", "_")]
            except KeyError:
                raise ImportError(name) from None

        monkeypatch.setattr(decoding, "import_module", import_module)
        decoding._codings.cache_clear()


@pytest.fixture(autouse=True)
def fresh() -> Any:
    yield
    decoding._codings.cache_clear()


def test_only_what_can_be_decoded_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_accept_encoding() == "gzip, deflate, br, zstd"
    Modules(monkeypatch)
    assert default_accept_encoding() == "gzip, deflate"
    assert decoders("br") == decoders("zstd") == []


@pytest.mark.parametrize(
    ("offered", "expected"),
    [("gzip, deflate, br, zstd", ()), ("gzip,deflate,br", ("zstd",)), ("gzip, deflate", ("br", "zstd"))],
)
def test_what_is_not_offered_is_left_to_the_reader(offered: str, expected: tuple[str, ...]) -> None:
    assert not_offered(offered) == frozenset(expected)


def test_a_brotli_that_cannot_bound_its_output_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        Decompressor = object

    Modules(monkeypatch, brotli=Old)
    assert default_accept_encoding() == "gzip, deflate"
    Modules(monkeypatch, brotli=Old, brotlicffi=brotli)
    assert default_accept_encoding() == "gzip, deflate, br"


class LikeBrotlicffi:
    """Says decompress where brotli says process."""

    error = brotli.error

    class Decompressor:
        def __init__(self) -> None:
            inner = brotli.Decompressor()
            self.decompress = inner.process
            self.is_finished = inner.is_finished
            self._inner = inner

        def can_accept_more_data(self) -> bool:
            accepts: bool = self._inner.can_accept_more_data()
            return accepts


def test_brotlicffi_is_used_where_brotli_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    Modules(monkeypatch, brotlicffi=LikeBrotlicffi)
    data = bytes(1_000_000)
    assert decoded("br", brotli.compress(data)) == data


class LikeStandardZstd:
    """The interface of compression.zstd (Python 3.14), whose decompressor bounds its own output."""

    ZstdError = zstandard.ZstdError

    class DecompressionParameter:
        window_log_max = "window_log_max"

    class ZstdDecompressor:
        def __init__(self, options: dict[str, int]) -> None:
            self._inner = zstandard.ZstdDecompressor(max_window_size=2 ** options["window_log_max"]).decompressobj()
            self._left = b""

        def decompress(self, data: bytes, max_length: int) -> bytes:
            if data:
                self._left += self._inner.decompress(data)
            out, self._left = self._left[:max_length], self._left[max_length:]
            return out

        @property
        def eof(self) -> bool:
            return self._inner.eof and not self._left

        @property
        def needs_input(self) -> bool:
            return not self._inner.eof and not self._left

        @property
        def unused_data(self) -> bytes:
            return self._inner.unused_data


@pytest.mark.parametrize("name", ["compression_zstd", "backports_zstd"])
def test_the_standard_zstd_is_preferred(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    Modules(monkeypatch, zstandard=zstandard, **{name: LikeStandardZstd})
    data = b"hello" * 100_000
    coded = zstandard.compress(data)
    assert decoded("zstd", coded + coded, 3, len(coded) - 1, len(coded) + 1) == data * 2
    with pytest.raises(BrokenCoding):
        decoded("zstd", coded[:-1])
    with pytest.raises(BrokenCoding):
        decoded("zstd", b"garbage")
