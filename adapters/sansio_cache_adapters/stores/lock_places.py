"""Where a lock file lies: at a path, or below a folder that is open."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .system.any_folder import AnyFolder

__all__ = ["AtPath", "InFolder", "LockPlace", "beside"]


class LockPlace(Protocol):
    """Where a lock file lies."""

    def look(self) -> os.stat_result | None:
        """The status of the file there now, links not followed; None where there is none."""
        ...

    def open(self, flags: int) -> int:
        """A descriptor of it."""
        ...


class AtPath:
    """A lock file at a path."""

    def __init__(self, path: str) -> None:
        self._path = path

    def look(self) -> os.stat_result | None:
        """See :class:`LockPlace`."""
        try:
            return os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, flags: int) -> int:
        """See :class:`LockPlace`."""
        return os.open(self._path, flags, 0o600)


class InFolder:
    """A lock file below an open folder, wherever that may be moved."""

    def __init__(self, folder: Callable[[], AnyFolder | None], name: str) -> None:
        self._folder = folder
        self._name = name

    def _opened(self) -> AnyFolder:
        folder = self._folder()
        if folder is None:
            raise FileNotFoundError(errno.ENOENT, "the folder is not open", self._name)
        return folder

    def look(self) -> os.stat_result | None:
        """See :class:`LockPlace`."""
        return self._opened().look(self._name)

    def open(self, flags: int) -> int:
        """See :class:`LockPlace`."""
        return self._opened().open(self._name, flags)


def beside(path: str) -> AtPath:
    """A lock file beside the file to which a path leads."""
    return AtPath(f"{os.path.realpath(path)}-lock")
