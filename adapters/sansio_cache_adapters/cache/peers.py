"""Descriptions of the peer of a client: one spelling for all clients, since it is part of the key.

A description is a set of parts, ``name=value`` or a word, in one order; the default peer's is empty. It is held in
memory only: a store keeps its HMAC. Values that may be secret are hashed here all the same.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable

from sansio_cache.urls import origin

__all__ = ["basic", "described", "hashed", "part", "proxied"]


def part(name: str, value: object) -> str:
    """A part of a description; none where the value is None."""
    if value is None:
        return ""
    return f"{name}={str(value).replace('%', '%25').replace(';', '%3B')}"


def described(parts: Iterable[str]) -> str:
    """The description that parts make, in whatever order they come; empty ones and repeats say nothing."""
    return ";".join(sorted({each for each in parts if each}))


def hashed(*values: str) -> str:
    """A digest that stands for values that may be secret."""
    digest = hashlib.sha256()
    for value in values:
        data = value.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def basic(user: str, password: str) -> str:
    """The credentials of the Basic scheme (RFC 7617)."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")


def proxied(url: str, fields: Iterable[tuple[str, str]] = ()) -> str:
    """The part for a proxy that sees a request, and may answer it by who asks.

    :param fields: what the proxy is sent beside the request: its credentials.
    """
    said = sorted(f"{name.lower()}:{value}" for name, value in fields)
    return part("proxy", hashed(origin(url), *said))
