"""Digests of bodies: SHA-256, and BLAKE3 by the name that a record gives."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
from without_wheel import without_blake3

from sansio_cache.bodies import Chunker, HashList, OpenedBody, open_body
from sansio_cache.digests import SHA256, digest_named
from sansio_cache.records import CHUNK_SIZE, INLINE_LIMIT, Flaw, Named, body_digest, chunk_hashes, digest_for

blake3 = pytest.importorskip("blake3").blake3
LONG = b"l" * (CHUNK_SIZE + 5)


def test_none_is_named_for_sha256() -> None:
    """What was written before there were names has none."""
    assert digest_named("") == SHA256
    assert SHA256.of(b"a") == hashlib.sha256(b"a").digest()


def test_blake3_is_what_its_wheel_says() -> None:
    digest = digest_named("blake3")
    assert digest is not None
    assert (digest.name, digest.of(memoryview(b"abc"))) == ("blake3", blake3(b"abc").digest())
    assert digest.of(b"abc").hex().startswith("6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85")


def test_what_is_not_installed() -> None:
    with without_blake3():
        assert digest_named("blake3") is None


@pytest.mark.parametrize("name", ["sha256", "sha1", "os", "blake3.blake3", "../blake3"])
def test_no_other_name_is_imported(name: str) -> None:
    """G1: who can write to an unsigned store writes any name."""
    assert digest_named(name) is SHA256


@pytest.mark.parametrize(
    ("wish", "length", "name"),
    [
        ("sha256", 0, ""),
        ("sha256", INLINE_LIMIT + 1, ""),
        ("blake3", INLINE_LIMIT, ""),
        ("blake3", INLINE_LIMIT + 1, "blake3"),
    ],
)
def test_what_lies_beside_its_head_is_hashed_with_sha256(wish: str, length: int, name: str) -> None:
    assert digest_for(wish, length).name == name  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [0, 10, INLINE_LIMIT, INLINE_LIMIT + 1, CHUNK_SIZE, CHUNK_SIZE + 1])
def test_chunks_are_hashed_as_their_record_says(length: int) -> None:
    chunker = Chunker("blake3")
    for at in range(0, length, 40_000):
        chunker.feed(b"x" * min(40_000, length - at))
    chunker.rest()
    assert bytes(chunker.hashes) == chunk_hashes(b"x" * length, digest_for("blake3", length))


def test_the_name_is_part_of_the_digest() -> None:
    digest = digest_for("blake3", len(LONG))
    hashes = chunk_hashes(LONG, digest)
    assert body_digest(hashes, digest) == Named("blake3", blake3(hashes).digest())
    assert body_digest(hashes, digest) != body_digest(hashes)


class Head:
    """As much of a head as bodies are opened by."""

    length = len(LONG)
    chunk_size = CHUNK_SIZE

    def __init__(self, name: str) -> None:
        made = digest_named(name) or SHA256
        self.hashed_with = name
        self.hashes = chunk_hashes(LONG, made)
        self.digest = body_digest(self.hashes, made)


def test_a_body_is_opened_with_what_its_head_names() -> None:
    head = Head("blake3")
    opened = open_body(head, head.hashes, 0, LONG[:CHUNK_SIZE])  # type: ignore[arg-type]
    assert isinstance(opened, OpenedBody)
    assert opened.hashes.holds(1, LONG[CHUNK_SIZE:])
    assert not opened.hashes.holds(1, LONG[CHUNK_SIZE + 1 :])
    assert open_body(head, Head("").hashes, 0, LONG[:CHUNK_SIZE]) is Flaw.BODY  # type: ignore[arg-type]
    with without_blake3():
        assert open_body(head, head.hashes, 0, LONG[:CHUNK_SIZE]) is Flaw.DIGEST  # type: ignore[arg-type]
        assert HashList.checked(head.hashes, head) is Flaw.DIGEST  # type: ignore[arg-type]


def test_nobody_loads_it_who_does_not_use_it() -> None:
    """A program pays for every module that it imports."""
    code = (
        "import sys; from sansio_cache import CachedSession, Policy; Policy(); import sansio_cache.rules; "
        "assert 'blake3' not in sys.modules; Policy(body_digest='blake3'); assert 'blake3' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
