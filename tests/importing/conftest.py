"""Caches that the other libraries wrote themselves, once for all tests and workers."""

from __future__ import annotations

import os
from pathlib import Path
from shutil import copytree

import pytest
from written_caches import Written, missing, write


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Each kind of cache of the other libraries."""
    if missing():
        pytest.skip(f"{', '.join(missing())} is not installed")
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return write(tmp_path_factory.mktemp("peers"))
    # They take seconds to write: one worker does, and each has a copy.
    of_all = tmp_path_factory.getbasetemp().parent / "peers"
    made = written_by_one(of_all)
    return Written(copytree(made.folder, tmp_path_factory.mktemp("copy") / "peers"), made.base)


def written_by_one(folder: Path) -> Written:
    """What is written there, by whichever worker comes first."""
    from filelock import FileLock

    done = folder / "base"
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists():
            folder.mkdir(exist_ok=True)
            done.write_text(write(folder).base)
        return Written(folder, done.read_text())
