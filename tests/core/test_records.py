"""Records: what is signed, and what becomes of one that was altered, moved or made up (G2, G3, G5, G28)."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest
from core_rows import BODY, DATE, META, SECRET, ask, got, item_of, record_of, rows, rules_of, stored_of
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer
from msgspec.structs import replace
from strategies import heads

from sansio_cache.freshness import Facts
from sansio_cache.keys import Keys, digest_of
from sansio_cache.policy import Policy
from sansio_cache.records import (
    CHUNK_SIZE,
    FORMAT,
    Flaw,
    Head,
    Place,
    Record,
    Stored,
    body_digest,
    chunk_hashes,
    encode_head,
    open_record,
    seal_head,
    variant_of,
)
from sansio_cache.sealing import MAX_HEAD, UNSIGNED, Sealer, unframe

SIGNED = rules_of(secret=SECRET)
PLACE = SIGNED.place
KEYS = SIGNED.maker.keys(ask())
ITEM = item_of(got(DATE, "Cache-Control: max-age=60", 'ETag: "a"', "Vary: Accept"), ask("Accept: text/html"), SIGNED)
STORED = stored_of(ITEM)
HEAD = record_of(DATE, rules=SIGNED).head

# A golden vector: the record of ITEM under a known store id, salt and secret.
GOLDEN = bytes.fromhex("""
    534352317300000196dc001502c41073746f72652069642c2031362062792ea0c420b84d9baef28997032415c3224f4a512b
    46d9d8b6c1b45d7ce8de002163e0bfe1c420d92466ea9ee77eee8bcf0d1c54a691470b0f90ad356d63405027a32fdfa44c1f
    a3474554ccc8a24f4b9492a444617465bd5475652c203134204e6f7620323032332032323a31333a323020474d5492ad4361
    6368652d436f6e74726f6caa6d61782d6167653d363092a445546167a322612292a456617279a64163636570749192a66163
    63657074c42048051242c5e24f5679ab345c18ce3a6cd585143fb1c5662b60bf34f782059503cb41d954fc40000000cb41d9
    54fc400000000ace00100000c420b1c4b79edaed1a737bff254f5325092f214b7595224b0552e0c0d04a9cbc371898cb41d9
    54fc40000000cb0000000000000000c0c3c2c294cb404e000000000000cb0000000000000000cb0000000000000000cd0200
    94cb404e000000000000cb0000000000000000cb0000000000000000cd0200b568747470733a2f2f6578616d706c652e6f72
    672f6190cb41d954fc4f000000c00b2e446a5759714d616c7a754736537145785161303741704a4663526b426d436d4a7135
    3165644e6f4d726b63
