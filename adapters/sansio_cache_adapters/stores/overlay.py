"""Queued writes, laid over the records of the store, so that a process sees its own writes before they are done."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sansio_cache.records import Item, Stored

from .protocol import Listed, Seen, Store

__all__ = ["Layer", "Overlay", "laid_over"]

_REMEMBERED: Final = 4096


@dataclass(slots=True, eq=False)
class Layer:
    """One queued change of a partition. It is not changed any more: a frozen one takes four times as long to make.

    :ivar stored: the record as it will be, under a ``rev`` of ours below 0; None for one that goes.
    :ivar variant: of a record that is committed; None for a change of one that is there.
    :ivar replaces: the ``rev`` of the record that is changed, and the mark of its head where that ``rev`` is ours.
    """

    partition: bytes
    stored: Stored | None
    variant: bytes | None = None
    replaces: int = 0
    replaces_mark: bytes | None = None


class Overlay:
    """The layers of all partitions. The store's own ``rev`` of a queued record is learnt when it is asked for."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._layers: dict[bytes, tuple[Layer, ...]] = {}
        self._revs = itertools.count(-1, -1)
        self._ours: OrderedDict[int, tuple[bytes, bytes]] = OrderedDict()
        self.entries: set[bytes] = set()

    def of(self, partition: bytes) -> tuple[Layer, ...]:
        """The layers of a partition. Ask before reading the store: a layer goes when it is written."""
        return self._layers.get(partition, ())

    def commit(self, item: Item) -> Layer:
        """A record queued to be committed."""
        partition, variant = item.partition, item.variant
        stored = Stored(item.sealed, item.body, item.entry, self._new_rev(partition, item.sealed))
        layer = Layer(partition, stored, variant)
        with self._lock:
            there = self._layers.get(partition)
            others = [each for each in there if each.variant != variant] if there else ()
            self._layers[partition] = (*others, layer)
            self.entries.add(item.entry)
        return layer

    def change(self, seen: Seen | Listed, sealed: bytes | None) -> Layer:
        """A record queued to get another sealed head, or to be removed."""
        partition, rev = seen.partition, seen.rev
        new = None if sealed is None else Stored(sealed, None, b"", self._new_rev(partition, sealed))
        layer = Layer(partition, new, replaces=rev, replaces_mark=self._mark_of(rev))
        with self._lock:
            self._layers[partition] = (*self.of(partition), layer)
        return layer

    def remove(self, layer: Layer) -> None:
        """A layer was written, or never will be."""
        with self._lock:
            left = tuple([each for each in self._layers.get(layer.partition, ()) if each is not layer])
            if left:
                self._layers[layer.partition] = left
            else:
                self._layers.pop(layer.partition, None)
            if layer.variant is not None and layer.stored is not None:
                self.entries.discard(layer.stored.entry)

    def _new_rev(self, partition: bytes, sealed: bytes) -> int:
        rev = next(self._revs)
        with self._lock:
            self._ours[rev] = (partition, _mark(sealed))
            if len(self._ours) > _REMEMBERED:
                self._ours.popitem(last=False)
        return rev

    def _mark_of(self, rev: int) -> bytes | None:
        ours = self._ours.get(rev)
        return None if ours is None else ours[1]

    def real_rev(self, rev: int, store: Store) -> int:
        """The store's ``rev`` of a record that is known by this one; call it when what made it was written."""
        ours = self._ours.get(rev)
        if ours is None:
            return rev
        partition, mark = ours
        return next((each.rev for each in store.load(partition) if _mark(each.sealed) == mark), rev)


def _mark(sealed: object) -> bytes:
    """A short digest of a sealed head: thousands of them are kept."""
    # A store that others can write to may hold values of any type.
    return hashlib.sha256(sealed).digest() if isinstance(sealed, bytes) else b""


def laid_over(rows: Sequence[Stored], layers: tuple[Layer, ...]) -> list[Stored]:
    """The records of a partition as they will be when its layers are written."""
    result = list(rows)
    for layer in layers:
        if layer.variant is None:
            result = [new for row in result if (new := _changed(row, layer)) is not None]
        elif layer.stored is not None and all(row.sealed != layer.stored.sealed for row in result):
            result.append(layer.stored)
    return result


def _changed(row: Stored, layer: Layer) -> Stored | None:
    if row.rev != layer.replaces and (layer.replaces_mark is None or _mark(row.sealed) != layer.replaces_mark):
        return row
    return None if layer.stored is None else row._replace(sealed=layer.stored.sealed, rev=layer.stored.rev)
