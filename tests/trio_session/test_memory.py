"""A body of any size passes in bounded memory, on a miss and on a hit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import large_body_trio
import pytest
from local_origin import Origin, Reply, Seen

MIB = 1024**2
SIZE = int(os.environ.get("SANSIO_CACHE_LARGE_BODY_MIB", "256")) * MIB
"""1 GiB takes 10 s and as much of the disk: SANSIO_CACHE_LARGE_BODY_MIB=1024 asks for it."""
ALLOWED = 16 * MIB


def pieces(size: int) -> Iterator[bytes]:
    block = os.urandom(MIB)
    for number in range(size // MIB):
        yield number.to_bytes(8, "big") + block[8:]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured by /proc")
def test_a_large_body_takes_little_memory(tmp_path: Path, origin: Origin) -> None:
    """In a process of its own: at most 16 MiB above what a small request leaves."""

    def answer(seen: Seen) -> Reply:
        fields = {"Cache-Control": "max-age=3600"}
        if seen.target.endswith("small"):
            return Reply(b"small", fields=fields)
        return Reply(pieces(SIZE), fields=fields, length=SIZE)

    url = origin.on("/large", answer)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, large_body_trio.__file__, url, str(tmp_path / "cache")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [(each["from_cache"], each["length"]) for each in told] == [(False, SIZE), (True, SIZE)]
    assert origin.count() == 2
    for which, figures in zip(("miss", "hit"), told, strict=True):
        assert figures["above"] <= ALLOWED, f"{which}: {figures['above'] / MIB:.1f} MiB"
