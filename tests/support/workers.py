"""What other processes do for a test: plain functions that any of them can import."""

from __future__ import annotations

from typing import Any

__all__ = ["ask"]


def ask(session: Any, url: str, results: Any) -> None:
    """Tell through a queue what a session that was handed over answers."""
    with session:
        response = session.get(url)
        results.put((response.from_cache, response.content))
