"""Pytest plugin: ``requests_cache`` and ``aiohttp_client_cache`` are the names of ``sansio_cache.compat``."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

NAMES = ("requests_cache", "aiohttp_client_cache")


class Alias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """``requests_cache.a.b`` is ``sansio_cache.compat.requests_cache.a.b``, the same module."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self) if name.partition(".")[0] in NAMES else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(f"sansio_cache.compat.{module.__name__}")


sys.meta_path.insert(0, Alias())
