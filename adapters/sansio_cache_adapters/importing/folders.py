"""Folders that strangers may have written to: only plain files are read, up to a size, and no link is followed."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Final

from .report import Reason, Skipped

__all__ = ["names_in", "nested_names", "read_file"]

_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # for a pipe one would wait
    | getattr(os, "O_BINARY", 0)
)
_DIGIT: Final = re.compile(r"[0-9a-f]")


def names_in(folder: str) -> list[str]:
    """The names in a folder of what is no folder itself, in order."""
    with os.scandir(folder) as found:
        return sorted(each.name for each in found if not each.is_dir(follow_symlinks=False))


def nested_names(folder: str, depth: int) -> Iterator[str]:
    """The paths of what lies so many folders deep, each named by a hexadecimal digit, below a folder."""
    if depth == 0:
        for name in names_in(folder):
            yield os.path.join(folder, name)
        return
    with os.scandir(folder) as found:
        inner = sorted(each.name for each in found if each.is_dir(follow_symlinks=False))
    for name in inner:
        if _DIGIT.fullmatch(name):
            yield from nested_names(os.path.join(folder, name), depth - 1)


def read_file(path: str, most: int) -> bytes:
    """A whole file.

    :raises Skipped: it is none, is larger than ``most``, or cannot be read.
    """
    try:
        seen = os.lstat(path)
        if not stat.S_ISREG(seen.st_mode):
            raise Skipped(Reason.NO_FILE)
        if seen.st_size > most:
            raise Skipped(Reason.TOO_LARGE)
        fd = os.open(path, _FLAGS)
        with os.fdopen(fd, "rb") as file:
            opened = os.fstat(fd)
            # Somebody may have put another thing in its place meanwhile.
            if not stat.S_ISREG(opened.st_mode) or (opened.st_ino, opened.st_dev) != (seen.st_ino, seen.st_dev):
                raise Skipped(Reason.NO_FILE)
            data = file.read(most + 1)
    except OSError:
        raise Skipped(Reason.DAMAGED) from None
    if len(data) > most:
        raise Skipped(Reason.TOO_LARGE)
    return data
