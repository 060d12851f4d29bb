"""Threads that change places after every few steps, as those without a GIL do of themselves."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from local_origin import Origin, fresh

import sansio_cache
import sansio_cache_adapters
from sansio_cache import CachedSession, CacheTransport, FileStore, MemoryStore, SQLiteStore
from sansio_cache.memo import Memo

THREADS = 6
ROUNDS = 25
STORES: dict[str, Callable[[Path], Any]] = {
    "memory": lambda _: MemoryStore(),
    "sqlite": lambda folder: SQLiteStore(folder / "cache.sqlite", busy_timeout=30),
    "files": lambda folder: FileStore(folder / "cache"),
}


@pytest.fixture(autouse=True)
def _hurried() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(work: Callable[[int], object]) -> list[Any]:
    """What several threads return that begin together."""
    barrier = Barrier(THREADS)

    def run(number: int) -> object:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


@pytest.mark.parametrize("kind", STORES)
def test_one_session_counts_every_answer_of_all_threads(kind: str, origin: Origin, tmp_path: Path) -> None:
    """Each answer is its own URL's, each is counted once, and no URL is fetched more often than it was missed."""
    urls = [origin.on(f"/{number}", fresh(f"body {number}".encode())) for number in range(4)]
    with CachedSession(STORES[kind](tmp_path), secret_key="k" * 32) as session:

        def ask(number: int) -> None:
            for each in range(ROUNDS):
                place = (number + each) % len(urls)
                assert session.get(urls[place]).text == f"body {place}"

        at_once(ask)
        stats = session.cache.stats
        assert stats.hits + stats.misses == THREADS * ROUNDS
        assert stats.misses == origin.count()
        assert stats.store_troubles == stats.flaws == 0
        assert len(session.cache.entries()) == len(urls)


def test_sessions_are_made_and_closed_by_many_threads(origin: Origin, tmp_path: Path) -> None:
    """What all of a process share bears it: the table of open files, followers of forks, sealers, flights."""
    import httpx2

    url = origin.on("/a", fresh(b"a"))

    def use(number: int) -> None:
        for each in range(4):
            path = tmp_path / f"{(number + each) % 2}.sqlite"
            with CachedSession(path) as session:
                assert session.get(url).content == b"a"
            with httpx2.Client(transport=CacheTransport(cache=path)) as client:
                assert client.get(url).content == b"a"

    at_once(use)
    assert origin.count() <= 2 * THREADS


def test_a_memo_gives_what_was_put() -> None:
    """It has no lock: it may forget, and never mixes up."""
    memo: Memo[int, str] = Memo(20_000)
    numbers = count()

    def work(_: int) -> None:
        for _ in range(1500):
            key = next(numbers) % 97
            found = memo.get(key)
            assert found in (None, str(key))
            memo.put(key, str(key), 200)
            assert memo.info().entries <= 2 * 97

    at_once(work)


# What threads share


_KINDS = {
    "Living",
    "OrderedDict",
    "WeakKeyDictionary",
    "WeakSet",
    "WeakValueDictionary",
    "deque",
    "dict",
    "list",
    "set",
}


def _is_container(value: ast.AST | None) -> bool:
    if isinstance(value, ast.Dict):
        return not value.keys
    if isinstance(value, ast.List):
        return not value.elts
    if not isinstance(value, ast.Call) or value.args:
        return False
    called = value.func.value if isinstance(value.func, ast.Subscript) else value.func
    return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) in _KINDS


def test_each_container_of_a_module_says_what_guards_it() -> None:
    """Threads share it: under each, or under the last of a group, stands what keeps it sound."""
    silent: list[str] = []
    for package in (sansio_cache, sansio_cache_adapters):
        root = Path(package.__path__[0])
        for path in root.rglob("*.py"):
            body = ast.parse(path.read_text(encoding="utf-8")).body
            waiting: list[str] = []
            for node in [*body, None]:
                if isinstance(node, ast.Assign | ast.AnnAssign) and _is_container(node.value):
                    if "Final[Mapping" not in ast.unparse(node):
                        waiting.append(f"{path.relative_to(root)}: {ast.unparse(node)}")
                elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                    waiting = []
                else:
                    silent += waiting
                    waiting = []
    assert silent == []
