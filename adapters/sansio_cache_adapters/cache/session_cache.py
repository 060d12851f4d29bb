"""The common part of the caches of blocking and awaiting sessions: how a request is answered, as work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from sansio_cache.actions import Steps
from sansio_cache.cache_status import CacheStatus, Fwd
from sansio_cache.decisions import Answer, FromNetwork
from sansio_cache.drivers import Paused
from sansio_cache.errors import NotCached
from sansio_cache.exchange import exchange
from sansio_cache.messages import Request
from sansio_cache_adapters.stores.work import Work, awaited

from .engine import Engine
from .events import logger
from .exchange import Delivered, Exchange, Transfer

__all__ = ["SessionCache"]

N = TypeVar("N")


class SessionCache(ABC):
    """An engine that answers requests."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @abstractmethod
    def _submit(self, key: tuple[bytes, bytes], work: Callable[[], Work[None]]) -> None:
        """Do work in the background, unless that of its key is under way or there is too much."""

    def answering(
        self,
        request: Request,
        transfer: Transfer[N],
        begun: Answer | Paused[Answer] | Steps[Answer] | None = None,
        *,
        background: bool = False,
    ) -> Work[Delivered[N]]:
        """The answer to a request, and what its body comes from.

        :param begun: what a look into the store has shown, a moment ago.
        :param background: a validation in the background.
        :raises Exception: see :func:`sansio_cache.exchange.exchange`.
        """
        engine = self.engine
        if engine.rules is None:
            return self._answering_opened(request, transfer, background=background)
        if begun is None:
            begun = exchange(request, engine.rules, engine.clock(), background=background)
        return Exchange(engine, transfer, partial(self._later, transfer)).answered(request, begun)

    async def _answering_opened(self, request: Request, transfer: Transfer[N], *, background: bool) -> Delivered[N]:
        if (await self.engine.opened()) is None:
            return await self._without_store(request, transfer)
        return await self.answering(request, transfer, background=background)

    async def _without_store(self, request: Request, transfer: Transfer[N]) -> Delivered[N]:
        """The network's answer, as if there were no cache.

        :raises NotCached: ``offline``.
        """
        if self.engine.policy.offline:
            raise NotCached(request.url)
        sent = await awaited(transfer.send(request))
        status = CacheStatus(fwd=Fwd.BYPASS, fwd_status=sent.status, detail="store-unavailable")
        answer = Answer(sent.status, sent.reason, sent.headers, FromNetwork(), status)
        self.engine.answered(request, answer)
        return Delivered(answer, sent.native, None)

    async def _closed(self) -> None:
        """Write what is queued, close the store's connections."""
        engine = self.engine
        await engine.remove_superseded()
        engine.breaker.close()
        try:
            await awaited(engine.store.close())
        except Exception as error:
            logger.warning("closing the cache at %s failed: %s", engine.store.location, error)
        engine.breaker.reopen()

    def _later(self, transfer: Transfer[Any], request: Request, key: tuple[bytes, bytes]) -> None:
        self._submit(key, partial(self._validating, request, transfer.detached()))

    async def _validating(self, request: Request, transfer: Transfer[Any]) -> None:
        try:
            _, native, tee = await self.answering(request, transfer, background=True)
            if native is not None:
                await awaited(transfer.drain(native, tee))
        except Exception as error:
            # The good entry is still there (G27); the next asker tries again.
            logger.warning("background validation of a stale response failed: %s", error)
            self.engine.events.tell("background-error", request.method, request.url, 0, type(error).__name__)
