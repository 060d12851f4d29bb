"""A file system of a few megabytes, mounted for one process of a test where the system lets us."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["FILL", "run_on_small_disk"]

FILL = """
def fill(path):
    junk = os.open(path, os.O_WRONLY | os.O_CREAT)
    for size in (65536, 4096, 1):
        try:
            while True:
                os.write(junk, b"x" * size)
        except OSError:
            pass
    os.close(junk)
"""
"""A function for the script: takes all room that is left."""


def run_on_small_disk(place: Path, script: str, *arguments: str, size: str = "1m") -> None:
    """Run a script of Python to its end with a file system of its own at ``place``, or skip the test."""
    unshare = shutil.which("unshare")
    mount = f"mount -t tmpfs -o size={size} none {shlex.quote(str(place))}"
    command = [unshare or "unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if unshare is None or subprocess.run([*command, mount], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here; other tests write against a limit instead")
    words = shlex.join([sys.executable, "-c", FILL + script, *arguments])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([*command, f"{mount} && exec {words}"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
