"""Hypothesis strategies for HTTP, shared by the tests of the core; what new features add joins here."""

from __future__ import annotations

from core_rows import NOW
from hypothesis import strategies as st

from sansio_cache.dates import format_date
from sansio_cache.expiry import DO_NOT_CACHE
from sansio_cache.freshness import Facts, Terms
from sansio_cache.messages import Headers, Options, Received, Request
from sansio_cache.policy import Heuristic, Policy
from sansio_cache.records import CHUNK_SIZE, FORMAT, Head, Remembered

http_seconds = st.integers(-62_135_596_800, 253_402_300_799)
"""POSIX seconds that an HTTP-date can spell."""

field_values = st.text(st.characters(max_codepoint=255), max_size=40)
"""Field values by latin-1: any bytes, NUL and line ends included."""

field_names = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1, max_size=9
)

wild_headers = st.lists(st.tuples(field_names, field_values), max_size=6).map(Headers)
"""Fields of any name and value."""

# Directives


_directives = st.sampled_from(
    [
        "max-age=0",
        "max-age=60",
        "max-age=99999999999",
        "max-age=-1",
        "max-age=x",
        'max-age="60"',
        "max-age =60",
        '"',
        "s-maxage=60",
        "s-maxage=x",
        "max-stale",
        "max-stale=60",
        "min-fresh=60",
        "no-cache",
        'no-cache="a"',
        "foo",
        "no-store",
        "no-store=x",
        "private",
        'private=""',
        "public",
        "must-revalidate",
        "proxy-revalidate",
        "immutable",
        "must-understand",
        "only-if-cached",
        "stale-if-error=60",
        "stale-while-revalidate=60",
        'bar="baz, no-store"',
    ]
)
cache_controls = st.lists(_directives, max_size=5).map(", ".join)
"""Cache-Control values, most of them sound."""

permissive_requests = st.lists(
    st.sampled_from(
        ["max-stale", "max-stale=999999", "stale-if-error=999999", "max-age=999999", "min-fresh=0", "public"]
    )
    | st.sampled_from(["stale-while-revalidate=999999", "immutable", "must-understand", "s-maxage=999999", "foo"]),
    min_size=1,
    max_size=4,
).map(", ".join)
"""Request directives that ask for more than they would get without, as far as any can."""

# Heads


_dates = st.sampled_from([-86_400, -60, 0, 30, 86_400]).map(lambda delta: format_date(NOW + delta)) | st.sampled_from(
    ["0", "", "junk", "Sun, 06 Nov 99999 08:49:37 GMT"]
)
_ages = st.sampled_from(["0", "30", "99999999999999999999", "-1", "x", "0, 7200"])
_tags = st.sampled_from(['"a"', '"b"', 'W/"a"', "junk", ""])
_varies = st.sampled_from(["*", "Accept", "accept, x-a", ", *", "b\x00d", ""])
_codes = st.sampled_from([200, 203, 204, 206, 301, 302, 304, 404, 412, 416, 500, 503, 599])


