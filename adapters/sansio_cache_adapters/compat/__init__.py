"""Caches that people come from, under their names: what a program says to them is done by ours.

Users write ``from sansio_cache.compat import requests_cache``; a program that was written for the original then runs as
it is. Each difference warns once and names the page that tells of it (``docs/howto/move-from-requests-cache.md``).

- ``requests_cache``, ``aiohttp_client_cache``: the names of these packages, module by module
- ``notes``: warnings of what is otherwise
- ``places``: where those caches lie, and what to do where one lies already
- ``times``: what they take for a time, and whose it is
- ``keys``: which requests are one to them
- ``addresses``: URLs that are one to them and two here, or the other way round

Nothing else of ours imports any of it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Final

__all__ = ["named_under"]


_CLIENTS: Final = {"requests": "requests", "urllib3": "requests", "aiohttp": "aiohttp", "yarl": "aiohttp"}
"""What is imported from elsewhere, and the extra that brings it."""


class _Finder(MetaPathFinder, Loader):
    """Gives modules of this package under the name by which users know it: the same objects."""

    def __init__(self, name: str) -> None:
        self._name = f"{name}."
        self._specs: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(self._name):
            return None
        place = f"{__name__}.{fullname.removeprefix(self._name)}"
        try:
            found = find_spec(place)
        except ModuleNotFoundError:
            return None
        return None if found is None else ModuleSpec(fullname, self, loader_state=place)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        state: str = spec.loader_state
        try:
            module = import_module(state)
        except ModuleNotFoundError as error:
            extra = _CLIENTS.get((error.name or "").partition(".")[0])
            if extra is None:
                raise
            raise ImportError(
                f"{spec.name} needs {error.name}, which is not installed: pip install 'sansio-cache[{extra}]'",
                name=error.name,
            ) from error
        self._specs[state] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has run, under its own name, which it keeps."""
        module.__spec__ = self._specs.pop(module.__name__)


def named_under(name: str) -> None:
    """Let imports find the modules of this package under another name."""
    # First: the packages have a path, by which each would be found and run a second time.
    sys.meta_path.insert(0, _Finder(name))
