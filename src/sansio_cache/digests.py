"""Digests of bodies: SHA-256, and BLAKE3 where its wheel is installed, which a record then names.

A body's chunks are hashed one by one, and its digest is that of their hashes: a large hit is as fast as that. The
signature of a head and all keys are made with SHA-256 in any case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, Final, Literal, NamedTuple

__all__ = ["NOT_INSTALLED", "OTHERS", "SHA256", "BodyDigest", "Digest", "digest_named"]

BodyDigest = Literal["sha256", "blake3"]
_Of = Callable[[bytes | memoryview], bytes]
OTHERS: Final = frozenset({"blake3"})
"""The names that a record may give beside none at all, which is SHA-256."""
NOT_INSTALLED: Final = "blake3 is not installed: pip install 'sansio-cache[blake3]'"


class Digest(NamedTuple):
    """A digest of 32 bytes.

    :ivar name: under which a record names it; ``""`` for SHA-256.
    """

    name: str
    of: _Of


def _sha256(data: bytes | memoryview) -> bytes:
    return hashlib.sha256(data).digest()


SHA256: Final = Digest("", _sha256)


def digest_named(name: str) -> Digest | None:
    """The digest that a record names, ``""`` for SHA-256; None where it is not installed.

    :param name: one of :data:`OTHERS`, or none: anyone may have written what is neither, and it must not be imported.
    """
    return _imported(name) if name in OTHERS else SHA256


@cache
def _imported(name: str) -> Digest | None:
    """By name, with the first body that needs it: most programs never do."""
    try:
        module: Any = import_module(name)
    except ImportError:
        return None
    hasher: Callable[[bytes | memoryview], Any] = getattr(module, name)

    def of(data: bytes | memoryview) -> bytes:
        value: bytes = hasher(data).digest()
        return value

    return Digest(name, of)
