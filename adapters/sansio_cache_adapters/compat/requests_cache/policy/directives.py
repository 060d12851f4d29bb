"""Cache-Control as requests-cache reads and writes it; for the session the core does that, by RFC 9111."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from requests.structures import CaseInsensitiveDict

from sansio_cache.cache_control import parse_cache_control
from sansio_cache_adapters.compat.requests_cache._utils import RichMixin

from .expiration import DO_NOT_CACHE, NEVER_EXPIRE, HeaderDict, get_expiration_seconds

__all__ = ["CacheDirectives", "set_request_headers"]

_UNREAD: Final = "X-ACTUAL-NO-CACHE"
"""What says in a request of requests-cache that the cache is not to be read; it stays with the program."""


@dataclass(repr=False)
class CacheDirectives(RichMixin):
    """What the fields of a request or a response say to a cache."""

    expires: str | None = None
    immutable: bool = False
    max_age: int | None = None
    max_stale: int | None = None
    min_fresh: int | None = None
    must_revalidate: bool = False
    no_cache: bool = False
    no_store: bool = False
    actual_no_cache: bool = False
    only_if_cached: bool = False
    stale_if_error: int | None = None
    stale_while_revalidate: int | None = None
    etag: str | None = None
    last_modified: str | None = None

    @classmethod
    def from_headers(cls, headers: Mapping[str, Any] | None) -> CacheDirectives:
        """The directives among some fields."""
        fields: CaseInsensitiveDict[Any] = CaseInsensitiveDict(headers or {})
        said = fields.get("Cache-Control") or ""
        read: Any = parse_cache_control([said.decode("latin-1") if isinstance(said, bytes) else said])

        def seconds(name: str) -> int | None:
            value = getattr(read, name)
            return None if value is None or value < 0 or value == float("inf") else int(value)

        return cls(
            expires=fields.get("Expires"),
            immutable=bool(read.immutable),
            max_age=seconds("max_age"),
            max_stale=seconds("max_stale"),
            min_fresh=seconds("min_fresh"),
            must_revalidate=bool(read.must_revalidate),
            no_cache=bool(read.no_cache),
            no_store=bool(read.no_store),
            actual_no_cache=bool(fields.get(_UNREAD)),
            only_if_cached=bool(read.only_if_cached),
            stale_if_error=seconds("stale_if_error"),
            stale_while_revalidate=seconds("stale_while_revalidate"),
            etag=fields.get("ETag"),
            last_modified=fields.get("Last-Modified"),
        )

    @property
    def own_time(self) -> int | str | None:
        """The time that a response gives itself; None where it gives none."""
        if self.immutable:
            return NEVER_EXPIRE
        return self.expires if self.max_age is None else self.max_age

    @property
    def has_validator(self) -> bool:
        """Whether the origin can be asked if it is still good."""
        return bool(self.etag or self.last_modified)

    def get_expire_offset(self) -> timedelta:
        """By how much later or earlier something counts as stale."""
        return timedelta(seconds=self.max_stale or -(self.min_fresh or 0))


def set_request_headers(
    headers: HeaderDict | None, expire_after: Any, only_if_cached: bool, refresh: bool, force_refresh: bool
) -> CaseInsensitiveDict[str]:
    """The fields of a request that say what its keywords say."""
    fields = CaseInsensitiveDict(headers or {})
    directives = fields["Cache-Control"].split(",") if fields.get("Cache-Control") else []
    if only_if_cached:
        directives.append("only-if-cached")
    if refresh:
        directives.append("must-revalidate")
    if force_refresh:
        directives.append("no-cache")
    if expire_after == DO_NOT_CACHE:
        fields[_UNREAD] = "true"
    elif expire_after is not None:
        directives.append(f"max-age={get_expiration_seconds(expire_after)}")
    if directives:
        fields["Cache-Control"] = ",".join(sorted(set(directives)))
    return fields
