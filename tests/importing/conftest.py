"""Caches that the other libraries wrote themselves, once for all tests."""

from __future__ import annotations

import pytest
from written_caches import Written, missing, write


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Each kind of cache of the other libraries."""
    if missing():
        pytest.skip(f"{', '.join(missing())} is not installed")
    return write(tmp_path_factory.mktemp("peers"))
