"""Cache-Status: RFC 9211."""

from __future__ import annotations

import math
from typing import Any

import http_sf
from core_rows import rows
from hypothesis import given
from hypothesis import strategies as st

from sansio_cache.cache_status import CacheStatus, Fwd


@rows(
    "status expected",
    ("a hit", "2.1", CacheStatus(hit=True), "sansio-cache;hit"),
    ("a hit with its time", "2.4", CacheStatus(hit=True, ttl=376.9), "sansio-cache;hit;ttl=376"),
    ("a stale hit", "2.4", CacheStatus(hit=True, ttl=-412.0), "sansio-cache;hit;ttl=-412"),
    ("stale by less than a second", "2.4", CacheStatus(hit=True, ttl=-0.5), "sansio-cache;hit;ttl=-1"),
    ("fresh for ever", "2.4", CacheStatus(hit=True, ttl=math.inf), "sansio-cache;hit"),
    ("stale since nobody knows when", "2.4", CacheStatus(hit=True, ttl=-math.inf), "sansio-cache;hit"),
    ("longer than fits", "2.4", CacheStatus(hit=True, ttl=1e300), "sansio-cache;hit;ttl=100000000000000"),
    ("a miss", "2.2", CacheStatus(fwd=Fwd.URI_MISS), "sansio-cache;fwd=uri-miss"),
    ("a validation", "2.3", CacheStatus(fwd=Fwd.STALE, fwd_status=304), "sansio-cache;fwd=stale;fwd-status=304"),
    ("a miss that is stored", "2.5", CacheStatus(fwd=Fwd.MISS, stored=True), "sansio-cache;fwd=miss;stored"),
    ("a collapsed miss is no hit", "2.6", CacheStatus(hit=True, collapsed=True), "sansio-cache;fwd=miss;collapsed"),
    (
        "a collapsed miss with its reason",
        "2.6",
        CacheStatus(hit=True, fwd=Fwd.STALE, collapsed=True),
        "sansio-cache;fwd=stale;collapsed",
    ),
    ("a detail", "2.8", CacheStatus(detail="only-if-cached"), 'sansio-cache;detail="only-if-cached"'),
)
def test_how_a_request_was_handled(status: CacheStatus, expected: str) -> None:
    assert str(status) == expected


@given(
    st.builds(
        CacheStatus,
        hit=st.booleans(),
        fwd=st.none() | st.sampled_from(Fwd),
        fwd_status=st.none() | st.integers(100, 999),
        ttl=st.none() | st.floats(),
        stored=st.booleans(),
        collapsed=st.booleans(),
        detail=st.sampled_from(["", "stale", "request-no-store"]),
    )
)
def test_it_is_a_structured_field_where_hit_and_fwd_exclude_each_other(status: CacheStatus) -> None:
    """RFC 9211 §2.1: "only one of them should appear"; §2.5 and §2.6: the rest is meaningful with fwd."""
    parsed: Any = http_sf.parse(str(status).encode(), tltype="list")
    [(name, parameters)] = parsed
    assert str(name) == "sansio-cache"
    assert not ("hit" in parameters and "fwd" in parameters)
    assert "collapsed" not in parameters or "fwd" in parameters
