"""The error of a record that no key verifies; import it from :mod:`sansio_cache.errors`.

It has a module of its own, since it is one of itsdangerous' errors too, which making a session does not need.
"""

from __future__ import annotations

import itsdangerous

from .cache_error import CacheError, shown_url

__all__ = ["BadSignature"]


class BadSignature(CacheError, itsdangerous.BadSignature):
    """A stored record names this store and is signed, but does not verify, or lies in a foreign place.

    :ivar url: the URL that was asked for, or None where only the body was at hand. The message shows it redacted.
    :ivar key: the partition key, hexadecimal.
    :ivar reason: ``"signature"``, ``"place"`` or ``"body"``.
    """

    __module__ = "sansio_cache.errors"

    def __init__(self, url: str | None, key: str, reason: str) -> None:
        self.url = url
        self.key = key
        self.reason = reason
        shown = "this URL" if url is None else shown_url(url)
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
