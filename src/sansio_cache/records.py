"""Records of responses: their parts, how they are written, and how they are read back, trusting nothing.

A record is a head and a body. The head is MessagePack of typed structs, data only; it is sealed (``sealing.py``) and
names its place, so that it is worth nothing anywhere else. A store holds :class:`Stored` and is given :class:`Item`;
it never looks inside the sealed bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec.structs import force_setattr

from .digests import OTHERS, SHA256, BodyDigest, Digest, digest_named
from .expiry import Packed
from .freshness import Facts
from .keys import Keys, digest_of
from .messages import HTTP_1_1, Headers, shown_fields
from .sealing import MAX_HEAD, Frame, Sealer, unframe

__all__ = [
    "CHUNK_SIZE",
    "FORMAT",
    "INLINE_LIMIT",
    "Flaw",
    "Head",
    "Item",
    "Meta",
    "Place",
    "Record",
    "Remembered",
    "Stored",
    "body_digest",
    "chunk_hashes",
    "digest_for",
    "encode_head",
    "open_record",
    "seal_head",
    "to_remember",
    "variant_of",
]

FORMAT: Final = 2
CHUNK_SIZE: Final = 1_048_576
"""Bytes of a chunk of a large body."""
MAX_FIELDS: Final = 1_000
"""Fields of a head that is kept."""
INLINE_LIMIT: Final = 65_536
"""Bytes up to which a body lies beside its head, so that a hit costs one read."""


class Meta(NamedTuple):
    """A store's meta record, made once, first writer wins.

    :ivar store_id: 16 random bytes.
    :ivar salt: 32 random bytes, under which identities and Vary values are hashed.
    :ivar signed: whether the store was ever opened with a secret.
    """

    store_id: bytes
    salt: bytes
    signed: bool


class Place(NamedTuple):
    """The names by which a record is known as ours."""

    store_id: bytes
    namespace: str


class Remembered(msgspec.Struct, frozen=True, array_like=True):
    """A time that was given with one request, which its record keeps for later ones.

    :ivar settings: the time that the session's settings gave: it counts for sessions of the same.
    """

    time: Packed
    settings: Packed


class Named(msgspec.Struct, frozen=True, array_like=True):
    """A digest that is not SHA-256, and its name.

    Who does not know of names finds such a record unreadable, and not altered.
    """

    name: str
    digest: bytes


class Head(msgspec.Struct, frozen=True, array_like=True):
    """Everything that is signed. Times are POSIX seconds; ``length`` and ``chunk_size`` bytes of the body.

    :ivar vary: the request fields that Vary nominated, each with the keyed hash of its value.
    :ivar digest: of the hashes of the body's chunks, one after the other.
    :ivar url: redacted, for people to read; it decides nothing.
    :ivar stale_at: when it becomes stale by the settings it was kept under; infinite for never.
    :ivar version: that of HTTP by which it came, in tenths.
    """

    format: int
    store_id: bytes
    namespace: str
    resource: bytes
    partition: bytes
    method: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    vary: tuple[tuple[str, bytes], ...]
    requested_at: float
    received_at: float
    length: Annotated[int, msgspec.Meta(ge=0)]
    chunk_size: Annotated[int, msgspec.Meta(gt=0)]
    digest: bytes | Named
    facts: Facts
    url: str
    tags: tuple[str, ...] = ()
    stale_at: float = 0.0
    remembered: Remembered | None = None
    version: Annotated[int, msgspec.Meta(ge=0, le=99)] = HTTP_1_1

    @property
    def hashed_with(self) -> str:
        """The name of what the body and its chunks were hashed with (``digests.py``); ``""`` for SHA-256."""
        return self.digest.name if isinstance(self.digest, Named) else ""

    def __repr__(self) -> str:
        return f"Head({self.method} {self.url}, {self.status}, {shown_fields(self.headers)!r}, {self.length} bytes)"


class Stored(NamedTuple):
    """A record as a store gives it back, in distrust.

    :ivar sealed: the sealed head.
    :ivar body: the whole body where it lies beside its head, else None.
    :ivar entry: the id under which the chunks lie (16 bytes).
    :ivar rev: changes with every change of the record; the store compares it before the next one.
    """

    sealed: bytes
    body: bytes | None
    entry: bytes
    rev: int


class Item(msgspec.Struct, frozen=True):
    """A record as a store is given it; all but ``sealed`` and ``body`` can at worst cause a miss.

    :ivar variant: 32 bytes; a new record takes the place of the one of the same variant in its partition.
    :ivar entry: the id under which chunks were written, or ``b""`` where ``body`` is the whole body.
    :ivar hashes: those of the chunks, 32 bytes each, one after the other; a store keeps them as they are.
    :ivar size: bytes of the body.
    :ivar requested_at: a response requested before its resource was dropped is not committed.
    :ivar stale_at: when it becomes stale by the writer's policy, for people; POSIX seconds, may be infinite.
    :ivar purge_at: from when the store may remove it: ``stale_at`` with room for stale use and validation.
    """

    resource: bytes
    partition: bytes
    variant: bytes
    sealed: bytes
    body: bytes | None
    entry: bytes
    hashes: bytes
    size: int
    requested_at: float
    received_at: float
    stale_at: float
    purge_at: float
    url: str
    method: str
    status: int
    tags: tuple[str, ...]


class Record:
    """A record that was opened and, where there is a key, verified.

    :param headers: the fields of its head, where they are known as such.
    """

    __slots__ = ("_headers", "_shown", "head", "stored")

    def __init__(self, head: Head, stored: Stored, headers: Headers | None = None) -> None:
        self.head: Head = head
        self.stored: Stored = stored
        self._headers = headers
        self._shown: tuple[tuple[str, str], ...] | None = None

    @property
    def headers(self) -> Headers:
        """The stored header fields."""
        if self._headers is None:
            self._headers = Headers(self.head.headers)
        return self._headers

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """Those that an answer has, without Age."""
        shown = self._shown
        if shown is None:
            # An unsigned store may be written by others: they must not log the reader in as another user.
            headers = self.headers
            shown = (headers.without(("set-cookie",)) if headers.has("set-cookie") else headers).items
            self._shown = shown
        return shown


class Flaw(Enum):
    """Why a stored record cannot be used."""

    UNREADABLE = "unreadable"
    UNSIGNED = "unsigned"
    """It has no signature, and there is a secret."""
    FOREIGN = "foreign"
    """It names another store, namespace or format."""
    SIGNATURE = "signature"
    """It names this store and is signed, and no key verifies it."""
    PLACE = "place"
    """It verifies, but names another place than the one it lies in."""
    BODY = "body"
    """Its body is not the one it describes."""
    GONE = "gone"
    """Its body is not there any more."""
    KEYLESS = "keyless"
    """It is signed, and there is no secret to verify it by."""
    DIGEST = "unknown-digest"
    """Its body is hashed with what is not installed here: sound, as far as anyone can tell."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Head)


