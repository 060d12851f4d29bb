"""The one kind of thread: soon, in a while, again and again, in order, to its end, over forks and for finalizers."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from weakref import ref

import pytest

from sansio_cache_adapters.stores import worker as module
from sansio_cache_adapters.stores.worker import Bell, Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.stop()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_jobs_are_done_in_their_order_and_trouble_ends_nothing(worker: Worker) -> None:
    done: list[int] = []

    def fail() -> None:
        raise ValueError("a bug")

    def leave() -> None:
        raise SystemExit

    for job in (lambda: done.append(1), fail, leave, lambda: done.append(2)):
        assert worker(job)
    assert worker.wait(30)
    assert done == [1, 2]


def test_what_is_due_in_a_while_is_done_in_the_order_of_its_time(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it was given, again after all is done, and behind what is to be done at once."""
    done: list[str] = []
    for _ in range(2):
        done.clear()
        gate = threading.Event()
        worker(partial(gate.wait, 30))
        now = time.monotonic()
        with monkeypatch.context() as stopped:
            # All four count from one moment, however long it takes to give them.
            stopped.setattr(module.time, "monotonic", lambda now=now: now)
            for seconds, what in ((0.15, "late"), (0.01, "soon"), (0.08, "then"), (0.0, "at once")):
                worker.after(seconds, partial(done.append, what))
        gate.set()
        until(lambda: len(done) == 4)
        assert done == ["at once", "soon", "then", "late"]
        assert time.monotonic() >= now + 0.15


def test_its_thread_is_its_own_and_ends_when_there_is_nothing_to_do() -> None:
    worker = Worker("worker of a test", idle=0.01)
    assert not worker.works
    assert worker.wait(0.0)
    names: list[str] = []
    worker(lambda: names.append(threading.current_thread().name))
    until(lambda: names == ["worker of a test"] and not worker.works)
    worker(lambda: names.append("again"))
    assert worker.wait(30)
    assert names[1:] == ["again"]


def test_jobs_that_can_wait_are_gathered_until_one_comes_that_cannot() -> None:
    groups: list[int] = []
    done = threading.Event()

    def perform(jobs: list[Callable[[], object]]) -> None:
        groups.append(len(jobs))
        for job in jobs:
            job()

    worker = Worker(group=4, perform=perform, lingers=60)
    began = time.monotonic()
    for _ in range(2):
        worker.must(int, waits=True)
    worker.must(done.set)
    assert done.wait(30)
    # A whole group waits for no more.
    more = threading.Barrier(2)
    for job in (int, int, int, more.wait):
        worker.must(job, waits=True)
    more.wait(30)
    assert time.monotonic() - began < 30
    assert worker.end(30)
    assert sum(groups) >= 7


def test_several_threads_share_the_jobs() -> None:
    """At most as many as were asked for."""
    worker, together = Worker(size=3), threading.Barrier(3)
    seen: set[int] = set()

    def job() -> None:
        together.wait(30)
        seen.add(threading.get_ident())

    for _ in range(6):
        worker(job)
    until(lambda: len(seen) == 3)
    worker.stop()
    until(lambda: not worker.works)


def test_jobs_may_be_done_in_groups() -> None:
    groups: list[int] = []
    worker, gate = Worker(group=4, perform=lambda jobs: (groups.append(len(jobs)), [job() for job in jobs])), Bell()
    worker(lambda: gate.wait(30))
    until(lambda: groups == [1])
    for _ in range(6):
        worker(lambda: None)
    gate.ring()
    until(lambda: sum(groups) == 7)
    assert groups[:2] == [1, 4]
    worker.stop()


