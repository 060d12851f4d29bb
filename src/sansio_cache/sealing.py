"""Sealed records: the signature that binds a record to its place (itsdangerous), and the frame around it.

A frame is ``SCR1``, one byte (``s`` signed, ``u`` unsigned), the payload's length in four bytes, the payload, and for
a signed one a full stop and itsdangerous' signature, so that::

    Signer(keys, salt=b"sansio-cache.record.1", digest_method=sha256).unsign(frame)

verifies the same bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import warnings
from binascii import b2a_base64
from collections.abc import Sequence
from enum import Enum
from functools import cached_property
from typing import Final

from .errors import CacheWarning, SettingError

__all__ = ["FRAME_SIZE", "MAX_HEAD", "Frame", "Sealer", "SecretKey", "make_sealer", "unframe"]

SecretKey = str | bytes | Sequence[str | bytes]
SALT: Final = b"sansio-cache.record.1"
MAGIC: Final = b"SCR1"
FRAME_SIZE: Final = len(MAGIC) + 1 + 4
MAX_HEAD: Final = 65_536
"""Bytes of a sealed record, at most; checked before it is decoded."""
_SIGNATURE_SIZE = 1 + 43  # ".", and 32 bytes in URL-safe base64 without padding
_SHORT = 16
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class Frame(Enum):
    """The parts of a frame that can be read before any key is tried."""

    SIGNED = b"s"
    UNSIGNED = b"u"
    UNREADABLE = b""


def unframe(sealed: bytes) -> tuple[Frame, bytes]:
    """The kind of a frame and its payload; truncated, oversized or foreign bytes are UNREADABLE."""
    if len(sealed) > MAX_HEAD or len(sealed) < FRAME_SIZE or sealed[:4] != MAGIC:
        return Frame.UNREADABLE, b""
    end = FRAME_SIZE + int.from_bytes(sealed[5:FRAME_SIZE], "big")
    kind = sealed[4:5]
    if kind == b"u" and len(sealed) == end:
        return Frame.UNSIGNED, sealed[FRAME_SIZE:]
    if kind == b"s" and len(sealed) == end + _SIGNATURE_SIZE and sealed[end] == 0x2E:
        return Frame.SIGNED, sealed[FRAME_SIZE:end]
    return Frame.UNREADABLE, b""


def _frame(kind: bytes, payload: bytes) -> bytes:
    return b"".join((MAGIC, kind, len(payload).to_bytes(4, "big"), payload))


def _signature(derived: bytes, frame: bytes) -> bytes:
    made = hmac.digest(derived, frame, "sha256")
    return b2a_base64(made, newline=False).translate(_URL_SAFE).rstrip(b"=")


class Sealer:
    """Seals payloads and verifies them, with a list of keys (oldest first), or without any.

    Every key is derived once, for all records: a third of the time that the Signer takes, on the same derivation and
    encoding.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.keys: tuple[bytes, ...] = tuple(keys)

    @cached_property
    def _derived(self) -> list[bytes]:
        """Newest first: nearly every record was sealed with it."""
        if not self.keys:
            return []
        from itsdangerous import Signer  # with the first record: a session is made without it

        signer = Signer(list(self.keys), salt=SALT, digest_method=hashlib.sha256)
        return [signer.derive_key(key) for key in reversed(self.keys)]

    @property
    def signed(self) -> bool:
        """Whether records are signed."""
        return bool(self.keys)

    def seal(self, payload: bytes) -> bytes:
        """The frame of a payload, signed by the newest key, if there is one."""
        if not self._derived:
            return _frame(b"u", payload)
        frame = _frame(b"s", payload)
        return frame + b"." + _signature(self._derived[0], frame)

    def verifies(self, sealed: bytes) -> bool:
        """Whether any key made the signature of a SIGNED frame."""
        frame, signature = sealed[:-_SIGNATURE_SIZE], sealed[1 - _SIGNATURE_SIZE :]
        return any(hmac.compare_digest(_signature(each, frame), signature) for each in self._derived)

    def verifies_newest(self, sealed: bytes) -> bool:
        """Whether the newest key made the signature of a SIGNED frame; for bringing old records up."""
        frame, signature = sealed[:-_SIGNATURE_SIZE], sealed[1 - _SIGNATURE_SIZE :]
        return bool(self._derived) and hmac.compare_digest(_signature(self._derived[0], frame), signature)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealer) and self.keys == other.keys

    def __hash__(self) -> int:
        return hash(self.keys)


UNSIGNED: Final = Sealer(())


def make_sealer(secret_key: SecretKey) -> Sealer:
    """The sealer of a secret or a list of them, oldest first.

    :raises SettingError: for None, an empty key, an empty list or element, or another type; leaving ``secret_key`` out
        is the only way to be unsigned.
    """
    given: Sequence[object] = [secret_key] if isinstance(secret_key, str | bytes) else _listed(secret_key)
    keys = [_encoded(key) if isinstance(key, str) else key for key in given]
    for key in keys:
        if not isinstance(key, bytes) or not key:
            raise SettingError(
                f"secret_key takes a non-empty str, bytes or a list of them, not {_describe(key)}; "
                "leave secret_key out for an unsigned cache"
            )
    proven = [key for key in keys if isinstance(key, bytes)]
    if any(len(key) < _SHORT for key in proven):
        warnings.warn(
            f"secret_key is shorter than {_SHORT} bytes: take one from secrets.token_hex(32)",
            CacheWarning,
            stacklevel=3,
        )
    return Sealer(proven)


def _encoded(key: str) -> bytes:
    try:
        # A variable of the environment may hold any bytes: they come as surrogates.
        return key.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # The original error would show the secret.
        raise SettingError("secret_key holds characters that no encoding has (lone surrogates)") from None


def _listed(value: Sequence[object]) -> Sequence[object]:
    if not isinstance(value, list | tuple) or not value:
        raise SettingError(
            f"secret_key takes a non-empty str, bytes or a list of them, not {_describe(value)}; "
            "leave secret_key out for an unsigned cache (an unset environment variable is the usual cause)"
        )
    return value


def _describe(value: object) -> str:
    # Never show what may be a secret of the wrong type.
    return repr(value) if value in (None, "", b"", [], ()) else type(value).__name__
