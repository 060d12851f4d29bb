"""What tests of every client share: a real origin, certificates, a clock that the test moves."""

from __future__ import annotations

import gc
import os
import re
import ssl
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx2._transports.default
import hypothesis  # before anything is frozen: it looks whether its sources of chance are held
import pytest
from certificates import Certificates
from clock import Clock
from local_origin import Origin
from thorough import extent

KEY = "a secret of at least sixteen bytes"
ALL_ARE_MARKED = re.compile(r"^pytestmark = .*mark\.(once|serial)\b", re.MULTILINE)
AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


# The same examples in each run, and no clock: what fails by chance, or because a machine is busy, says little.
# New ones are looked for with SANSIO_CACHE_THOROUGH=1, and by the fuzzer.
hypothesis.settings.register_profile(
    "each time",
    deadline=None,
    derandomize=not extent(0, 1),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("each time")


def pytest_make_parametrize_id(val: object) -> str | None:
    """What gzip wrote has the time in it: those who run the tests side by side would know them by different names."""
    return "gzip" if isinstance(val, bytes) and val.startswith(b"\x1f\x8b") else None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files without any test that ``run.py`` asks for are not even imported: to import all takes many seconds."""
    if not collection_path.name.startswith("test_") or not collection_path.is_file():
        return None
    text = collection_path.read_text("utf-8")
    match config.option.markexpr:
        case "serial":
            has_some = "mark.serial" in text
        case "once and not serial":
            has_some = "mark.once" in text
        case "not serial and not once":
            has_some = not ALL_ARE_MARKED.search(text)
        case _:
            has_some = True
    return None if has_some else True


def pytest_collection_finish() -> None:
    """What was made for all tests stays to the end: who collects garbage need not look through it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def authorities_read_once() -> Iterator[None]:
    """httpx2 reads all authorities of the system for each transport, 20 ms long, though few tests speak TLS."""
    of_httpx = httpx2._transports.default.create_ssl_context
    usual, given = cache(of_httpx), [os.environ.get(name) for name in AUTHORITIES]

    def create(verify: ssl.SSLContext | str | bool = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        is_usual = verify is True and cert is None and given == [os.environ.get(name) for name in AUTHORITIES]
        return usual(trust_env=trust_env) if is_usual else of_httpx(verify, cert, trust_env)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx2._transports.default, "create_ssl_context", create)
        yield


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
