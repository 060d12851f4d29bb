"""The errors of the library, as a tree.

::

    CacheError
    ├── BadSignature       a record that no key verifies, or that lies in a wrong place
    ├── BrokenRecord       a stored body that no longer matches its record
    ├── NotCached          offline=True, and nothing stored answers the request
    ├── StoreError         an error of a store; a session goes on without it
    │   ├── StoreBusy      it would have to wait: try again, elsewhere or later
    │   ├── ReadOnlyStore  it can be read where it lies, and not written to
    │   ├── ForeignStore   something else lies at its place, and is left untouched
    │   └── NoPlace        no cache was named, and there is no folder for the default one
    └── SettingError       a setting of wrong type or value, or two that contradict
        └── KeyRequired    a signed store opened without a key

:class:`BadSignature` is an ``itsdangerous.BadSignature`` too, and :class:`SettingError` a :class:`ValueError`.
Each carries its evidence as attributes. :class:`CacheWarning` is the category of all warnings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cache_error import CacheError as CacheError
from .cache_error import shown_url

if TYPE_CHECKING:
    from .bad_signature import BadSignature as BadSignature

__all__ = [
    "BadSignature",
    "BrokenRecord",
    "CacheError",
    "CacheWarning",
    "ForeignStore",
    "KeyRequired",
    "NoPlace",
    "NotCached",
    "ReadOnlyStore",
    "SettingError",
    "StoreBusy",
    "StoreError",
]


class CacheWarning(UserWarning):
    """Something that its user should change, though no request fails for it.

    A warning that is turned into an error is one where settings are given. In a request it is only logged: an answer is
    never lost for it.
    """


class BrokenRecord(CacheError):
    """A stored body is not the one that its record describes; the record has been dropped.

    :ivar reason: what does not match.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the stored body is broken ({reason}); the entry was dropped: ask again to fetch it anew")

    def __reduce__(self) -> tuple[type[BrokenRecord], tuple[str]]:
        return (type(self), (self.reason,))


class NotCached(CacheError):
    """No stored response answers the request, and ``offline`` forbids the network.

    :ivar url: the URL that was asked for. The message shows it redacted.
    :ivar why: why one that is stored does not, where something can be done about it; else ``""``.
    """

    def __init__(self, url: str, why: str = "") -> None:
        self.url = url
        self.why = why
        told = f" ({why})" if why else ""
        super().__init__(f"no stored response answers {shown_url(url)}{told}, and offline=True forbids to fetch it")

    def __reduce__(self) -> tuple[type[NotCached], tuple[str, str]]:
        return (type(self), (self.url, self.why))


class StoreError(CacheError):
    """An error of a store. Sessions never show it: they go on without the store."""


class StoreBusy(StoreError):
    """The store would have to wait for someone else's lock."""


class ReadOnlyStore(StoreError):
    """The store can be read, and not written to, where it lies. Sessions read it, and store nothing."""


class ForeignStore(StoreError):
    """Something that is not a store of ours lies at the store's place; it is left as it is."""


class NoPlace(StoreError):
    """No place was given for the cache, and the user has no folder for it."""


class SettingError(CacheError, ValueError):
    """A setting has a wrong type or value, or two settings contradict each other."""


class KeyRequired(SettingError):
    """The store is marked as signed, and no ``secret_key`` was given."""


if not TYPE_CHECKING:  # else checkers would take any name for one of ours

    def __getattr__(name: str) -> object:
        """``BadSignature``, which brings itsdangerous: a session is made without it."""
        if name != "BadSignature":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from .bad_signature import BadSignature

        return BadSignature
