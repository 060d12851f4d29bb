"""The operating system, where one differs from another: two implementations behind one interface.

``posix``, and ``windows`` where that differs, answer for the files of a SQLite store (``SYSTEM``),
``posix_folder`` (with ``exchanging``) and ``windows_folder``, built on ``any_folder``, for the folder of a file store
(``folders``). Beside these only ``stores/byte_locks`` names what only one system has. They are chosen by what there
is (``fcntl``), not by a system's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["SYSTEM"]

if TYPE_CHECKING:
    from .posix import POSIX as SYSTEM
else:
    try:
        import fcntl  # noqa: F401 - whether there is one
    except ImportError:
        from .windows import WINDOWS as SYSTEM
    else:
        from .posix import POSIX as SYSTEM
