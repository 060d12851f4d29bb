"""Which connections are authenticated (NTLM, Negotiate), as far as a client's pools show: nothing they bring is kept.

The pool chooses the connection for a request. So from the first sign on, all responses of that origin through that pool
count as its user's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from weakref import WeakKeyDictionary

from sansio_cache.connection_auth import CONNECTION_AUTH, ConnectionAuth, said_by_request, said_by_response
from sansio_cache.messages import Headers, Request, headers_of
from sansio_cache.urls import origin

__all__ = ["authenticated"]

_EVERYWHERE: Final = ""
_MOST: Final = 1024
"""Origins of a pool; with more, all of the pool counts."""


class _Authenticated:
    def __init__(self) -> None:
        self._marked: WeakKeyDictionary[object, set[str]] = WeakKeyDictionary()
        self._nameless: set[str] = set()
        self._any = False

    def sends(self, pool: object, request: Request) -> None:
        """To be called before a request goes out."""
        said = said_by_request(request.headers)
        if said is not ConnectionAuth.NOTHING:
            self._note(pool, request.url, said)

    def bypassed(self, pool: object, url: str, fields: Iterable[tuple[Any, Any]]) -> None:
        """To be called with a request that went by the cache and may have had an effect on the pool all the same."""
        self._note(pool, url, said_by_request(headers_of(fields)))

    def why_not_kept(self, pool: object, request: Request, status: int, headers: Headers) -> str:
        """Why nothing of an answer may be kept, once its head is there; ``""`` where it may."""
        said = said_by_response(status, headers)
        if said is not ConnectionAuth.NOTHING:
            self._note(pool, request.url, said)
            return CONNECTION_AUTH
        marked = self._of(pool) if self._any else None
        if marked and (_EVERYWHERE in marked or origin(request.url) in marked):
            return CONNECTION_AUTH
        return ""

    def _note(self, pool: object, url: str, said: ConnectionAuth) -> None:
        if said in (ConnectionAuth.NOTHING, ConnectionAuth.OFFERED):
            return
        marked = self._of(pool)
        if marked is None:
            marked = self._marked.setdefault(pool, set())
        self._any = True
        marked.add(_EVERYWHERE if said is ConnectionAuth.BY_PROXY or len(marked) >= _MOST else origin(url))

    def _of(self, pool: object) -> set[str] | None:
        try:
            return self._marked.get(pool)
        except TypeError:  # nothing can be remembered of it: it counts with all such
            return self._nameless


authenticated: Final = _Authenticated()
