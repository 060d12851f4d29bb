"""Workers for the jobs that finalizers leave.

A finalizer runs wherever the collector happens to: in the midst of a commit, of ``Thread.start``, of the very method
whose lock it would need. So it rings or leaves a job, and goes: it waits for nothing, joins nothing and closes nothing.
"""

from __future__ import annotations

import sys
from typing import Final

from .worker import Worker

__all__ = ["CLOSING", "RELEASING", "is_closing"]


def is_closing() -> bool:
    """Whether a generator or coroutine is being closed, and its ``finally`` run: perhaps by the collector."""
    return isinstance(sys.exception(), GeneratorExit)


RELEASING: Final = Worker(rests=True)
"""Short jobs: those who wait for what was dropped are set free."""
CLOSING: Final = Worker(rests=True, drains=True)
"""Jobs that may take their time: files and connections are closed."""
