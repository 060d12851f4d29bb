"""The report on a cache that was moved: how many entries were stored, and why others were not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Progress", "Reason", "Report", "Skipped"]

Progress = Callable[[int, int], object]
"""Called with the number of entries that were looked at, and with how many there are."""


class Reason(StrEnum):
    """Why an entry is not imported. Beside these there are the words of Cache-Status, such as ``vary``."""

    ALREADY_THERE = "already-there"
    """The target has a response to the same request that is as new or newer."""
    SUPERSEDED = "superseded"
    """The source has another response to the same request that is newer."""
    REDACTED = "redacted"
    """The other cache has replaced parts of the key: the request is not known."""
    BODY_UNKNOWN = "request-body-unknown"
    """The other cache does not keep the body of a POST: the request is not known."""
    ASKER_UNKNOWN = "asker-unknown"
    """The other cache does not keep what a request has said of itself: the answer may be one user's alone."""
    URL_UNKNOWN = "url-unknown"
    """The other cache keeps a digest in the place of the URL, and no URL that was given has it."""
    REMOVED = "removed"
    """The other cache has given it up already."""
    BAD_SIGNATURE = "bad-signature"
    """The key does not verify it."""
    KEY_REQUIRED = "key-required"
    """It is signed, and no key was given."""
    UNSIGNED = "unsigned"
    """It is not signed, and a key was given."""
    NOT_DATA = "not-data"
    """To read it one would have to run it."""
    DAMAGED = "damaged"
    """It cannot be read, or is none of what that cache writes."""
    INCOMPLETE = "incomplete"
    """Its body is shorter or longer than it says."""
    TOO_LARGE = "too-large"
    """It is larger than what the target keeps, or than anything that is read."""
    NO_FILE = "no-file"
    """A link, a pipe or a folder lies where an entry should be."""
    NEEDS_LIBRARY = "needs-library"
    """It is YAML, and PyYAML is not installed."""
    BOUND = "bound-to-its-store"
    """It belongs to one of several users, or is one of several that Vary selects, and the target has kept other
    responses before: it would never be found there."""
    NOT_HTTP = "not-http"
    """Its URL is none of HTTP."""


class Skipped(Exception):
    """An entry is not imported.

    :ivar reason: one of :class:`Reason`, or a word of Cache-Status.
    """

    def __init__(self, reason: str) -> None:
        self.reason = str(reason)
        super().__init__(self.reason)


def _counts() -> dict[str, int]:
    return {}


@dataclass
class Report:
    """How many entries were moved, and how many were not.

    :ivar imported: how many were stored; in a dry run, how many would be.
    :ivar skipped: how many were not, by reason; the words are those of :class:`Reason` and of Cache-Status.
    """

    imported: int = 0
    skipped: dict[str, int] = field(default_factory=_counts)

    @property
    def total(self) -> int:
        """How many entries there were."""
        return self.imported + sum(self.skipped.values())

    def skip(self, reason: str) -> None:
        """Count one that is not imported."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1
