"""A small API on a free port of 127.0.0.1, to try a cache on: that of ``sansio-cache demo --serve``."""

from __future__ import annotations

from sansio_cache_adapters.cli.demo.origin import BIG, DemoOrigin, running

__all__ = ["BIG", "DemoOrigin", "running"]
