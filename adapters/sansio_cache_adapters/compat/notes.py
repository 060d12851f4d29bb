"""What is otherwise here than in the cache that a program was written for: said once, with the page that tells more."""

from __future__ import annotations

from typing import Final

from sansio_cache.errors import CacheWarning
from sansio_cache_adapters.cache.notices import warn_once

__all__ = ["AIOHTTP_CLIENT_CACHE", "REQUESTS_CACHE", "DifferenceWarning", "Peer"]


class DifferenceWarning(CacheWarning):
    """Something that the cache that a program was written for does in another way."""


class Peer:
    """A cache that people come from.

    :param name: of its package.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.page = f"docs/howto/move-from-{name}.md"

    def differs(self, anchor: str, what: str) -> None:
        """Warn once of a difference; never raises.

        :param anchor: of the page's row that tells of it.
        """
        warn_once(self._said(anchor, what), DifferenceWarning)

    def refusal(self, anchor: str, what: str, kind: type[Exception] = NotImplementedError) -> Exception:
        """The error of something that is not there, by design or for now."""
        return kind(self._said(anchor, what))

    def _said(self, anchor: str, what: str) -> str:
        return f"{self.name}: {what} (see {self.page}#{anchor})"


REQUESTS_CACHE: Final = Peer("requests-cache")
AIOHTTP_CLIENT_CACHE: Final = Peer("aiohttp-client-cache")
