"""Sealed records: the frame, the signature that itsdangerous verifies, and the secrets that are taken (G6, G7)."""

from __future__ import annotations

import hashlib
import itertools
import warnings

import pytest
from core_rows import SECRET, rows
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import BadSignature, Signer

from sansio_cache.errors import CacheWarning, SettingError
from sansio_cache.sealing import (
    FRAME_SIZE,
    MAX_HEAD,
    UNSIGNED,
    Frame,
    Sealer,
    SecretKey,
    make_sealer,
    unframe,
)

LARGEST = b"x" * (MAX_HEAD - FRAME_SIZE)
OTHER = b"another secret of sixteen bytes"
GOLDEN = b"SCR1s\x00\x00\x00\x07payload.as5XlCyUjaPdsAxfdgyPg1qKF86JBtZe94z3G7LKS6M"


def its_signer(*keys: bytes) -> Signer:
    """What the docstring of sealing.py says verifies the same bytes."""
    return Signer(list(keys), salt=b"sansio-cache.record.1", digest_method=hashlib.sha256)


def test_a_signed_frame_is_this() -> None:
    """Golden vector: a change of it makes every signed record of every user a miss."""
    assert Sealer([SECRET]).seal(b"payload") == GOLDEN


def test_an_unsigned_frame_is_this() -> None:
    assert UNSIGNED.seal(b"payload") == b"SCR1u\x00\x00\x00\x07payload"


def test_itsdangerous_signer_verifies_and_makes_the_same_bytes() -> None:
    assert its_signer(SECRET).unsign(GOLDEN) == b"SCR1s\x00\x00\x00\x07payload"
    assert its_signer(SECRET).sign(b"SCR1s\x00\x00\x00\x07payload") == GOLDEN
    with pytest.raises(BadSignature):
        its_signer(OTHER).unsign(GOLDEN)


def test_a_list_of_keys_rotates() -> None:
    """G7: the last signs, all verify, and it can be told which one did."""
    both = Sealer([SECRET, OTHER])
    assert both.seal(b"x") == Sealer([OTHER]).seal(b"x") == its_signer(SECRET, OTHER).sign(b"SCR1s\x00\x00\x00\x01x")
    old, new, foreign = (Sealer([key]).seal(b"x") for key in (SECRET, OTHER, b"a third secret of sixteen bytes"))
    assert [both.verifies(each) for each in (old, new, foreign)] == [True, True, False]
    assert [both.verifies_newest(each) for each in (old, new, foreign)] == [False, True, False]


def test_without_a_key_nothing_is_signed_or_verified() -> None:
    assert not UNSIGNED.signed
    assert Sealer([SECRET]).signed
    assert not UNSIGNED.verifies(GOLDEN)
    assert not UNSIGNED.verifies_newest(GOLDEN)


@rows(
    "sealed expected",
    ("signed", "frame", GOLDEN, (Frame.SIGNED, b"payload")),
    ("unsigned", "frame", UNSIGNED.seal(b"payload"), (Frame.UNSIGNED, b"payload")),
    ("unsigned and empty", "frame", UNSIGNED.seal(b""), (Frame.UNSIGNED, b"")),
    ("nothing", "frame", b"", (Frame.UNREADABLE, b"")),
    ("less than a frame", "frame", b"SCR1u\x00\x00", (Frame.UNREADABLE, b"")),
    ("another magic", "frame", b"SCR2" + GOLDEN[4:], (Frame.UNREADABLE, b"")),
    ("another kind", "frame", b"SCR1x" + GOLDEN[5:], (Frame.UNREADABLE, b"")),
    ("an unsigned one cut short", "frame", UNSIGNED.seal(b"payload")[:-1], (Frame.UNREADABLE, b"")),
    ("an unsigned one with more after it", "frame", UNSIGNED.seal(b"payload") + b"x", (Frame.UNREADABLE, b"")),
    ("a signed one cut short", "frame", GOLDEN[:-1], (Frame.UNREADABLE, b"")),
    ("a signed one with more after it", "frame", GOLDEN + b"x", (Frame.UNREADABLE, b"")),
    ("a signed one taken for unsigned", "G6", b"SCR1u" + GOLDEN[5:], (Frame.UNREADABLE, b"")),
    ("another separator", "frame", GOLDEN.replace(b".", b":", 1), (Frame.UNREADABLE, b"")),
    (
        "the largest",
        "G28",
        UNSIGNED.seal(b"x" * (MAX_HEAD - FRAME_SIZE)),
        (Frame.UNSIGNED, b"x" * (MAX_HEAD - FRAME_SIZE)),
    ),
    ("larger than that", "G28", UNSIGNED.seal(b"x" * (MAX_HEAD - FRAME_SIZE + 1)), (Frame.UNREADABLE, b"")),
)
def test_a_frame_shows_what_it_is_before_any_key_is_tried(sealed: bytes, expected: tuple[Frame, bytes]) -> None:
    assert unframe(sealed) == expected


