"""Fixtures of tests with requests: sessions on caches of their own, away from the machine's environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sansio_cache import CachedSession

__all__ = ["Sessions", "cache_file", "plain_environment", "session", "sessions"]

Sessions = Callable[..., CachedSession]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy, CA bundle or netrc of the machine's."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture
def cache_file(tmp_path: Path) -> Path:
    """Where the default session keeps its responses."""
    return tmp_path / "cache.sqlite"


@pytest.fixture
def sessions(cache_file: Path, key: str) -> Iterator[Sessions]:
    """Makes sessions, signed and on one file unless the test says otherwise; closes them."""
    made: list[CachedSession] = []

    def make(cache: Any = cache_file, **keywords: Any) -> CachedSession:
        keywords.setdefault("secret_key", key)
        if keywords["secret_key"] is ...:
            del keywords["secret_key"]
        session = CachedSession(cache, **keywords)
        made.append(session)
        return session

    yield make
    for session in made:
        session.close()


@pytest.fixture
def session(sessions: Sessions) -> CachedSession:
    """A signed session."""
    return sessions()
