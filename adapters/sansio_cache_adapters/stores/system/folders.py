"""The folder of a file store, as the system that we run on has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import SYSTEM
from .any_folder import OpenFile, is_absent, is_misplaced
from .posix import POSIX

__all__ = ["Folder", "OpenFile", "is_absent", "is_misplaced", "open_root", "runs_as_root"]

if TYPE_CHECKING or SYSTEM is POSIX:
    from .posix_folder import Folder, open_root, runs_as_root
else:
    from .windows_folder import Folder, open_root, runs_as_root
