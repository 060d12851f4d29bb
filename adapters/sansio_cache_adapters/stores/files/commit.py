"""How a record enters a file store, and how one that is there is changed."""

from __future__ import annotations

import os
from collections.abc import Callable

from sansio_cache.records import INLINE_LIMIT, Item
from sansio_cache_adapters.stores.rows import Row, row_of

from . import bodies, marks
from .heads import edit, fitting
from .layout import Root

__all__ = ["commit", "exchange"]


def commit(root: Root, item: Item, *, vary_limit: int, max_bytes: int, now: float) -> tuple[bool, list[Row]]:
    """Make a record visible, if it is whole, fits, and was not dropped; and the records that it replaced.

    Whatever becomes of it, nothing stays pending.
    """
    entry = item.entry or os.urandom(16)
    try:
        fits = item.size + len(item.sealed) <= max_bytes
        body, whole = _body_of(root, entry, item) if fits else (None, False)
        if not whole:
            return False, []
        row = row_of(item, entry=entry, body=body, used=now)
        return edit(root, item.resource, item.partition, _adding(root, row, item, vary_limit, now))
    finally:
        if item.entry or item.size > INLINE_LIMIT:
            bodies.give_up(root, entry)


def _body_of(root: Root, entry: bytes, item: Item) -> tuple[bytes | None, bool]:
    """The body, where it shall lie beside its head, and whether all of it is there."""
    if not item.entry:
        body = item.body or b""
        if len(body) <= INLINE_LIMIT:
            return body, len(body) == item.size
        bodies.write_chunk(root, entry, 0, body)
        return None, True
    if item.size == 0:
        return b"", True
    if bodies.pending_size(root, entry) != item.size:
        return None, False
    return (bodies.read_pending(root, entry) if item.size <= INLINE_LIMIT else None), True


def _adding(root: Root, row: Row, item: Item, vary_limit: int, now: float) -> Callable[[list[Row]], list[Row]]:
    def change(old: list[Row]) -> list[Row]:
        # Asked under the lock that the drop takes after it has made its mark: one of the two sees the other.
        if marks.is_dropped(root, item.resource, requested_at=item.requested_at, now=now):
            return old
        if row.body is None:
            bodies.settle(root, row.entry, item)
        others = [each for each in old if each.variant != item.variant and each.purge_at > now]
        others.sort(key=lambda each: each.used, reverse=True)
        return fitting([row, *others[: vary_limit - 1]])

    return change


def exchange(
    root: Root, resource: bytes, partition: bytes, seen: set[tuple[bytes, int]], change: Callable[[Row], list[Row]]
) -> list[Row]:
    """Put something else, or nothing, in the places of the records of these variants and revs; those still there."""
    found: list[Row] = []

    def changed(old: list[Row]) -> list[Row]:
        found[:] = [row for row in old if (row.variant, row.rev) in seen]
        return [new for row in old for new in (change(row) if row in found else [row])]

    edit(root, resource, partition, changed)
    return found
