"""BLAKE3 as where its wheel is not installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import pytest

from sansio_cache import digests

__all__ = ["NEEDS_BLAKE3", "without_blake3"]

NEEDS_BLAKE3 = pytest.mark.skipif(find_spec("blake3") is None, reason="blake3 is not installed")


@contextmanager
def without_blake3() -> Iterator[None]:
    """Within it, importing blake3 fails, also where it was imported before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "blake3", None)
        digests._imported.cache_clear()
        try:
            yield
        finally:
            digests._imported.cache_clear()
