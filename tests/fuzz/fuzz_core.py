"""Fuzz the core: ``python tests/fuzz/fuzz_core.py TARGET [SECONDS]``; targets are listed without arguments.

Guided by coverage where atheris is installed (``pip install atheris``); else Hypothesis makes the inputs. It ends with
the first input that breaks a promise, and prints it. Not part of the tests: those run the same targets briefly.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

GUIDED = importlib.util.find_spec("atheris") is not None


def with_atheris(name: str, seconds: int) -> None:
    atheris: Any = __import__("atheris")
    # Before anything else imports it: what is imported already is not instrumented.
    with atheris.instrument_imports(include=["sansio_cache"]):
        from fuzz_targets import SEEDS, TARGETS
    corpus = Path(tempfile.gettempdir()) / "sansio-cache-fuzz" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for at, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{at}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={corpus}/", str(corpus)]
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


def with_hypothesis(name: str, seconds: int) -> None:
    from fuzz_targets import SEEDS, TARGETS
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    spliced = st.builds(_spliced, st.sampled_from(SEEDS[name]), st.binary(max_size=9), st.floats(0, 1))

    @settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.binary(max_size=400) | spliced)
    def target(data: bytes) -> None:
        TARGETS[name](data)

    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end:
        target()
        rounds += 1
    print(f"{name}: {rounds} rounds of 2,000 inputs, nothing broken")


def _spliced(seed: bytes, junk: bytes, where: float) -> bytes:
    at = int(where * len(seed))
    return seed[:at] + junk + seed[at + len(junk) :]


NAMES = ("cache-control", "dates", "foreign", "heads", "records", "vary")


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in NAMES:
        print(f"targets: {', '.join(NAMES)}")
        return 2
    seconds = int(arguments[1]) if len(arguments) > 1 else 60
    (with_atheris if GUIDED else with_hypothesis)(arguments[0], seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
