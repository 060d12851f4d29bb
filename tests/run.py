"""Run the tests: side by side first; then, one after another, those that measure (``serial``).

run.py [--once] [what pytest takes]

Without arguments it runs what may come out differently on another Python. ``--once`` runs the rest: what measures, and
what is marked ``once``. With other arguments all is run that they choose. ``pytest`` alone runs everything, one after
another; what it takes is the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

NO_TESTS: Final = 5
"""What pytest ends with where it finds none."""
SIDE_BY_SIDE: Final = ("-n", str((os.cpu_count() or 1) + 1), "--dist", "worksteal")
"""One more than there are cores: some wait for a server, for a lock or for another process."""


def parts(arguments: list[str]) -> list[tuple[str, ...]]:
    """What to hand to pytest, one run after the other."""
    if not arguments:
        return [("-m", "not serial and not once", *SIDE_BY_SIDE)]
    beside = "not serial"
    if arguments[0] == "--once":
        beside, arguments = "once and not serial", arguments[1:]
    return [("-m", beside, *SIDE_BY_SIDE, *arguments), ("-m", "serial", *arguments)]


def main(arguments: list[str]) -> int:
    ended = [subprocess.call([sys.executable, "-m", "pytest", *part]) for part in parts(arguments)]
    failed = [status for status in ended if status not in (0, NO_TESTS)]
    return failed[0] if failed else min(ended)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
