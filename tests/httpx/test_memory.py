"""A body of any size passes in bounded memory, on a miss and on a hit."""

from __future__ import annotations

from pathlib import Path

import large_body_httpx
import pytest
from large_bodies import takes_little_memory
from local_origin import Origin


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured by /proc")
@pytest.mark.parametrize("colour", ["blocking", "asyncio", "trio"])
def test_a_large_body_takes_little_memory(tmp_path: Path, origin: Origin, colour: str) -> None:
    """In a process of its own: at most 16 MiB above what a small request leaves."""
    takes_little_memory(large_body_httpx, origin, str(tmp_path / "cache"), colour, default_mib=256)
