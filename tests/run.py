"""Run the tests: side by side first; then, one after another, those that measure (``serial``).

run.py [--once] [what pytest takes]

Without arguments it runs what may come out differently on another Python. ``--once`` runs the rest: what measures, and
what is marked ``once``. With other arguments all is run that they choose. ``pytest`` alone runs everything, one after
another; what it takes is the same.

Where a handful fails of all of them, those are tried once more with nothing beside them, and what passes then is named
in the last lines: it depends on the machine or on chance, and wants to be mended. The first failure stands above.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

FAILED: Final = 1
"""What pytest ends with where tests failed, and nothing else was wrong."""
NO_TESTS: Final = 5
"""What pytest ends with where it finds none."""
HANDFUL: Final = 3
SIDE_BY_SIDE: Final = ("-n", str((os.cpu_count() or 1) + 2), "--dist", "worksteal")
"""Two more than there are cores: some wait for a server, for a lock or for another process."""

TESTS: Final = Path(__file__).resolve().parent
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


def is_compiled(file: Path) -> bool:
    """Whether a test file's assertions have been rewritten by this Python since it was changed."""
    done = file.parent.glob(f"__pycache__/{file.stem}.{sys.implementation.cache_tag}-pytest-*.pyc")
    return any(each.stat().st_mtime > file.stat().st_mtime for each in done)


def compile_for(part: tuple[str, ...], environment: dict[str, str]) -> None:
    """Import the test files of a part once, some on each core: else each worker would rewrite all their assertions.

    What cannot be imported is told by the run itself.
    """
    if sys.dont_write_bytecode:
        return
    files = [each for each in TESTS.rglob("test_*.py") if not is_compiled(each)]
    files.sort(key=lambda each: each.stat().st_size)
    cores = os.cpu_count() or 1
    shares = [files[at::cores] for at in range(cores) if files[at::cores]]
    collect = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", *part[:2])
    for each in [
        subprocess.Popen([*collect, *map(str, share)], env=environment, stdout=subprocess.DEVNULL) for share in shares
    ]:
        each.wait()


@contextmanager
def room() -> Iterator[dict[str, str]]:
    """An environment in which temporary files lie in memory, where there is enough: most tests begin a new store."""
    if not os.path.isdir(IN_MEMORY) or shutil.disk_usage(IN_MEMORY).free < ENOUGH:
        yield dict(os.environ)
        return
    with tempfile.TemporaryDirectory(prefix="sc-", dir=IN_MEMORY, ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # some tests take other users with them
        yield os.environ | {"TMPDIR": folder}


def run(part: tuple[str, ...], environment: dict[str, str], *, tries: int) -> tuple[int, list[str]]:
    """Run one part; what pytest ended with, and which tests passed only when they were tried once more."""
    with tempfile.TemporaryDirectory(prefix="sc-", ignore_cleanup_errors=True) as memory:
        pytest = (sys.executable, "-m", "pytest", "-o", f"cache_dir={memory}")
        ended = subprocess.call([*pytest, *part], env=environment)
        noted = Path(memory, "v/cache/lastfailed")
        failed = list(json.loads(noted.read_text())) if ended == FAILED and tries > 1 and noted.exists() else []
        # What has no "::" is a whole file that could not be imported.
        if not 0 < len(failed) <= HANDFUL or not all("::" in each for each in failed):
            return ended, []
        print(f"{len(failed)} failed; once more, alone:", *failed, sep="\n  ", flush=True)
        ended = subprocess.call([*pytest, "-p", "no:xdist", *failed], env=environment)
        return ended, [] if ended else failed


def main(arguments: list[str]) -> int:
    with room() as environment:
        tries = 2 if arguments in ([], ["--once"]) else 1
        if tries > 1:
            compile_for(parts(arguments)[0], environment)
        runs = [run(part, environment, tries=tries) for part in parts(arguments)]
    for each in (test for _, late in runs for test in late):
        print(f"PASSED ONLY WHEN TRIED ONCE MORE, mend it: {each}")
    failed = [ended for ended, _ in runs if ended not in (0, NO_TESTS)]
    return failed[0] if failed else min(ended for ended, _ in runs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
