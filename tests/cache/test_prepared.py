"""What a remembered request is taken to weigh."""

from __future__ import annotations

from sansio_cache.messages import Headers, Request
from sansio_cache_adapters.cache.prepared import PREPARED_BYTES, bytes_of


def weight(url: str = "https://a.example/", **fields: str) -> int:
    return bytes_of(Request("GET", url, Headers([*fields.items()])))


def test_long_urls_and_fields_weigh_more() -> None:
    """Strangers may choose both, so that a count of requests would bound nothing."""
    small = weight()
    assert weight("https://a.example/" + "x" * 100_000) > small + 100_000
    assert weight(accept="x" * 100_000) > small + 100_000
    assert 2_000 < PREPARED_BYTES / small < 10_000
