"""Public suffixes: names such as ``co.uk`` and ``github.io``, below which strangers live side by side.

The list is Mozilla's, as the package ``publicsuffixlist`` keeps it. It takes 50 ms to read, so that is done once, by a
thread, and only when an origin wants a cookie to go to other hosts than its own.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from typing import Any, Final

from anyio import to_thread

__all__ = ["is_public_suffix", "load_suffixes"]

logger: Final = logging.getLogger("sansio_cache")


@cache
def _suffixes() -> Any:
    try:
        module = import_module("publicsuffixlist")
    except ImportError:
        logger.warning(
            "publicsuffixlist is not installed, so that no cookie goes to another host than it came from: "
            "pip install 'sansio-cache[trio]'"
        )
        return None
    return module.PublicSuffixList()


async def load_suffixes() -> None:
    """Read the list without holding up the loop, if it has not been read yet."""
    if not _suffixes.cache_info().currsize:
        await to_thread.run_sync(_suffixes, abandon_on_cancel=True)


def is_public_suffix(domain: str) -> bool:
    """Whether strangers may register a name below this one, in lower case; True where that is not known."""
    suffixes = _suffixes()
    return suffixes is None or bool(suffixes.is_public(domain))
