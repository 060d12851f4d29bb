"""Serialised values: in which format one is written, and whether its signature is good."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, cast

from itsdangerous import BadSignature, Signer

from sansio_cache.errors import SettingError

from .bson import is_bson, read_bson
from .pickles import read_pickle
from .report import Reason, Skipped
from .texts import read_json, read_yaml

__all__ = ["Values"]

_SALTS: Final = (b"requests-cache", b"aiohttp-client-cache")
_SIGNATURE: Final = re.compile(rb"\.[0-9A-Za-z_-]{16,128}\Z")
_SIGNATURE_SIZE: Final = 129


def _keys(key: object) -> list[bytes]:
    if key is None:
        return []
    given = [key] if isinstance(key, str | bytes) else key
    if not isinstance(given, Sequence) or not given:
        raise SettingError("key takes the secret of the other cache as str or bytes, or a list of them, or None")
    keys = [each.encode() if isinstance(each, str) else each for each in cast("Sequence[object]", given)]
    if not all(isinstance(each, bytes) and each for each in keys):
        raise SettingError("key takes the secret of the other cache: an empty one, or one of another type, is none")
    return cast("list[bytes]", keys)


class Values:
    """Reads the values of one cache.

    :param key: its secret, or several, oldest first; None: it is not signed.
    :raises SettingError: the key is none.
    """

    def __init__(self, key: str | bytes | Sequence[str | bytes] | None) -> None:
        self._signers = [Signer(keys, salt=salt) for salt in _SALTS] if (keys := _keys(key)) else []

    def read(self, raw: object) -> object:
        """The value.

        :raises Skipped: it cannot be read, or its signature does not fit.
        """
        if not isinstance(raw, str | bytes) or not raw:
            raise Skipped(Reason.DAMAGED)
        if not self._signers:
            value, signature = _read(raw)
            if signature:
                raise Skipped(Reason.KEY_REQUIRED)
            return value
        data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
        value, signature = _read(self._unsigned(data))
        if signature:
            raise Skipped(Reason.DAMAGED)
        return value

    def _unsigned(self, data: bytes) -> bytes:
        for signer in self._signers:
            try:
                return signer.unsign(data)
            except BadSignature:
                continue
        raise Skipped(Reason.BAD_SIGNATURE if _has_signature(data) else Reason.UNSIGNED)


def _has_signature(data: bytes) -> bool:
    # A pickle ends in a full stop itself; a text that ends so ends in a quote or a brace, not in such a word.
    return _SIGNATURE.search(data[-_SIGNATURE_SIZE:]) is not None


def _read(raw: str | bytes) -> tuple[object, bool]:
    """A value, and whether a signature follows it."""
    if isinstance(raw, bytes):
        if raw[0] == 0x80:
            value, end = read_pickle(raw)
            rest = raw[end:]
            if rest and _SIGNATURE.fullmatch(rest) is None:
                raise Skipped(Reason.DAMAGED)
            return value, bool(rest)
        if is_bson(raw):
            return read_bson(raw), False
        if _has_signature(raw):
            return None, True
        try:
            raw = raw.decode()
        except UnicodeDecodeError:
            raise Skipped(Reason.DAMAGED) from None
    return (read_json(raw) if raw.lstrip()[:1] in ("{", "[") else read_yaml(raw)), False