def encode_head(head: Head) -> bytes:
    """The payload of a head, to be sealed."""
    return _encoder.encode(head)


def body_digest(hashes: bytes, digest: Digest = SHA256) -> bytes | Named:
    """The digest of a body from the hashes of its chunks, one after the other."""
    made = digest.of(hashes)
    return Named(digest.name, made) if digest.name else made


def digest_for(wish: BodyDigest, length: int) -> Digest:
    """What a body of so many bytes is hashed with, where that is wished.

    With SHA-256 those that lie beside their heads in any case: small ones are hashed faster so, and everybody can.
    """
    return SHA256 if wish == "sha256" or length <= INLINE_LIMIT else digest_named(wish) or SHA256


def chunk_hashes(body: bytes, digest: Digest = SHA256) -> bytes:
    """The hashes of the chunks of a whole body; of an empty body none."""
    if len(body) <= CHUNK_SIZE:
        return digest.of(body) if body else b""
    view = memoryview(body)
    return b"".join(digest.of(view[at : at + CHUNK_SIZE]) for at in range(0, len(body), CHUNK_SIZE))


def variant_of(method: str, vary: Sequence[tuple[str, bytes]]) -> bytes:
    """The variant key (32 bytes) of a response: HEAD or not, and what Vary nominated."""
    if not vary:
        return _UNVARIED[method == "HEAD"]  # that of nearly all
    parts = [part for name, tag in vary for part in (name.encode(), tag)]
    return digest_of(b"HEAD" if method == "HEAD" else b"", *parts)


_UNVARIED: Final = (digest_of(b""), digest_of(b"HEAD"))


