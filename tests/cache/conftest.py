"""What tests of the shared modules need beside what is shared by all."""

from __future__ import annotations

import pytest

from sansio_cache_adapters.cache import circuit_breaker, verifying


@pytest.fixture
def no_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is bypassed stays so: no thread looks after it."""
    monkeypatch.setattr(circuit_breaker.PROBES, "after", lambda *_: True)


@pytest.fixture
def verified_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks are verified where they are, as when no thread can be started."""

    def refuse(_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(verifying._THREADS, "submit", refuse)
