"""G22: an event loop is never held for long by the work of a store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from local_origin import Origin, fresh

pytestmark = pytest.mark.serial

SCRIPT = str(Path(__file__).parents[1] / "support" / "loop_watch.py")
MORE = 0.04
"""Seconds beyond what aiohttp itself takes: 10 ms of ours, and what a busy machine adds even to its calmest moments."""


def test_ten_mebibytes_hold_no_loop(kind: str, location: str, origin: Origin) -> None:
    """G22: neither while they are stored nor while they are answered from the store; the origin is in this process."""
    url = origin.on("/a", fresh(bytes(range(256)) * 40_960))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, SCRIPT, kind, location, url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    longest = json.loads(done.stdout)
    assert longest["miss"] < longest["plain"] + MORE, longest
    assert longest["hit"] < longest["plain"] + MORE, longest
