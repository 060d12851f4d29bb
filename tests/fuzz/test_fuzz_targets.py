"""The targets of the fuzzer, run briefly and the same way each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_targets import SEEDS, TARGETS
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.once

RUNNER = Path(__file__).parent / "fuzz_core.py"


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_seeds_that_pass(name: str) -> None:
    for seed in SEEDS[name]:
        TARGETS[name](seed)


@settings(derandomize=True, max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(TARGETS)), st.binary(max_size=200))
@example("cache-control", b'a="\\')
@example("cache-control", b",,,\x00\xff")
@example("dates", b"Tue, 29 Feb 1900 00:00:00 GMT")
@example("vary", b"\x00*")
@example("records", b"SCR1u\xff\xff\xff\xff")
def test_arbitrary_bytes_break_nothing(name: str, data: bytes) -> None:
    TARGETS[name](data)


@settings(derandomize=True, max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(TARGETS)), st.data())
def test_nor_do_altered_seeds(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(SEEDS[name]))
    at = data.draw(st.integers(0, len(seed)))
    TARGETS[name](seed[:at] + data.draw(st.binary(max_size=4)) + seed[at + data.draw(st.integers(0, 4)) :])


def test_the_runner_lists_its_targets() -> None:
    done = subprocess.run([sys.executable, str(RUNNER)], capture_output=True, text=True, check=False, timeout=50)
    assert (done.returncode, done.stdout.strip()) == (2, f"targets: {', '.join(sorted(TARGETS))}")


def test_the_runner_runs() -> None:
    done = subprocess.run(
        [sys.executable, str(RUNNER), "dates", "1"], capture_output=True, text=True, check=False, timeout=50
    )
    assert done.returncode == 0, done.stderr
