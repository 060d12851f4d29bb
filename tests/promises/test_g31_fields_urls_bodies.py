"""G31: a head, a URL or a body of any shape costs little more than it costs the client without a cache."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from core_rows import ask
from field_shapes import BODIES, FIELDS, URLS
from measured import READINGS, fastest, for_key, is_one_step, peak

pytestmark = pytest.mark.serial

SHORT, LONG = 50_000, 200_000
WITHIN_NOISE = 0.002
"""Seconds below which a growth cannot be told from chance."""


def check(name: str, short: Callable[[], None], long: Callable[[], None]) -> None:
    """That four times as much takes some four times as long, and no longer than a step of a loop may take."""
    took = fastest(long, 1)
    if took > WITHIN_NOISE:
        # Nearly linear: memory that no longer fits into the processor's is slower. Looked at again if others disturbed.
        assert any(
            fastest(long, rounds) < 8 * max(fastest(short, rounds), WITHIN_NOISE / 4) for rounds in (3, 15, 30)
        ), name
    is_short = is_one_step(took) or any(is_one_step(fastest(long, rounds)) for rounds in (9, 20))
    assert is_short, f"{name}: {took * 1000:.1f} ms"


@pytest.mark.parametrize("shape", FIELDS)
def test_heads_take_little_time(shape: str) -> None:
    """G31: as an answer, as a 304, as a request: 200 kB of any field are one short step."""
    short, long = FIELDS[shape](SHORT), FIELDS[shape](LONG)
    for name, read in READINGS.items():
        check(f"{shape} in {name}", partial(read, short), partial(read, long))


@pytest.mark.parametrize("shape", URLS)
def test_urls_take_little_time(shape: str) -> None:
    """G31: of keys, of globs, of what people are shown."""
    short, long = (ask(url=URLS[shape](size)) for size in (SHORT, LONG))
    check(shape, partial(for_key, short), partial(for_key, long))


@pytest.mark.parametrize("shape", BODIES)
def test_bodies_take_little_time(shape: str) -> None:
    """G31: of a method that was opted in, so that the body is part of the key."""
    kind, made = BODIES[shape]
    short, long = (ask(f"Content-Type: {kind}", method="POST", body=made(size)) for size in (SHORT, LONG))
    check(shape, partial(for_key, short), partial(for_key, long))


@pytest.mark.parametrize("shape", FIELDS)
def test_heads_take_little_memory(shape: str) -> None:
    """G31: a few times what the fields themselves take."""
    head = FIELDS[shape](LONG)
    for name in ("an answer that would be fresh", "a 304", "a request"):
        used = peak(partial(READINGS[name], head))
        assert used < 10 * LONG + 300 * len(head), f"{shape} in {name}: {used} bytes"


@pytest.mark.parametrize("shape", [*URLS, *BODIES])
def test_requests_take_little_memory(shape: str) -> None:
    """G31: urls and bodies."""
    if shape in URLS:
        request = ask(url=URLS[shape](LONG))
    else:
        kind, made = BODIES[shape]
        request = ask(f"Content-Type: {kind}", method="POST", body=made(LONG))
    assert peak(partial(for_key, request)) < 20 * LONG
