"""The promises of a store as tests, for every store here and for those of your own.

Derive a test class, say how your store is made, and pytest runs all of them on it::

    class TestMyStore(StoreContract):
        def make_store(self, tmp_path, *, max_bytes=DEFAULT_MAX_BYTES, max_entries=None):
            return MyStore(tmp_path / "cache", max_bytes=max_bytes, max_entries=max_entries)

``records``, ``changes`` and ``bounds`` are its parts, ``opening`` makes the stores; :class:`AsyncStoreContract`
(``asynchronous``) puts the same tests to an ``AsyncStore``, on asyncio and on trio. Times begin at
the real one, since some stores count with a clock of their own; no test sleeps.
"""

from __future__ import annotations

from .asynchronous import AsyncStoreContract
from .bounds import BoundPromises
from .changes import ChangePromises
from .opening import make_item, name, put, stream
from .records import RecordPromises

__all__ = ["AsyncStoreContract", "StoreContract", "make_item", "name", "put", "stream"]


class StoreContract(RecordPromises, ChangePromises, BoundPromises):
    """The promises of every blocking store: override :meth:`make_store`.

    :cvar shared: whether two objects made on one ``tmp_path`` are one store.
    :cvar own_clock: whether the store forgets by a clock of its own (a server's), so that moving ``now``
        ahead moves nothing; the tests that need it to are skipped.
    :cvar bounded: whether the store holds ``max_bytes`` and ``max_entries`` itself; False where a server has bounds of
        its own, and the tests of them are skipped.
    """
