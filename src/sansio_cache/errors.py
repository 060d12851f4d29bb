"""The errors of the library, as a tree.

::

    CacheError
    ├── BadSignature      a record of this store that no key verifies, or that lies where it does not belong (also an
    │                     ``itsdangerous.BadSignature``)
    ├── BrokenRecord      a stored body that no longer matches its record
    ├── NotCached         ``offline``: nothing stored answers the request
    ├── StoreError        what a store could not do; a session goes on without it
    │   ├── StoreBusy     it would have to wait: try again, elsewhere or later
    │   ├── ReadOnlyStore it can be read where it lies, and not written to
    │   ├── ForeignStore  the place holds something that is not ours; it is left untouched
    │   └── NoPlace       there is no folder for the cache that nobody named
    └── SettingError      a setting of wrong type or value, or two that contradict each other (a ``ValueError``)
        └── KeyRequired   a signed store opened without a key

Each carries its evidence as attributes. :class:`CacheWarning` is the category of all warnings.
"""

from __future__ import annotations

import itsdangerous

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


class CacheError(Exception):
    """The root of every error that this library raises on its own account."""


class BadSignature(CacheError, itsdangerous.BadSignature):
    """A stored record names this store and is signed, but does not verify, or lies in a foreign place.

    :ivar url: the URL that was asked for, or None where only the body was at hand. The message shows it redacted.
    :ivar key: the partition key, hexadecimal.
    :ivar reason: ``"signature"``, ``"place"`` or ``"body"``.
    """

    def __init__(self, url: str | None, key: str, reason: str) -> None:
        self.url = url
        self.key = key
        self.reason = reason
        shown = "this URL" if url is None else _shown(url)
        super().__init__(f"the stored response for {shown} (key {key[:16]}…) {_FOUND[reason]}.\n{_WAYS_OUT}")

    def __reduce__(self) -> tuple[type[BadSignature], tuple[str | None, str, str]]:
        return (type(self), (self.url, self.key, self.reason))


_FOUND = {
    "signature": "carries a signature that no given key verifies",
    "place": "was signed for another place than the one it lies in",
    "body": "has a body that differs from the signed one",
}
_WAYS_OUT = (
    "After a change of the secret give both: secret_key=[old, new]. Else the store was altered: force_refresh=True "
    'fetches anew, session.cache.delete(urls=[...]) removes the entry, on_bad_signature="miss" ignores such records.'
)


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
        super().__init__(f"no stored response answers {_shown(url)}{told}, and offline=True forbids to fetch it")

    def __reduce__(self) -> tuple[type[NotCached], tuple[str, str]]:
        return (type(self), (self.url, self.why))


class StoreError(CacheError):
    """What a store could not do. Sessions never show it: they go on without the store."""


class StoreBusy(StoreError):
    """The store would have to wait for someone else's lock."""


class ReadOnlyStore(StoreError):
    """The store can be read, and not written to, where it lies. Sessions read it, and store nothing."""


class ForeignStore(StoreError):
    """What lies at the store's place is not a store of ours; it is left as it is."""


class NoPlace(StoreError):
    """No place was given for the cache, and the user has no folder for it."""


class SettingError(CacheError, ValueError):
    """A setting has a wrong type or value, or two settings contradict each other."""


class KeyRequired(SettingError):
    """The store is marked as signed, and no ``secret_key`` was given."""


def _shown(url: str) -> str:
    # Every module knows the errors; what looks into URLs is needed for one that is raised.
    from .urls import redact

    return redact(url)
