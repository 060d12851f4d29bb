"""Sessions under other schedulers than those of asyncio and trio: what docs/topics/platforms.md says works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from local_origin import Origin, fresh

SCRIPT = Path(__file__).parents[1] / "support" / "other_loops.py"


@pytest.mark.parametrize("kind", ["gevent", "uvloop", "eager", "running", "forkserver", "spawn"])
def test_a_session_hits_there(kind: str, origin: Origin, tmp_path: Path) -> None:
    if kind in ("gevent", "uvloop"):
        pytest.importorskip(kind)
    if kind == "eager" and sys.version_info < (3, 12):
        pytest.skip("Python 3.12 has the first eager tasks")
    url = origin.on("/a", fresh(b"a" * 100_000))
    done = subprocess.run(
        [sys.executable, str(SCRIPT), kind, str(tmp_path), url], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.stdout == "works\n", done.stderr
