"""All that looks at types: mypy, and beside it pyright and what calls it, each of which keeps one core busy.

What calls pyright goes one after another, since the first call may have to fetch it.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
QUEUES: Final = (
    (("-m", "mypy"),),
    (("-m", "pyright"), (str(HERE / "verify.py"),), ("-m", "pytest", "-q", str(HERE))),
)


def check(commands: tuple[tuple[str, ...], ...]) -> bool:
    """Whether all of them pass; says what each says."""
    passed = True
    for command in commands:
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
        print(f"{Path(command[-1]).name}:\n{done.stdout}{done.stderr}", end="", flush=True)
        passed = passed and done.returncode == 0
    return passed


def main() -> int:
    with ThreadPoolExecutor(len(QUEUES)) as pool:
        return 0 if all(list(pool.map(check, QUEUES))) else 1


if __name__ == "__main__":
    sys.exit(main())
