"""The contract for awaitable stores: the same tests, each put to an event loop in a thread of its own."""

# ruff: noqa: S101 - the asserts are the promises

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from sansio_cache.records import Item, Stored
from sansio_cache_adapters.stores.protocol import (
    DEFAULT_MAX_BYTES,
    AsyncClaiming,
    AsyncFlushing,
    AsyncStore,
    Claiming,
    Listed,
    Seen,
    Store,
)
from sansio_cache_adapters.stores.work import awaited

from .bounds import BoundPromises
from .changes import ChangePromises
from .opening import MakeStore, make_item, name
from .records import RecordPromises

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

__all__ = ["AsyncStoreContract"]

_VERBS: Final = (
    *("open", "load", "hashes", "chunk", "write", "abort", "commit", "change", "drop", "touch", "claim", "release"),
    *("clear", "unsign", "size", "sweep", "flush", "close"),
)


async def _called(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    return await awaited(function(*arguments, **keywords))


class _Blocking:
    """An awaitable store as a blocking one, by the verbs that it has: each is called on the loop behind ``portal``."""

    def __init__(self, store: Any, portal: BlockingPortal) -> None:
        self.store = store
        self.max_bytes = store.max_bytes
        self.location = store.location
        self._portal = portal
        for verb in _VERBS:
            if hasattr(store, verb) and not hasattr(self, verb):
                setattr(self, verb, partial(self.run, getattr(store, verb)))

    def run(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """The result of a function called on the loop."""
        return self._portal.call(partial(_called, function, *arguments, **keywords))

    def listed(self, *, batch: int = 500) -> Iterator[Listed]:
        rows: AsyncIterator[Listed] = self.store.listed(batch=batch)
        while (row := self.run(anext, rows, None)) is not None:
            yield row


class _Settled(_Blocking):
    """A store that answers writes before they are made: here each is asked for its effect instead."""

    def _shows(self, partition: bytes, sealed: bytes) -> bool:
        assert self.run(self.store.flush, 5.0)
        found: Sequence[Stored] = self.run(self.store.load, partition)
        return any(each.sealed == sealed for each in found)

    def commit(self, item: Item, *, vary_limit: int, now: float) -> bool:
        kept = self.run(self.store.commit, item, vary_limit=vary_limit, now=now)
        return kept and self._shows(item.partition, item.sealed)

    def change(self, seen: Sequence[Seen | Listed], new: Item | bytes | None) -> int:
        if any(isinstance(each, Listed) for each in seen):
            changed: int = self.run(self.store.change, seen, new)
            return changed
        before = self._revs(seen)
        self.run(self.store.change, seen, new)
        assert self.run(self.store.flush, 5.0)
        sealed = new.sealed if isinstance(new, Item) else new
        shown = sealed is None or any(self._shows(each.partition, sealed) for each in seen)
        return len(before - self._revs(seen)) if shown else 0

    def _revs(self, seen: Sequence[Seen | Listed]) -> set[int]:
        places = {each.partition for each in seen}
        there: set[int] = {each.rev for place in places for each in self.run(self.store.load, place)}
        return there & {each.rev for each in seen}

    def drop(self, resource: bytes, *, now: float) -> int:
        before = [each for each in self.listed() if each.resource == resource]
        self.run(self.store.drop, resource, now=now)
        assert self.run(self.store.flush, 5.0)
        return len(before) - len([each for each in self.listed() if each.resource == resource])


class AsyncStoreContract(RecordPromises, ChangePromises, BoundPromises):
    """The promises of every awaitable store, on asyncio and on trio: override :meth:`make_async_store`.

    :cvar queues: whether ``commit``, ``change`` and ``drop`` answer before they are carried out.
    :cvar many_loops: whether one store object serves several event loops at the same time.
    """

    queues: ClassVar[bool] = False
    many_loops: ClassVar[bool] = True

    def make_async_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> AsyncStore:
        """A new store object on the place that belongs to ``tmp_path``."""
        raise NotImplementedError

    @pytest.fixture(params=["asyncio", "trio"])
    def backend(self, request: pytest.FixtureRequest) -> str:
        """The async library to run on."""
        return str(request.param)

    @contextmanager
    def blocking(self, store: AsyncStore, backend: str) -> Generator[Store]:
        """``store`` as a blocking one, on an event loop of its own."""
        # Only here, since anyone who tests a blocking store need not have anyio.
        from anyio.from_thread import start_blocking_portal

        with start_blocking_portal(backend) as portal:
            blocking: Any = (_Settled if self.queues else _Blocking)(store, portal)
            yield blocking

    @pytest.fixture
    def make(self, tmp_path: Path, backend: str) -> Iterator[MakeStore]:
        """Makes store objects on one place, and closes them all."""
        with ExitStack() as stack:

            def make(*, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None) -> Store:
                made = self.make_async_store(tmp_path, max_bytes=max_bytes, max_entries=max_entries)
                store = stack.enter_context(self.blocking(made, backend))
                stack.callback(store.close)
                store.open(signed=False)
                return store

            yield make

    def test_two_event_loops_share_a_store(self, tmp_path: Path, backend: str, now: float) -> None:
        """G24: one object, two loops in two threads at the same time; each finds what the other wrote."""
        if not self.many_loops:
            pytest.skip("a store object of this kind belongs to one event loop")
        made = self.make_async_store(tmp_path)

        def work(store: Store, prefix: str) -> None:
            store.open(signed=False)
            for index in range(30):
                text = f"{prefix} {index}"
                assert store.commit(make_item(text, resource=text, now=now), vary_limit=32, now=now)
                assert store.drop(name(text), now=now) == 1 or index % 3
                assert isinstance(store, Claiming)
                assert store.claim(name(text), name(text), prefix.encode(), now=now, until=now + 9)

        with self.blocking(made, backend) as here, self.blocking(made, "asyncio") as there:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(work, [here, there], ["here", "there"]))
            made_here = make_item("both", now=now)
            assert here.commit(made_here, vary_limit=32, now=now)
            assert [each.sealed for each in there.load(name("both"))] == [made_here.sealed]
            there.close()
            here.close()

    def test_a_cancelled_call_leaves_nothing_behind(self, make: MakeStore, now: float) -> None:
        """G23: whatever is cancelled while it waits, the store serves the next caller."""
        store: Any = make()
        inner: AsyncStore = store.store
        item = make_item("one", now=now)
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: inner.load(name("one")),
            lambda: inner.commit(item, vary_limit=32, now=now),
            lambda: inner.change([Seen(item.partition, item.variant, 1)], item),
            lambda: inner.drop(name("resource"), now=now),
            inner.size,
        ]
        if isinstance(inner, AsyncClaiming):
            calls.append(partial(inner.claim, name("two"), name("two"), b"token", now=now, until=now + 9))
        if isinstance(inner, AsyncFlushing):
            calls.append(partial(inner.flush, 1.0))
        for call in calls:
            store.run(partial(_cancelled, call))
            assert store.size().entries <= 1
        later = now + 1
        assert store.commit(make_item("one", b"later", now=later), vary_limit=32, now=later)
        assert [each.body for each in store.load(name("one"))] == [b"later"]


async def _cancelled(call: Callable[[], Awaitable[object]]) -> None:
    import anyio

    with anyio.CancelScope() as scope:
        scope.cancel()
        await call()