def open_record(stored: Stored, keys: Keys | None, place: Place, sealer: Sealer) -> Record | Flaw:
    """The record in a stored row, or what is wrong with it.

    :param keys: where it lies; None to take its own word for it (maintenance, which reuses nothing).
    """
    # A store that others can write to may hold values of any type.
    if not isinstance(stored.sealed, bytes) or not isinstance(stored.body, bytes | None):
        return Flaw.UNREADABLE
    kind, payload = unframe(stored.sealed)
    if kind is Frame.UNREADABLE:
        return Flaw.UNREADABLE
    if kind is Frame.SIGNED and not sealer.signed:
        return _flaw_of(payload, place, Flaw.KEYLESS)
    if kind is Frame.UNSIGNED and sealer.signed:
        return Flaw.UNSIGNED
    if kind is Frame.SIGNED and not sealer.verifies(stored.sealed):
        return _flaw_of(payload, place, Flaw.SIGNATURE)
    head = _decode(payload)
    if head is None or (kind is Frame.UNSIGNED and not _can_be_shown(head)):
        return Flaw.UNREADABLE
    if head.format != FORMAT or head.store_id != place.store_id or head.namespace != place.namespace:
        return Flaw.FOREIGN
    if isinstance(head.digest, Named) and head.digest.name not in OTHERS:
        return Flaw.FOREIGN
    if keys is not None and (head.partition != keys.partition or head.resource != keys.resource):
        return Flaw.PLACE
    flaw = None if stored.body is None else _flaw_of_body(head, stored.body)
    return Record(head, stored) if flaw is None else flaw


def _flaw_of_body(head: Head, body: bytes) -> Flaw | None:
    """The flaw of a body that lies beside its head."""
    digest = digest_named(head.hashed_with)
    if digest is None:
        return Flaw.DIGEST
    sound = len(body) == head.length and body_digest(chunk_hashes(body, digest), digest) == head.digest
    return None if sound else Flaw.BODY


_fields: dict[tuple[str, str], tuple[str, str]] = {}
"""Fields of heads that are remembered, each once. Shared by threads: at worst one stands there twice."""
_FIELDS: Final = 1024
_FIELD_LENGTH: Final = 256


def to_remember(record: Record, keys: Keys, place: Place) -> Record:
    """A record, to be kept in mind with thousands: what it has in common with others is held once."""
    head = record.head
    force_setattr(head, "headers", tuple([_fields.get(field) or _once(field) for field in head.headers]))
    # Compared when it was opened, and equal.
    force_setattr(head, "store_id", place.store_id)
    force_setattr(head, "namespace", place.namespace)
    force_setattr(head, "partition", keys.partition)
    force_setattr(head, "resource", keys.resource)
    return record


def _once(field: tuple[str, str]) -> tuple[str, str]:
    if len(field[0]) + len(field[1]) <= _FIELD_LENGTH:
        if len(_fields) >= _FIELDS:
            _fields.clear()
        _fields[field] = field
    return field


def _decode(payload: bytes) -> Head | None:
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _can_be_shown(head: Head) -> bool:
    """Whether any client could have received such a head: an unsigned one may come from anyone.

    Names and values are bytes by latin-1 (RFC 9110 §5.5), a status has three digits (§15), and a message with two
    lengths has none (RFC 9112 §6.3).
    """
    if not 100 <= head.status <= 999:
        return False
    try:
        "".join((head.reason, *(part for field in head.headers for part in field))).encode("latin-1")
    except UnicodeEncodeError:
        return False
    lengths = [value for name, value in head.headers if name.lower() == "content-length"]
    return len(lengths) < 2 or len({each.strip() for value in lengths for each in value.split(",")}) == 1


def _flaw_of(payload: bytes, place: Place, flaw: Flaw) -> Flaw:
    """``flaw`` if the payload, which is not verified, at least claims to be a record of this store."""
    head = _decode(payload)
    if head is None:
        return Flaw.UNREADABLE
    claims_us = head.format == FORMAT and head.store_id == place.store_id and head.namespace == place.namespace
    return flaw if claims_us else Flaw.FOREIGN


def seal_head(head: Head, sealer: Sealer) -> bytes | None:
    """The sealed head, or None where it is too large to be kept (:data:`MAX_FIELDS`, ``sealing.MAX_HEAD``).

    None, too, for text that no client could have received or sent (lone surrogates).
    """
    # An origin may send megabytes: to find them too large after encoding and signing them would take milliseconds. Each
    # field is an object to anyone who reads the record, and a partition has many records.
    if len(head.headers) > MAX_FIELDS or sum([len(name) + len(value) for name, value in head.headers]) > MAX_HEAD:
        return None
    try:
        sealed = sealer.seal(_encoder.encode(head))
    except UnicodeEncodeError:
        return None
    return sealed if len(sealed) <= MAX_HEAD else None
