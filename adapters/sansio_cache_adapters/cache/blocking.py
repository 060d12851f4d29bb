"""The cache of a blocking client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from sansio_cache.actions import (
    Alone,
    BodyStart,
    Claim,
    Discard,
    Drop,
    Fetch,
    Freshen,
    Granted,
    Landed,
    Later,
    Load,
    LoadBody,
    Loaded,
    Supersede,
)
from sansio_cache.decisions import Answer
from sansio_cache.drivers import Paused, run
from sansio_cache.exchange import exchange
from sansio_cache.messages import Received, Request, Unreachable
from sansio_cache.policy import Policy
from sansio_cache.sealing import Sealer
from sansio_cache_adapters.stores.protocol import Store

from .background import Background
from .engine import CLOSE_SECONDS, Engine
from .events import logger
from .exchange import Hop, Response, Transfer
from .flights import wait_blocking
from .opening import probing
from .stored_body import load_body
from .tee import Tee
from .work import do

__all__ = ["BlockingCache"]

N = TypeVar("N")


class BlockingCache:
    """What a blocking session asks: an engine whose work is done by calling. The first request opens the store."""

    def __init__(self, policy: Policy, store: Store, sealer: Sealer, **options: Any) -> None:
        probe = probing(lambda: store, sealer)
        self.engine = Engine(
            policy, store, sealer, probe=probe, me=threading.get_ident, wait=wait_blocking, pause=time.sleep, **options
        )
        self.background = Background()
        self._options = options

    def __reduce__(self) -> tuple[Any, ...]:
        # The store comes back by its location; the secret travels along.
        engine = self.engine
        return _restored, (engine.policy, engine.store, engine.sealer.keys, self._options)

    def stored_answer(self, request: Request, usable: Callable[[Answer], bool]) -> Answer | None:
        """The answer if reading the store is all it takes and it is usable; else None, and nothing has happened.

        :raises KeyRequired: the store is signed, and there is no secret.
        """
        engine = self.engine
        if engine.rules is None:
            do(engine.opened())
        found = engine.stored_answer(request, engine.store.load, usable, self._load_body)
        assert not isinstance(found, Paused)  # noqa: S101 - it was told how to read bodies
        return found

    def _load_body(self, action: LoadBody) -> BodyStart | None:
        return do(load_body(self.engine, action.record, action.index))

    def answer(
        self, request: Request, transfer: Transfer[N], /, *, background: bool = False
    ) -> tuple[Answer, N | None, Tee | None]:
        """The answer, the client's own response where the body comes from there, and the tee to feed it to.

        :raises Exception: see :func:`sansio_cache.exchange.exchange`.
        """
        engine = self.engine
        rules = do(engine.opened())
        if rules is None:
            return self._without_store(request, transfer)
        hop = Hop(engine, transfer, partial(self._later, transfer))
        try:
            answer = run(exchange(request, rules, engine.clock(), background=background), _World(hop))
            engine.answered(request, answer)
            return do(hop.deliver(answer))
        except BaseException as error:
            native = hop.give_up()
            if native is not None:
                transfer.abort(native)
            engine.tell_error(error)
            raise

    def _without_store(self, request: Request, transfer: Transfer[N]) -> tuple[Answer, N, None]:
        engine = self.engine
        engine.without_store(request)
        asked = engine.clock()
        response: Response[N] = transfer.send(request)
        received = Received(response.status, response.reason, response.headers, asked, engine.clock())
        answer = engine.without_store(request, received)
        engine.answered(request, answer)
        return answer, response.native, None

    def _later(self, transfer: Transfer[Any], request: Request, key: tuple[bytes, bytes]) -> None:
        self.background.submit(key, partial(self._validate, request, transfer.detached()))

    def _validate(self, request: Request, transfer: Transfer[Any]) -> None:
        try:
            _, native, tee = self.answer(request, transfer, background=True)
            if native is not None:
                transfer.drain(native, tee)
        except Exception as error:
            # The good entry is still there (G27); the next asker tries again.
            logger.warning("background validation of a stale response failed: %s", error)
            self.engine.events.tell("background-error", request.method, request.url, 0, type(error).__name__)

    def close(self) -> None:
        """Wait for background validation (at most 5 s), write what is queued, close the store's connections."""
        self.background.close(CLOSE_SECONDS)
        do(self.engine.remove_superseded())
        self.engine.guard.close()
        try:
            self.engine.store.close()
        except Exception as error:
            logger.warning("closing the cache at %s failed: %s", self.engine.store.location, error)
        self.engine.guard.reopen()


def _restored(policy: Policy, store: Store, keys: Sequence[bytes], options: dict[str, Any]) -> BlockingCache:
    return BlockingCache(policy, store, Sealer(keys), **options)


class _World:
    """A hop's actions, performed by calling."""

    __slots__ = ("_hop",)

    def __init__(self, hop: Hop[Any]) -> None:
        self._hop = hop

    def load(self, action: Load, /) -> Loaded:
        return do(self._hop.load(action))

    def load_body(self, action: LoadBody, /) -> BodyStart | None:
        return do(self._hop.load_body(action))

    def discard(self, action: Discard, /) -> None:
        do(self._hop.discard(action))

    def claim(self, action: Claim, /) -> Granted | Landed | Alone:
        return do(self._hop.claim(action))

    def fetch(self, action: Fetch, /) -> Received | Unreachable:
        return do(self._hop.fetch(action))

    def freshen(self, action: Freshen, /) -> bool:
        return do(self._hop.freshen(action))

    def drop(self, action: Drop, /) -> None:
        do(self._hop.drop(action))

    def supersede(self, action: Supersede, /) -> None:
        do(self._hop.supersede(action))

    def later(self, action: Later, /) -> None:
        do(self._hop.later(action))
