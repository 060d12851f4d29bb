"""Drop-in, point 8: sessions, adapters and responses pickle, and come back on the same store."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import pytest
import requests
from local_origin import Origin, fresh, redirect
from workers import ask

from sansio_cache import CacheAdapter, CachedSession, SQLiteStore


def again(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def test_a_session_comes_back(cache_file: Path, key: str, origin: Origin) -> None:
    """With its settings, its secret, its cookies and its headers, on the same file."""
    url = origin.on("/a", fresh(b"x"))
    with CachedSession(cache_file, secret_key=key, stale_if_error=60, urls_expire_after={"*.test": 5}) as session:
        session.headers["X-Mine"] = "1"
        session.cookies["c"] = "1"
        session.get(url)
        with again(session) as back:
            assert type(back) is CachedSession
            assert back.policy == session.policy
            assert back.headers["X-Mine"] == "1"
            assert back.cookies["c"] == "1"
            assert back.get(url).from_cache
            assert back.cache.store.location == str(cache_file)


def test_a_session_over_a_store_comes_back(cache_file: Path, key: str, origin: Origin) -> None:
    """With the store's own bounds and secret."""
    url = origin.on("/a", fresh(b"x"))
    with CachedSession(SQLiteStore(cache_file, secret_key=key, max_bytes=10**6)) as session:
        session.get(url)
        with again(session) as back:
            assert back.cache.store.max_bytes == 10**6
            assert back.get(url).from_cache


def test_an_adapter_comes_back(cache_file: Path, key: str, origin: Origin) -> None:
    """With the adapter below it, in a plain session too."""
    url = origin.on("/a", fresh(b"x"))
    with requests.Session() as session:
        session.mount("http://", CacheAdapter(requests.adapters.HTTPAdapter(max_retries=3), cache_file, secret_key=key))
        session.get(url)
        with again(session) as back:
            adapter = back.get_adapter(url)
            assert type(adapter) is CacheAdapter
            assert adapter.max_retries.total == 3
            assert back.get(url).from_cache


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_comes_back(session: CachedSession, origin: Origin, stream: bool) -> None:
    """A miss and a hit, with all they say."""
    origin.on("/b", fresh(b"end", content_type="text/plain; charset=ascii"))
    url = origin.on("/a", redirect("/b"))
    for from_cache in (False, True):
        response = session.get(url, stream=stream)
        back = again(response)
        assert type(back) is type(response)
        for name in ("content", "text", "status_code", "reason", "url", "headers", "encoding", "elapsed"):
            assert getattr(back, name) == getattr(response, name), name
        for name in ("created_at", "expires", "is_expired", "cache_key", "revalidated", "cache_status"):
            assert getattr(back, name) == getattr(response, name), name
        assert back.from_cache is from_cache
        assert back.request.url == response.request.url
        assert [hop.url for hop in back.history] == [url]
        assert copy.copy(response).content == b"end"


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_another_process_shares_the_cache(cache_file: Path, key: str, origin: Origin, method: str) -> None:
    """A worker that was handed the session."""
    url = origin.on("/a", fresh(b"x"))
    context: Any = multiprocessing.get_context(method)
    with CachedSession(cache_file, secret_key=key) as session:
        session.get(url)
        results = context.Queue()
        worker = context.Process(target=ask, args=(session, url, results))
        worker.start()
        assert results.get(timeout=30) == (True, b"x")
        worker.join(30)
        assert worker.exitcode == 0
        assert session.get(url).from_cache
    assert origin.count() == 1
