"""A store over a table of names: the contract over a dict, and a table that is not well."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sansio_cache import SettingError, StoreError
from sansio_cache.testing import StoreContract, make_item, put
from sansio_cache_adapters.stores.base import DEFAULT_MAX_BYTES
from sansio_cache_adapters.stores.table import TableStore


class Names:
    """A table in memory, rolled back as a whole."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.trouble: Exception | None = None
        self.depth = 0

    @contextmanager
    def transaction(self) -> Generator[None]:
        assert self.depth == 0, "transactions are not nested"
        before, self.depth = dict(self.values), 1
        try:
            yield
        except BaseException:
            self.values = before
            raise
        finally:
            self.depth = 0

    def find(self, start: str) -> dict[str, bytes]:
        return {name: self.values[name] for name in sorted(self.values) if name.startswith(start)}

    def put(self, name: str, value: bytes) -> None:
        assert name.isascii()
        assert len(name) <= 150
        if self.trouble:
            raise self.trouble
        self.values[name] = value

    def delete(self, name: str) -> None:
        self.values.pop(name, None)

    def close(self) -> None:
        pass


class TestTableStore(StoreContract):
    shared = False

    def make_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> TableStore:
        return TableStore(Names(), location="names", max_bytes=max_bytes, max_entries=max_entries)


def test_trouble_of_the_table() -> None:
    """G20: what the table raises is a StoreError that names the place, and nothing was changed."""
    now = 1_000_000.0
    table = Names()
    store = TableStore(table, location="names", errors=(LookupError,))
    store.open(signed=True)
    put(store, make_item("one", now=now), now=now)
    before = dict(table.values)
    table.trouble = KeyError("lost")
    with pytest.raises(StoreError, match="names: 'lost'"):
        store.commit(make_item("two", now=now), vary_limit=32, now=now)
    store.release(b"p" * 32, b"t" * 16)
    assert table.values == before
    table.trouble = ValueError("a mistake, not trouble")
    with pytest.raises(ValueError, match="a mistake"):
        store.commit(make_item("two", now=now), vary_limit=32, now=now)
    table.trouble = None
    assert store.commit(make_item("two", now=now), vary_limit=32, now=now)


def test_bounds_are_checked() -> None:
    with pytest.raises(SettingError, match="max_bytes"):
        TableStore(Names(), location="names", max_bytes=0)
