"""``CacheTransport`` over the stores: shared with requests, signed, in trouble, and in bounded memory."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from httpx_answers import Open, hit
from local_origin import fresh
from watched_origin import WatchedOrigin

from sansio_cache import BadSignature, CachedSession, MemoryStore


def test_one_signed_file_serves_requests_and_httpx2(
    opened: Open, origin: WatchedOrigin, tmp_path: Path, key: str
) -> None:
    first = origin.on("/first", fresh(b"hello" * 100, coded=True))
    second = origin.on("/second", fresh(bytes(3_000_000), vary="Accept-Encoding"))
    path = tmp_path / "cache.sqlite"
    client = opened(cache=path, secret_key=key)
    coding = {"Accept-Encoding": "gzip"}
    with CachedSession(path, secret_key=key) as session:
        session.get(first)
        client.get(second, headers=coding)
        response = client.get(first)
        assert (response.content, hit(response)) == (b"hello" * 100, True)
        theirs = session.get(second, headers=coding)
        assert (theirs.content, getattr(theirs, "from_cache", None)) == (bytes(3_000_000), True)
    assert origin.count() == 2


def test_a_record_that_another_key_signed_is_refused(
    opened: Open, origin: WatchedOrigin, tmp_path: Path, key: str
) -> None:
    url = origin.on("/", fresh(b"hello"))
    opened(cache=tmp_path / "cache.sqlite", secret_key=key).get(url)
    other = opened(cache=tmp_path / "cache.sqlite", secret_key=key[::-1])
    with pytest.raises(BadSignature) as raised:
        other.get(url)
    assert raised.value.url == url
    assert other.get(url, extensions={"sansio_cache": {"force_refresh": True}}).content == b"hello"


def test_a_stored_body_that_is_gone_is_a_read_error(opened: Open, store: MemoryStore, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(bytes(3_000_000)))
    client = opened()
    client.get(url)
    with client.stream("GET", url) as response:
        pieces = response.iter_raw()
        next(pieces)
        store.clear()
        with pytest.raises(httpx2.ReadError) as raised:
            list(pieces)
    assert raised.value.request.url == url
    assert len(client.get(url).content) == 3_000_000


def test_a_store_that_cannot_be_opened_is_passed_by(opened: Open, origin: WatchedOrigin, tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.docx"
    thesis.write_bytes(b"my thesis" * 100)
    url = origin.on("/", fresh(b"hello"))
    client = opened(cache=thesis)
    for _ in range(2):
        response = client.get(url)
        assert response.content == b"hello"
        assert "store-unavailable" in response.extensions["cache_status"]
    assert thesis.read_bytes() == b"my thesis" * 100
