"""What tests of every client share: a real origin, certificates, a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from certificates import Certificates
from clock import Clock
from local_origin import Origin

KEY = "a secret of at least sixteen bytes"


@pytest.fixture
def clock() -> Clock:
    """A clock for ``CachedSession(clock=…)``."""
    return Clock()


@pytest.fixture
def key() -> str:
    """A secret."""
    return KEY


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A plain HTTP/1.1 origin on a free port."""
    server = Origin()
    yield server
    server.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority that signs for 127.0.0.1."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def tls_origin(certificates: Certificates) -> Iterator[Origin]:
    """An HTTPS origin on a free port; it asks for a client certificate and goes on without."""
    server = Origin(certificates.server(wants_client=True))
    yield server
    server.close()
