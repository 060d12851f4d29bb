"""The names of stored responses: a URL, a request of the client, or one of the core.

Each client makes of it the request that it would send, so that ``session.cache`` looks where ``session.get`` does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from sansio_cache.errors import SettingError
from sansio_cache.messages import Request, headers_of

__all__ = ["RequestMaker", "as_url", "named", "request_like"]

RequestMaker = Callable[[Any, str, dict[str, Any]], Request | Awaitable[Request]]
"""Makes a core request of a thing, a method for a URL, and what a request of the client takes beside them."""


def named(thing: object, keywords: dict[str, Any]) -> object:
    """The argument that names a stored response: the first, or ``url=``, which is removed from the keywords."""
    return keywords.pop("url") if thing is None and "url" in keywords else thing


def as_url(thing: object) -> str | None:
    """The text of a URL: text as given, or an object of any library that is one; None for anything else."""
    if isinstance(thing, str):
        return thing
    if isinstance(thing, bytes):
        return thing.decode("latin-1")
    # yarl's, httpx2's, pydantic's: each becomes its text by str().
    is_url = hasattr(thing, "scheme") and hasattr(thing, "host") and not hasattr(thing, "url")
    return str(thing) if is_url else None


def request_like(thing: object, keywords: Mapping[str, object]) -> Request:
    """The core request of an object that has a ``url``, and a ``method`` and ``headers`` where it has these.

    :raises SettingError: it has none, or keywords were given beside it, which belong to a URL.
    """
    url = as_url(getattr(thing, "url", None))
    if url is None:
        raise SettingError(f"a stored response is named by a URL or by a request, not by {thing!r}")
    if keywords:
        raise SettingError(f"{', '.join(sorted(keywords))} can be given with a URL; a request says these itself")
    headers: Any = getattr(thing, "headers", None) or ()
    pairs: Iterable[tuple[object, object]] = headers.items() if hasattr(headers, "items") else headers
    method: object = getattr(thing, "method", None) or "GET"
    return Request(str(method), url, headers_of(pairs))
