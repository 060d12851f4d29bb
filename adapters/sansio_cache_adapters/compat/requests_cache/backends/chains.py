"""Stored redirects with what they lead to: requests-cache shows a chain as one response."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sansio_cache.messages import REDIRECTS
from sansio_cache.records import Record
from sansio_cache.urls import join, redact

from .storage import Stored

__all__ = ["chains_of"]

_LONGEST_CHAIN: Final = 30


def chains_of(records: Iterable[Record], kept: frozenset[int]) -> list[Stored]:
    """What is stored, as requests-cache counts it: a redirect that is followed is one with what it leads to.

    :param kept: the statuses that are kept for themselves.
    """
    records = sorted(records, key=lambda each: each.head.received_at)
    hops = {_place(each): each for each in records if each.head.status in REDIRECTS - kept}
    finals = {_place(each): each for each in records if each.head.status not in REDIRECTS - kept}
    inner = {_target(each) for each in hops.values()}
    found = [Stored(_key(each), each, ()) for each in records if each.head.status not in REDIRECTS - kept]
    for place, hop in hops.items():
        chain = [hop]
        while place not in inner and len(chain) < _LONGEST_CHAIN:
            following = hops.get(_target(chain[-1]))
            if following is None:
                break
            chain.append(following)
        final = None if place in inner else finals.get(_target(chain[-1]))
        if final is not None:
            found.append(Stored(_key(hop), final, tuple(chain)))
    return sorted(found, key=_saved)


def _saved(entry: Stored) -> tuple[float, int]:
    """When a response was complete; one that came by a redirect is so after it."""
    return max(each.head.received_at for each in (entry.record, *entry.history)), len(entry.history)


def _key(record: Record) -> str:
    return record.head.partition.hex()


def _place(record: Record) -> tuple[str, str]:
    return record.head.method, record.head.url


def _target(record: Record) -> tuple[str, str]:
    location = record.headers.get("location") or ""
    return record.head.method, redact(join(record.head.url, location))