def _some(name: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    """No, one or two lines of a field."""
    return st.lists(values.map(lambda value: (name, value)), max_size=2).map(tuple)


_lines = st.tuples(
    _some("Cache-Control", cache_controls),
    _some("CDN-Cache-Control", cache_controls),
    _some("Date", _dates),
    _some("Expires", _dates),
    _some("Last-Modified", _dates),
    _some("Age", _ages),
    _some("ETag", _tags),
    _some("Vary", _varies),
    # No client takes a message with two lengths (RFC 9112 §6.3).
    _some("Content-Length", st.sampled_from(["10", "x", "99999999999999999999"])).map(lambda lines: lines[:1]),
    _some("Connection", st.sampled_from(["close", "etag, x-a"])),
)
response_headers = st.builds(
    lambda known, wild: Headers([*(line for lines in known for line in lines), *wild]), _lines, wild_headers
)
"""The fields of a response: what caches read, in all spellings, among others."""

replies = st.builds(
    lambda status, headers, delay: Received(status, "Reason", headers, NOW - delay, NOW),
    _codes,
    response_headers,
    st.sampled_from([0.0, 0.5, 30.0]),
)
"""Responses received at ``NOW``."""

# Requests

urls = st.sampled_from(["https://example.org/a", "http://example.org/a?b=c", "https://user:word@example.org/", "x"])
_conditions = st.tuples(
    _some("Cache-Control", cache_controls),
    _some("If-None-Match", _tags | st.sampled_from(["*", '"z", "a"'])),
    _some("If-Modified-Since", _dates),
    _some("If-Match", _tags),
    _some("If-Range", _tags | _dates),
    _some(
        "Range",
        st.sampled_from(["bytes=0-1", "bytes=-3", "bytes=4-", "bytes=99-", "bytes=0-1,3-4", "x=1", "bytes=3-1"]),
    ),
    _some("Authorization", st.sampled_from(["Basic a", "Basic b"])),
    _some("Accept", st.sampled_from(["text/html", "*/*"])),
    _some("Pragma", st.sampled_from(["no-cache", "x"])),
)
_options = st.builds(
    Options,
    expiry=st.none(),
    only_if_cached=st.booleans(),
    refresh=st.booleans(),
    force_refresh=st.booleans(),
)
requests = st.builds(
    lambda method, url, known, wild, options: Request(
        method, url, Headers([*(line for lines in known for line in lines), *wild]), b"", "", options
    ),
    st.sampled_from(["GET", "GET", "HEAD", "POST"]),
    urls,
    _conditions,
    wild_headers,
    _options,
)
"""Requests with every field that caches read, in all spellings, among others."""

# Settings

policies = st.builds(
    Policy,
    cache_control=st.booleans(),
    expire_after=st.sampled_from([None, None, 0, 60, -1, DO_NOT_CACHE]),
    heuristic=st.sampled_from([Heuristic(), None, 60]),
    stale_if_error=st.sampled_from([False, True, 60]),
    stale_while_revalidate=st.sampled_from([False, True, 60]),
    shared=st.booleans(),
    always_revalidate=st.booleans(),
    read_only=st.booleans(),
    offline=st.booleans(),
    allowed_methods=st.sampled_from([("GET", "HEAD"), ("GET", "POST")]),
)
"""Policies of every kind."""

moments = st.floats(NOW - 60, NOW + 1_000_000, allow_nan=False)
"""Times at which a record received at ``NOW`` is looked at; from before that by as much as clocks may differ."""

# Records

_texts = st.text(max_size=20)
_times = st.floats(allow_nan=False)
_terms = st.builds(Terms, _times, _times, _times, st.integers(0, 1023))
_facts = st.builds(
    Facts, _times, _times, st.none() | _times, st.booleans(), st.booleans(), st.booleans(), _terms, _terms
)
_packed = st.tuples(st.integers(-1, 9), _times)
heads = st.builds(
    Head,
    format=st.just(FORMAT),
    store_id=st.binary(min_size=16, max_size=16),
    namespace=_texts,
    resource=st.binary(min_size=32, max_size=32),
    partition=st.binary(min_size=32, max_size=32),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    status=st.integers(200, 599),
    reason=_texts,
    headers=st.lists(st.tuples(field_names, field_values), max_size=5).map(tuple),
    vary=st.lists(st.tuples(field_names, st.binary(min_size=32, max_size=32)), max_size=3).map(tuple),
    requested_at=_times,
    received_at=_times,
    length=st.integers(0, 2**40),
    chunk_size=st.just(CHUNK_SIZE),
    digest=st.binary(min_size=32, max_size=32),
    facts=_facts,
    url=_texts,
    tags=st.lists(_texts, max_size=3).map(tuple),
    stale_at=_times,
    remembered=st.none() | st.builds(Remembered, _packed, _packed),
)
"""Heads of records, of any content."""