def test_a_result_is_waited_for_and_may_be_cancelled(worker: Worker) -> None:
    gate = threading.Event()
    held = worker.submit(lambda: gate.wait(30))
    late = worker.submit(lambda: 1)
    assert late.cancel()
    gate.set()
    assert held.result(30) is True
    assert worker.submit(lambda: 1 + 1).result(30) == 2
    with pytest.raises(ZeroDivisionError):
        worker.submit(lambda: 1 // 0).result(30)


def test_what_must_be_done_is_tried_again(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it fails, for as long as it is worth anything; others do not wait for it, and an end tries once more."""
    monkeypatch.setattr(module, "_AGAIN", 600.0)
    done: list[str] = []
    well = threading.Event()

    def fail_until_well(name: str) -> None:
        if not well.is_set():
            raise OSError("trouble")
        done.append(name)

    worker.insist(lambda: fail_until_well("too late"), -1)
    worker.insist(lambda: fail_until_well("one"), 20)
    worker.insist(lambda: fail_until_well("two"), 20)
    worker(lambda: done.append("another"))
    assert worker.wait(30)
    assert done == ["another"]
    well.set()
    assert worker.end(30)
    assert done == ["another", "one", "two"]


def test_what_failed_is_tried_after_a_while(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN", 0.001)
    tries: list[int] = []

    def fail_twice() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("trouble")

    worker.insist(fail_twice, 20)
    until(lambda: len(tries) == 3)


def test_what_is_owed_is_bounded(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """G28: and so is the work that it makes while all of it fails."""
    monkeypatch.setattr(module, "_AGAIN", 600.0)
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise OSError("trouble")

    for _ in range(3000):
        worker.insist(fail, 600)
    assert worker.wait(30)
    assert len(worker._owed) <= module._MOST_OWED
    assert len(tries) <= 3000


def test_an_end_drops_what_is_not_due_and_nothing_else(worker: Worker) -> None:
    """What is given while it ends is done by the next thread: anyone who gave it saw one that was still running."""
    done: list[str] = []
    gate = threading.Event()
    worker(lambda: gate.wait(30))
    worker.after(600, lambda: done.append("never"))
    worker(lambda: done.append("before"))
    worker.stop()
    worker(lambda: done.append("after"))
    gate.set()
    assert worker.wait(30)
    assert done == ["before", "after"]
    worker.stop()
    until(lambda: not worker.works)


def test_waiting_takes_no_longer_than_allowed(worker: Worker) -> None:
    gate = threading.Event()
    worker(lambda: gate.wait(20))
    began = time.monotonic()
    assert not worker.wait(0.05)
    assert not worker.end(0.05)
    assert time.monotonic() - began < 5
    gate.set()
    assert worker.wait(30)


def test_without_a_thread_who_waits_does_it(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the end of the interpreter; who needs an answer is told."""

    def none_left(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(module._thread, "start_new_thread", none_left)
    done: list[int] = []
    assert not worker(lambda: done.append(1))
    with pytest.raises(RuntimeError):
        worker.must(lambda: done.append(2))
    assert worker.wait(30)
    assert done == [1, 2]


def test_a_worker_that_nobody_has_is_collected() -> None:
    """Its threads know the queue, and neither the worker nor its owner."""
    worker = Worker(idle=600)
    assert worker(lambda: None)
    assert worker.wait(30)
    gone, queue = ref(worker), worker._queue
    del worker
    gc.collect()
    assert gone() is None
    assert queue.places[0].locked()
    queue.jobs.put(None)
    until(lambda: not queue.places[0].locked())


def test_jobs_may_be_given_by_finalizers(worker: Worker) -> None:
    """G32: which run in the midst of anything, of giving a job, too."""

    class Forgotten:
        def __del__(self) -> None:
            worker(lambda: done.append(1))
            worker.insist(lambda: done.append(1), 1)

    done: list[int] = []
    for _ in range(500):
        cycle = [Forgotten()]
        cycle.append(cycle)  # type: ignore[arg-type]
        worker(partial(gc.collect, 1))  # what is young: all of it takes long after thousands of tests
    del cycle
    gc.collect()
    assert worker.wait(60)
    assert len(done) == 1000


@pytest.mark.parametrize("rests", [False, True])
def test_a_forked_child_begins_anew(rests: bool) -> None:
    """G30: what was given is the parent's; the child has threads of its own. One that rests is in no job meanwhile."""
    worker, gate = Worker(rests=rests), threading.Event()
    worker(lambda: gate.wait(0.1))
    worker.after(600, lambda: None)
    done: list[int] = []
    worker(lambda: done.append(1))
    child = os.fork()
    if child == 0:
        fine = not worker.works and worker.wait(0.0)
        worker(lambda: done.append(os.getpid()))
        os._exit(0 if fine and worker.wait(30) and done[-1] == os.getpid() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert worker.wait(30)
    assert done == [1]
    worker.stop()
