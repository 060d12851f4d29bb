"""Run the tests: side by side first, one a core, then one after another those that measure (``serial``).

run.py [what pytest takes]

``pytest`` alone runs them all one after another; what it takes is the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

NO_TESTS: Final = 5
"""What pytest ends with where it finds none."""
PARTS: Final = (
    ("-m", "not serial", "-n", str(max(os.cpu_count() or 1, 2)), "--dist", "worksteal"),
    ("-m", "serial"),
)


def main(arguments: list[str]) -> int:
    ended = [subprocess.call([sys.executable, "-m", "pytest", *part, *arguments]) for part in PARTS]
    failed = [status for status in ended if status not in (0, NO_TESTS)]
    return failed[0] if failed else min(ended)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
