"""The settings as keywords, for type checkers: those of :class:`~sansio_cache.policy.Policy`, and their other names."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import TypedDict

from .digests import BodyDigest
from .expiry import ExpireAfter
from .filtering import FilteredResponse
from .messages import Kept, Request
from .policy import Heuristic, OnBadSignature

__all__ = ["Settings"]


class Settings(TypedDict, total=False):
    """The keywords of sessions, adapters and transports that are not part of a policy."""

    cache_control: bool
    expire_after: ExpireAfter
    urls_expire_after: Mapping[str | re.Pattern[str], ExpireAfter]
    heuristic: Heuristic | float | timedelta | None
    allowed_codes: Collection[int] | None
    allowed_methods: Collection[str]
    ignored_parameters: Collection[str]
    match_headers: Collection[str] | bool
    parameter_order: bool
    identity: Collection[str]
    filter_fn: Callable[[Request, Kept], bool] | Callable[[FilteredResponse], bool] | None
    key_fn: Callable[[Request], str | bytes] | None
    stale_if_error: bool | float | timedelta
    stale_while_revalidate: bool | float | timedelta
    shared: bool
    always_revalidate: bool
    keep_set_cookie: bool
    read_only: bool
    offline: bool
    vary_limit: int
    max_body: int | None
    namespace: str
    body_digest: BodyDigest
    on_bad_signature: OnBadSignature
    wait_for_body: float
    wait_for_leader: float

    # Names that users of other caches know.
    allowable_codes: Collection[int] | None
    allowable_methods: Collection[str]
    cacheable_methods: Collection[str]
    cacheable_status_codes: Collection[int] | None
    ignored_params: Collection[str]
    include_get_headers: Collection[str] | bool
    include_headers: Collection[str] | bool
    old_data_on_error: bool | float | timedelta
