"""Modules under the names that they had before each client and store got a folder: ``httpx_transports`` and the like.

Programs that import from those go on to work; nothing of ours does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder

    class _Imports(MetaPathFinder, Loader): ...

else:
    # Their classes are not needed here, and importing them takes longer than all of this.
    _Imports = object

__all__ = ["find_moved_modules"]

_PACKAGE: Final = "sansio_cache_adapters"
_RENAMED: Final = {
    "guard": "cache.circuit_breaker",
    "hop": "cache.exchange",
    "moments": "cache.response_attributes",
    "stores.base": "stores.protocol",
}


def _places(name: str) -> list[str]:
    """Where a module may be now: ``trio_pool`` in ``trio`` or ``trio.http``, ``events`` in ``cache``."""
    folder, dot, module = name.rpartition(".")
    first, _, rest = module.partition("_")
    rest = "fast_path" if rest == "fast" else rest
    if name in _RENAMED:
        return [_RENAMED[name]]
    if not rest:
        return [] if folder else [f"cache.{module}"]
    return [f"{folder}{dot}{first}.{rest}", f"{folder}{dot}{first}.http.{rest}"]


class _MovedFinder(_Imports):
    """Comes last, so that it is asked only for modules that are not found elsewhere."""

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != _PACKAGE or not name or name.count(".") > name.startswith("stores."):
            return None
        from importlib.util import find_spec

        for place in _places(name):
            try:
                found = find_spec(f"{_PACKAGE}.{place}")
            except ModuleNotFoundError:
                continue
            if found is not None:
                return ModuleSpec(fullname, self, loader_state=f"{_PACKAGE}.{place}")
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        state: str = spec.loader_state
        module = import_module(state)
        self._specs[state] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has run, under its own name, which it keeps."""
        module.__spec__ = self._specs.pop(module.__name__)


def find_moved_modules() -> None:
    """Let imports find modules under their former names."""
    sys.meta_path.append(_MovedFinder())
