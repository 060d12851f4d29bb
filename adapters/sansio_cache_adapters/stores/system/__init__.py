"""The operating system, where one differs from another: two implementations behind one interface.

``protocol`` says what a store asks for; ``posix`` and ``windows`` answer for the files of a SQLite store,
``posix_folder`` (with ``exchanging``) and ``windows_folder`` for the folder of a file store. Nothing else in the
adapters names what only one system has, save ``stores/byte_locks``. Chosen by what there is (``fcntl``), not by a
system's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .protocol import File, System, is_absent, is_misplaced

__all__ = ["SYSTEM", "File", "Folder", "System", "is_absent", "is_misplaced", "open_root", "runs_as_root"]

if TYPE_CHECKING:
    from .posix import POSIX as SYSTEM
    from .posix_folder import Folder, open_root, runs_as_root
else:
    try:
        import fcntl  # noqa: F401 - whether there is one
    except ImportError:
        from .windows import WINDOWS as SYSTEM
        from .windows_folder import Folder, open_root, runs_as_root
    else:
        from .posix import POSIX as SYSTEM
        from .posix_folder import Folder, open_root, runs_as_root
