"""``python -m sansio_cache``: the command line, which is an adapter like any other."""

from __future__ import annotations

from importlib import import_module

if __name__ == "__main__":
    raise SystemExit(import_module("sansio_cache_adapters.cli").main())
