"""The cache of a blocking client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

from sansio_cache.actions import BodyStart, LoadBody
from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused
from sansio_cache.messages import Request
from sansio_cache.policy import Policy
from sansio_cache.sealing import Sealer
from sansio_cache_adapters.stores.protocol import Store
from sansio_cache_adapters.stores.work import Work, do

from .background import Background
from .engine import CLOSE_SECONDS, Engine
from .exchange import Delivered, Transfer
from .flights import wait_blocking
from .opening import probing, store_of
from .session_cache import SessionCache
from .setup import Setup
from .stored_body import load_body
from .turns import turns_for

__all__ = ["BlockingCache"]

N = TypeVar("N")


class BlockingCache(SessionCache):
    """The cache of a blocking session: an engine whose work is done by calling. The first request opens the store."""

    def __init__(self, policy: Policy, store: Store, sealer: Sealer, **options: Any) -> None:
        probe = probing(store, sealer)
        engine = Engine(
            *(policy, store, sealer),
            probe=probe,
            me=threading.get_ident,
            wait=wait_blocking,
            pause=time.sleep,
            blocks=True,
            **options,
        )
        super().__init__(engine)
        self.background: Background = Background()
        self._options = options
        self._turns = turns_for(store)

    @classmethod
    def of(cls, told: Setup, undecodable: frozenset[str]) -> Self:
        """The cache that a session was told to have.

        :param undecodable: see :class:`~sansio_cache.rules.Rules`.
        """
        options: dict[str, Any] = {"on_event": told.on_event, "clock": told.clock, "undecodable": undecodable}
        return cls(told.policy, store_of(told), told.sealer, **options)

    def __reduce__(self) -> tuple[Any, ...]:
        # The store comes back by its location; the secret travels along.
        engine = self.engine
        return _restored, (engine.policy, engine.store, engine.sealer.keys, self._options)

    def look(self, request: Request) -> Answer | Paused[Answer] | None:
        """The answer if reading the store is all it takes; else what :meth:`answer` goes on with.

        :raises KeyRequired: the store is signed, and there is no secret.
        """
        engine = self.engine
        if engine.rules is None:
            do(engine.opened())
        self._turns.take()
        return engine.look(request, engine.store.load, self._load_body)

    def _load_body(self, action: LoadBody) -> BodyStart | None:
        self._turns.leave()
        return do(load_body(self.engine, action.record, action.index))

    def answer(
        self, request: Request, transfer: Transfer[N], /, begun: Answer | Paused[Answer] | None = None
    ) -> Delivered[N]:
        """The answer, the client's own response where the body comes from there, and the tee to feed it to.

        :param begun: what :meth:`look` has given for this request, a moment ago.
        :raises Exception: see :func:`sansio_cache.exchange.exchange`.
        """
        return do(self.answering(request, transfer, begun))

    def _submit(self, key: tuple[bytes, bytes], work: Callable[[], Work[None]]) -> None:
        self.background.submit(key, lambda: do(work()))

    def close(self) -> None:
        """Wait for background validation (at most 5 s), write what is queued, close the store's connections."""
        self.background.close(CLOSE_SECONDS)
        do(self._closed())


def _restored(policy: Policy, store: Store, keys: Sequence[bytes], options: dict[str, Any]) -> BlockingCache:
    return BlockingCache(policy, store, Sealer(keys), **options)
