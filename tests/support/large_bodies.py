"""A body of any size, through a client in a process of its own, and the bound that its memory keeps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

from local_origin import Origin, Reply, Seen

__all__ = ["takes_little_memory"]

MIB = 1024**2
ALLOWED = 16 * MIB


def pieces(size: int) -> Iterator[bytes]:
    """A body of so many bytes, no two MiB of it the same."""
    block = os.urandom(MIB)
    for number in range(size // MIB):
        yield number.to_bytes(8, "big") + block[8:]


def takes_little_memory(child: ModuleType, origin: Origin, *arguments: str, default_mib: int) -> None:
    """Run a child on one large URL: at most 16 MiB above what a small request leaves, on the miss and on the hit.

    ``SANSIO_CACHE_LARGE_BODY_MIB`` asks for another size: 1 GiB takes 10 to 20 s, and as much of the disk.
    """
    size = int(os.environ.get("SANSIO_CACHE_LARGE_BODY_MIB", str(default_mib))) * MIB

    def answer(seen: Seen) -> Reply:
        fields = {"Cache-Control": "max-age=3600"}
        if seen.target.endswith("small"):
            return Reply(b"small", fields=fields)
        return Reply(pieces(size), fields=fields, length=size)

    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(child.__file__), origin.on("/large", answer), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [(each["from_cache"], each["length"]) for each in told] == [(False, size), (True, size)]
    assert origin.count() == 2
    for which, figures in zip(("miss", "hit"), told, strict=True):
        assert figures["above"] <= ALLOWED, f"{which}: {figures['above'] / MIB:.1f} MiB"