""")

NO_BYTES: Any = "text, which a store may come to hold"
NO_RECORD = Stored(SIGNED.sealer.seal(b"x"), b"", b"", 1)


def opened(
    stored: Stored, keys: Keys | None = KEYS, place: Place = PLACE, sealer: Sealer = SIGNED.sealer
) -> Record | Flaw:
    return open_record(stored, keys, place, sealer)


def sealed(head: Head, sealer: Sealer = SIGNED.sealer) -> bytes:
    made = seal_head(head, sealer)
    assert made is not None
    return made


def test_a_sealed_record_is_this_and_verifies_with_plain_itsdangerous() -> None:
    assert ITEM.sealed == GOLDEN
    signer = Signer([SECRET], salt=b"sansio-cache.record.1", digest_method=hashlib.sha256)
    payload = signer.unsign(GOLDEN)[9:]
    fields = msgspec.msgpack.decode(payload)
    assert fields[:6] == [FORMAT, META.store_id, "", KEYS.resource, KEYS.partition, "GET"]
    assert fields[6:8] == [200, "OK"]


def test_a_record_opens_where_it_lies() -> None:
    record = opened(STORED)
    assert isinstance(record, Record)
    assert record.head.status == 200
    assert record.headers.get("etag") == '"a"'
    assert record.headers is record.headers
    assert record.stored is STORED


def test_a_record_whose_body_lies_in_chunks_opens_without_it() -> None:
    """Its body is checked chunk by chunk, when it is read (see bodies.py)."""
    assert isinstance(opened(STORED._replace(body=None)), Record)


def test_maintenance_takes_a_record_at_its_own_word() -> None:
    """It reuses nothing, and has no keys to compare."""
    assert isinstance(opened(STORED, None), Record)


def moved(**changes: Any) -> Stored:
    """A record, properly signed, that says something else of itself."""
    return Stored(sealed(replace(HEAD, **changes)), BODY, b"", 1)


@rows(
    "stored sealer expected",
    ("nothing", "G5", Stored(b"", b"", b"", 1), SIGNED.sealer, Flaw.UNREADABLE),
    ("text for bytes", "G5", STORED._replace(sealed=NO_BYTES), SIGNED.sealer, Flaw.UNREADABLE),
    ("a number for a body", "G5", STORED._replace(body=NO_BYTES), SIGNED.sealer, Flaw.UNREADABLE),
    ("cut short", "G5", STORED._replace(sealed=STORED.sealed[:-1]), SIGNED.sealer, Flaw.UNREADABLE),
    (
        "not signed, read with a secret",
        "G5",
        STORED._replace(sealed=sealed(HEAD, UNSIGNED)),
        SIGNED.sealer,
        Flaw.UNSIGNED,
    ),
    ("signed, read without a secret", "G6", STORED, UNSIGNED, Flaw.KEYLESS),
    ("signed with another secret", "G5", STORED, Sealer([b"another secret of sixteen bytes"]), Flaw.SIGNATURE),
    ("signed elsewhere, unverifiable", "G5", moved(store_id=b"x" * 16), Sealer([b"x" * 16]), Flaw.FOREIGN),
    (
        "signed, unverifiable, no record",
        "G5",
        Stored(SIGNED.sealer.seal(b"x"), b"", b"", 1),
        Sealer([b"x" * 16]),
        Flaw.UNREADABLE,
    ),
    ("verified, no record", "G5", NO_RECORD, SIGNED.sealer, Flaw.UNREADABLE),
    ("of another store", "G2", moved(store_id=b"x" * 16), SIGNED.sealer, Flaw.FOREIGN),
    ("of another namespace", "G2", moved(namespace="x"), SIGNED.sealer, Flaw.FOREIGN),
    ("of another format", "G2", moved(format=FORMAT + 1), SIGNED.sealer, Flaw.FOREIGN),
    ("of another resource", "G2", moved(resource=b"x" * 32), SIGNED.sealer, Flaw.PLACE),
    ("of another partition", "G2", moved(partition=b"x" * 32), SIGNED.sealer, Flaw.PLACE),
    ("with another body", "G2", STORED._replace(body=b"9876543210"), SIGNED.sealer, Flaw.BODY),
    ("with a longer body", "G2", STORED._replace(body=BODY + b"x"), SIGNED.sealer, Flaw.BODY),
    ("with a body cut short", "G2", STORED._replace(body=BODY[:-1]), SIGNED.sealer, Flaw.BODY),
    ("of a length that is none", "G28", moved(length=-1), SIGNED.sealer, Flaw.UNREADABLE),
    ("of chunks of no size", "G28", moved(chunk_size=0), SIGNED.sealer, Flaw.UNREADABLE),
)
def test_a_record_does_not_open(stored: Stored, sealer: Sealer, expected: Flaw) -> None:
    assert opened(stored, sealer=sealer) is expected


@rows(
    "changes opens",
    ("as it came", "G29", {}, True),
    ("bytes above ASCII", "G29", {"reason": "caf\xe9", "headers": (("X", "\xff"),)}, True),
    ("a NUL and the end of a line", "G18", {"headers": (("X", "a\0b\r\n c"),)}, True),
    ("a reason outside latin-1", "G29", {"reason": "\u4e2d"}, False),
    ("a name outside latin-1", "G29", {"headers": (("X-\u4e2d", "1"),)}, False),
    ("a value outside latin-1", "G29", {"headers": (("X", "\u20ac"),)}, False),
    ("no status", "G29", {"status": 0}, False),
    ("a status below 0", "G29", {"status": -200}, False),
    ("a status of four digits", "G29", {"status": 2000}, False),
    ("two lengths", "G29", {"headers": (("Content-Length", "10"), ("content-length", "11"))}, False),
)
def test_an_unsigned_head_that_no_client_could_have_received_does_not_open(
    changes: dict[str, Any], opens: bool
) -> None:
    """A signed one is as it was written; this one is unsigned."""
    stored = Stored(sealed(replace(HEAD, **changes), UNSIGNED), BODY, b"", 1)
    assert isinstance(opened(stored, sealer=UNSIGNED), Record) is opens
    assert opens or opened(stored, sealer=UNSIGNED) is Flaw.UNREADABLE


def test_an_older_secret_still_opens() -> None:
    """G7."""
    assert isinstance(opened(STORED, sealer=Sealer([SECRET, b"a newer secret of sixteen bytes"])), Record)


@given(heads)
def test_decoding_after_encoding_is_the_identity(head: Head) -> None:
    stored = Stored(sealed(head), None, b"", 1)
    record = opened(stored, Keys(head.resource, head.partition), Place(head.store_id, head.namespace))
    assert isinstance(record, Record)
    assert record.head == head


@given(heads, st.sampled_from(["store_id", "namespace", "resource", "partition"]), st.data())
def test_a_record_moved_to_another_place_never_opens(head: Head, what: str, data: st.DataObject) -> None:
    """G2: what it was signed for is compared with where it lies."""
    other = {"namespace": st.text(max_size=9), "store_id": st.binary(max_size=16)}.get(what, st.binary(max_size=32))
    head = replace(head, **{what: data.draw(other.filter(lambda value: value != getattr(head, what)))})
    assert opened(Stored(sealed(head), None, b"", 1)) in (Flaw.PLACE, Flaw.FOREIGN)


@given(st.data())
def test_a_record_changed_in_any_byte_never_opens(data: st.DataObject) -> None:
    """G2: flips, cuts and insertions."""
    at = data.draw(st.integers(0, len(GOLDEN) - 1))
    changed = GOLDEN[:at] + data.draw(st.binary(max_size=3)) + GOLDEN[at + data.draw(st.integers(0, 3)) :]
    assert changed == GOLDEN or isinstance(opened(STORED._replace(sealed=changed)), Flaw)


@given(st.binary(max_size=200), st.booleans(), st.sampled_from([b"", b"SCR1u\x00\x00\x00\x04", GOLDEN[:60]]))
def test_arbitrary_bytes_never_raise(junk: bytes, signed: bool, start: bytes) -> None:
    """G18: what a store gives back is read in distrust."""
    sealer = SIGNED.sealer if signed else UNSIGNED
    framed = b"SCR1u" + len(start + junk).to_bytes(4, "big") + start + junk
    for made in (start + junk, framed, SIGNED.sealer.seal(start + junk)):
        assert isinstance(opened(STORED._replace(sealed=made), sealer=sealer), Flaw)


@rows(
    "headers fits",
    ("a head of nearly 64 KiB", "G28", [("A", "x" * 60_000)], True),
    ("a head above 64 KiB", "G28", [("A", "x" * 65_536)], False),
    ("ten thousand fields", "G18", [("A", "x" * 9)] * 10_000, False),
    ("a thousand fields", "G31", [("A", "x")] * 1_000, True),
    ("one more", "G31", [("A", "x")] * 1_001, False),
)
def test_a_head_is_kept_up_to_64_kib(headers: list[tuple[str, str]], fits: bool) -> None:
    made = seal_head(replace(HEAD, headers=tuple(headers)), SIGNED.sealer)
    assert (made is not None) is fits
    assert made is None or len(made) <= MAX_HEAD


def test_text_that_cannot_be_written_is_not_kept() -> None:
    """Lone surrogates: no client receives or sends them, but an adapter may slip."""
    assert seal_head(replace(HEAD, reason="\udcff"), SIGNED.sealer) is None


# Bodies and variants


@rows(
    "body count",
    ("an empty body has no chunk", "records", b"", 0),
    ("a small body is one chunk", "records", b"x", 1),
    ("a body of one chunk", "records", b"x" * CHUNK_SIZE, 1),
    ("a byte more is another chunk", "records", b"x" * (CHUNK_SIZE + 1), 2),
)
def test_a_body_is_hashed_in_chunks(body: bytes, count: int) -> None:
    """The digest is SHA-256 over the SHA-256s of the chunks, so that each chunk can be checked on its own."""
    hashes = b"".join(hashlib.sha256(body[at * CHUNK_SIZE :][:CHUNK_SIZE]).digest() for at in range(count))
    assert chunk_hashes(body) == hashes
    assert body_digest(chunk_hashes(body)) == hashlib.sha256(hashes).digest()


def test_the_variant_tells_head_from_get_and_what_vary_names() -> None:
    tag = b"t" * 32
    assert variant_of("GET", [("accept", tag)]) == digest_of(b"", b"accept", tag)
    assert variant_of("HEAD", [("accept", tag)]) == digest_of(b"HEAD", b"accept", tag)
    assert variant_of("GET", []) == variant_of("POST", [])


def test_what_is_signed_holds_no_secret_of_the_request() -> None:
    """G26: neither credentials nor what Vary names, nor the parameters of the URL."""
    request = ask("Authorization: Basic dTpw", "Accept: text/secret", url="https://u:pass@example.org/?token=s3cret")
    item = item_of(got("Vary: Accept"), request, rules_of(Policy(match_headers=["Accept"])))
    payload = unframe(item.sealed)[1]
    assert not any(secret in payload for secret in (b"dTpw", b"text/secret", b"s3cret", b"pass"))
    assert b"https://example.org/?token=REDACTED" in payload


OTHER_VALUES: dict[str, Any] = {
    "facts": replace(HEAD.facts, date=5.0),
    "headers": (("A", "b"),),
    "vary": (("a", b"b"),),
    "tags": ("x",),
}


@pytest.mark.parametrize("name", Head.__struct_fields__)
def test_every_field_of_the_head_is_signed(name: str) -> None:
    """G2: to change any of them changes the payload."""
    value = getattr(HEAD, name)
    other = OTHER_VALUES[name] if isinstance(value, tuple | Facts) else value * 2 if value else "x"
    assert encode_head(replace(HEAD, **{name: other})) != encode_head(HEAD)
