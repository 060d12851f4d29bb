"""URLs that other caches take for one and ours for two, or the other way round: of these a program is told."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from sansio_cache.urls import redact

from .notes import Peer

__all__ = ["tell_of_url"]

_SPACES: Final = {"+", "%20"}
_seen: dict[str, set[str]] = {}
"""The spellings of a space in the queries of a program, by the name of the cache that it was written for."""


def tell_of_url(peer: Peer, url: str) -> None:
    """Warn of what is in a URL that makes a difference."""
    whole, _, fragment = url.partition("#")
    if fragment:
        peer.differs("urls", "a fragment (#…) is no part of a stored response: whatever it is, the response is one")
    before, _, query = whole.partition("?")
    if "//" in before.partition("://")[2]:
        peer.differs("urls", "a path with // in it is another one than that with /")
    if query:
        _tell_of_query(peer, query)
    # Quick for the most: those who have nothing to hide are given back as they are.
    shown = redact(whole)
    if shown is not whole and _values(shown) != _values(whole):
        peer.differs("redacted", "what looks secret in a URL is replaced by REDACTED in the cache")


def _tell_of_query(peer: Peer, query: str) -> None:
    if any(pair.endswith("=") and pair.count("=") == 1 and len(pair) > 1 for pair in query.split("&")):
        peer.differs("urls", "a parameter without a value (?name=) is not the same as none, or as ?name")
    seen = _seen.setdefault(peer.name, set())
    if len(seen) < len(_SPACES):
        seen.update(space for space in _SPACES if space in query)
        if len(seen) == len(_SPACES):
            peer.differs("urls", "a space that is written + in one URL and %20 in another makes two of them")


def _values(url: str) -> tuple[str, list[tuple[str, str]]]:
    parts = urlsplit(url)
    return parts.path or "/", parse_qsl(parts.query)
