"""A plugin of pytest, and a module for scripts: the machine has nothing that only POSIX has, as on Windows.

``python -m pytest -p other_system …``. To be imported before anything of ours; the implementation for Windows is chosen
then, and what of the system it needs is stood in for by what this system has.
"""

from __future__ import annotations

import asyncio  # noqa: F401 - as what follows: it is of this system, and stays so
import errno
import os
import shutil
import socketserver  # noqa: F401
import subprocess  # noqa: F401
import sys
import tempfile  # noqa: F401
from contextlib import suppress
from types import ModuleType
from typing import Any, Final

import platformdirs  # noqa: F401

MODULES: Final = ("fcntl", "grp", "pwd", "resource", "termios", "syslog")
NAMES: Final = (
    *("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_PATH"),
    *("chown", "fchdir", "fchmod", "fchown", "fork", "forkpty", "lchown", "mkfifo", "mknod", "register_at_fork"),
    *("getegid", "geteuid", "getgid", "getgroups", "setegid", "seteuid", "setgid", "setuid"),
    *("killpg", "getpgid", "getsid", "posix_fadvise", "posix_fallocate", "pread", "pwrite", "preadv", "pwritev"),
    *("fstatvfs", "statvfs", "sync", "sched_getaffinity", "wait3", "wait4", "WNOHANG"),
)
NO_DESCRIPTORS: Final = ("link", "listdir", "lstat", "mkdir", "open", "readlink", "rename", "replace", "rmdir")
NO_DESCRIPTORS_EITHER: Final = ("scandir", "stat", "symlink", "unlink", "utime")
"""What takes no ``dir_fd``, nor a descriptor in the place of a path."""


_listdir, _readlink = os.listdir, os.readlink


def without_descriptors(function: Any) -> Any:
    """A function of ``os`` that refuses what Windows refuses."""

    def call(*given: Any, **options: Any) -> Any:
        if any(options.pop(name, None) is not None for name in ("dir_fd", "src_dir_fd", "dst_dir_fd")):
            raise NotImplementedError(f"{function.__name__}: dir_fd unavailable on this platform")
        if function.__name__ != "open" and given and isinstance(given[0], int) and function.__name__ != "stat":
            raise TypeError(f"{function.__name__}: path should be string, bytes, os.PathLike or None, not int")
        return function(*given, **options)

    return call


def opened_here() -> list[str]:
    """The paths of all files that this process has open, by whichever library."""
    found: list[str] = []
    for name in _listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # another thread has closed it
            found.append(_readlink(f"/proc/self/fd/{name}"))
    return found


def refusing_what_is_open(function: Any) -> Any:
    """A function of ``os`` that ours may not use on what somebody has open, nor on a folder with such a file."""

    def call(*given: Any, **options: Any) -> Any:
        if sys._getframe(1).f_globals.get("__name__", "").startswith("sansio_cache"):
            paths = [os.path.join(os.path.realpath(os.path.dirname(each)), os.path.basename(each)) for each in given]
            for each in opened_here():
                if any(each == path or each.startswith(f"{path}/") for path in paths):
                    raise PermissionError(errno.EACCES, "The process cannot access the file: it is in use", given[0])
        return function(*given, **options)

    return call


def locking() -> ModuleType:
    """``msvcrt``, as far as bytes of a file are locked by it: the one at which the descriptor stands."""
    import fcntl

    def lock(descriptor: int, mode: int, count: int) -> None:
        kind = fcntl.LOCK_UN if mode == 0 else fcntl.LOCK_EX | fcntl.LOCK_NB
        try:
            fcntl.lockf(descriptor, kind, count, os.lseek(descriptor, 0, os.SEEK_CUR))
        except BlockingIOError as error:
            raise PermissionError(errno.EACCES, "Permission denied") from error

    module = ModuleType("msvcrt")
    vars(module).update(LK_UNLCK=0, LK_NBLCK=2, locking=lock)
    return module


def become() -> None:
    """Take away what only POSIX has, and refuse what Windows refuses."""
    sys.modules["msvcrt"] = locking()
    for module in MODULES:
        sys.modules[module] = None  # type: ignore[assignment]
    for name in NAMES:
        if hasattr(os, name):
            delattr(os, name)
    for name in (*NO_DESCRIPTORS, *NO_DESCRIPTORS_EITHER):
        setattr(os, name, without_descriptors(getattr(os, name)))
    for name in ("rename", "replace", "unlink", "remove", "rmdir"):
        setattr(os, name, refusing_what_is_open(getattr(os, name)))
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    os.supports_dir_fd.clear()
    os.supports_effective_ids.clear()
    os.supports_fd.clear()


become()
