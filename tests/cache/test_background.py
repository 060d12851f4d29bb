"""Background work: each key once, bounded, and waited for on close."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from sansio_cache_adapters.cache import background as module
from sansio_cache_adapters.cache.background import Background


class ByHand:
    """A worker that begins no thread: the test does the jobs."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], object]] = []

    def __call__(self, job: Callable[[], object]) -> bool:
        self.jobs.append(job)
        return True

    def do(self) -> None:
        """The next job."""
        self.jobs.pop(0)()


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> ByHand:
    made = ByHand()
    monkeypatch.setattr(module, "Worker", lambda *_, **__: made)
    return made


@pytest.fixture
def background(worker: ByHand) -> Background:
    return Background()


def nothing() -> None: ...


def test_a_key_is_done_once_at_a_time(background: Background, worker: ByHand) -> None:
    said: list[object] = []

    def job() -> None:
        said.append(background.submit("a", nothing))

    assert background.submit("a", job)
    assert not background.submit("a", nothing), "it waits"
    assert background.submit("b", nothing)
    worker.do()
    assert said == [False], "it runs"
    assert background.submit("a", nothing), "it has ended"


def test_jobs_come_in_their_order_and_one_that_fails_ends_too(background: Background, worker: ByHand) -> None:
    done: list[str] = []

    def failing() -> None:
        done.append("failing")
        raise LookupError("of the job")

    background.submit("a", failing)
    background.submit("b", lambda: done.append("b"))
    with pytest.raises(LookupError, match="of the job"):
        worker.do()
    assert background.submit("a", nothing)
    worker.do()
    assert done == ["failing", "b"]


def test_too_much_is_refused(background: Background) -> None:
    taken = [background.submit(number, nothing) for number in range(300)]
    assert taken == [True] * 256 + [False] * 44


def test_close_waits_for_what_runs_and_drops_what_waits(background: Background, worker: ByHand) -> None:
    assert background.close(0.0), "there is nothing"
    background.submit("a", lambda: pytest.fail("dropped"))
    assert not background.close(0.0)
    worker.do()
    assert background.close(0.0)
    said: list[bool] = []
    background.submit("b", lambda: said.append(background.close(0.0)))
    worker.do()
    assert said == [False]


def test_a_child_does_without_what_waits(background: Background, worker: ByHand) -> None:
    background.submit("a", nothing)
    assert not background.submit("a", nothing)
    background._changed.acquire()
    background.begin_anew()
    assert background.submit("a", nothing)


def test_with_its_own_threads() -> None:
    """The one test here that begins some: what was given is done, at most four at a time."""
    background, begun, go = Background(), [Event() for _ in range(5)], Event()
    jobs: list[Any] = [lambda each=each: (each.set(), go.wait(30)) for each in begun]
    for number, job in enumerate(jobs):
        background.submit(number, job)
    assert all(each.wait(30) for each in begun[:4])
    assert not begun[4].is_set()
    go.set()
    assert background.close(10.0)
    assert begun[4].is_set()
