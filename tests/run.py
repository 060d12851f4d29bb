"""Run the tests: side by side first; then, one after another, those that measure (``serial``).

run.py [--once] [what pytest takes]

Without arguments it runs what may come out differently on another Python. ``--once`` runs the rest: what measures, and
what is marked ``once``. With other arguments all is run that they choose. ``pytest`` alone runs everything, one after
another; what it takes is the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

NO_TESTS: Final = 5
"""What pytest ends with where it finds none."""
SIDE_BY_SIDE: Final = ("-n", str((os.cpu_count() or 1) + 1), "--dist", "worksteal")
"""One more than there are cores: some wait for a server, for a lock or for another process."""

IN_MEMORY: Final = "/dev/shm"
ENOUGH: Final = 3 * 2**30
"""Bytes: several times what all tests leave."""


def parts(arguments: list[str]) -> list[tuple[str, ...]]:
    """What to hand to pytest, one run after the other."""
    if not arguments:
        return [("-m", "not serial and not once", *SIDE_BY_SIDE)]
    beside = "not serial"
    if arguments[0] == "--once":
        beside, arguments = "once and not serial", arguments[1:]
    return [("-m", beside, *SIDE_BY_SIDE, *arguments), ("-m", "serial", *arguments)]


@contextmanager
def room() -> Iterator[dict[str, str]]:
    """An environment in which temporary files lie in memory, where there is enough: most tests begin a new store."""
    if not os.path.isdir(IN_MEMORY) or shutil.disk_usage(IN_MEMORY).free < ENOUGH:
        yield dict(os.environ)
        return
    with tempfile.TemporaryDirectory(prefix="sc-", dir=IN_MEMORY, ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # some tests take other users with them
        yield os.environ | {"TMPDIR": folder}


def main(arguments: list[str]) -> int:
    with room() as environment:
        ended = [subprocess.call([sys.executable, "-m", "pytest", *part], env=environment) for part in parts(arguments)]
    failed = [status for status in ended if status not in (0, NO_TESTS)]
    return failed[0] if failed else min(ended)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
