"""What tests of the shared modules need beside what is shared by all."""

from __future__ import annotations

import pytest

from sansio_cache_adapters.cache import circuit_breaker


@pytest.fixture
def no_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is bypassed stays so: no thread looks after it."""
    monkeypatch.setattr(circuit_breaker.PROBES, "after", lambda *_: True)
