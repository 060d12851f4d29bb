"""How late what comes at once may come: a machine that is slow, or busy with other things, stretches every wait."""

from __future__ import annotations

from typing import Final

__all__ = ["SOON"]

SOON: Final = 12.0
"""Seconds. What is wrong waits several times as long, or for ever: a test with this bound has to see to that."""