@given(st.binary(max_size=300))
def test_open_after_seal_is_the_identity(payload: bytes) -> None:
    sealer = Sealer([SECRET])
    assert unframe(sealer.seal(payload)) == (Frame.SIGNED, payload)
    assert sealer.verifies(sealer.seal(payload))
    assert its_signer(SECRET).unsign(sealer.seal(payload)).endswith(payload)
    assert unframe(UNSIGNED.seal(payload)) == (Frame.UNSIGNED, payload)


def test_no_flip_of_a_bit_verifies() -> None:
    """G2: every bit of the frame, its length and the signature counts."""
    sealer = Sealer([SECRET])
    for at, bit in itertools.product(range(len(GOLDEN)), range(8)):
        flipped = bytearray(GOLDEN)
        flipped[at] ^= 1 << bit
        assert unframe(bytes(flipped))[0] is not Frame.SIGNED or not sealer.verifies(bytes(flipped)), (at, bit)


# Secrets


@rows(
    "secret keys",
    ("text", "G6", "a secret of sixteen bytes or more", (b"a secret of sixteen bytes or more",)),
    ("bytes", "G6", SECRET, (SECRET,)),
    ("a list, oldest first", "G7", [SECRET, OTHER.decode()], (SECRET, OTHER)),
    ("a tuple", "G7", (SECRET,), (SECRET,)),
    ("what the environment holds", "G6", "\udcff" + "x" * 15, (b"\xff" + b"x" * 15,)),
)
def test_a_secret_is_taken(secret: SecretKey, keys: tuple[bytes, ...]) -> None:
    assert make_sealer(secret).keys == keys


@rows(
    "secret",
    ("None", "G6", None),
    ("empty text", "G6", ""),
    ("empty bytes", "G6", b""),
    ("an empty list", "G6", []),
    ("an empty tuple", "G6", ()),
    ("a list with an empty element", "G6", [SECRET, b""]),
    ("a list with None", "G6", [None, SECRET]),
    ("a number", "G6", 123_456_789),
    ("a list with a number", "G6", [SECRET, 5]),
    ("a set", "G6", {SECRET}),
    ("a bytearray", "G6", bytearray(SECRET)),
    ("a lone surrogate", "G6", "\ud800 and a secret of sixteen bytes"),
)
def test_what_is_no_secret_is_an_error_that_does_not_show_it(secret: object) -> None:
    with pytest.raises(SettingError, match="secret_key") as caught:
        make_sealer(secret)  # type: ignore[arg-type]
    shown = str(caught.value) + repr(caught.value.__cause__)
    assert not any(part in shown for part in ("at least sixteen", "a secret of", "123456789"))


@rows(
    "secret warns",
    ("shorter than 16 bytes", "G6", "fifteen letters", True),
    ("one of several shorter", "G6", [SECRET, b"short"], True),
    ("16 bytes", "G6", "sixteen letters.", False),
)
def test_a_short_secret_warns(secret: SecretKey, warns: bool) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make_sealer(secret)
    assert [each.category for each in caught] == [CacheWarning] * warns


def test_sealers_of_the_same_secrets_are_equal() -> None:
    assert Sealer([SECRET]) == Sealer([SECRET])
    assert hash(Sealer([SECRET])) == hash(Sealer([SECRET]))
    assert Sealer([SECRET]) != Sealer([OTHER])
    assert Sealer([SECRET]) != SECRET
    assert SECRET.decode() not in repr(Sealer([SECRET]))
