"""``session.cache``: finds, deletes, verifies and counts what is stored, the same for blocking and awaiting sessions.

The verbs are work, written once (``maintenance``); :class:`StoredResponses` returns their results at once, and those of
:class:`AsyncStoredResponses` are awaited.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from tempfile import TemporaryFile
from typing import Any

from msgspec.structs import replace

from sansio_cache.names import OF_CACHE
from sansio_cache.sealing import SecretKey
from sansio_cache_adapters.stores.protocol import Size
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven
from sansio_cache_adapters.stores.waiting import in_thread
from sansio_cache_adapters.stores.work import awaited, do

from .events import Stats
from .keywords import FixedSettings
from .lookup import RequestMaker, named
from .maintenance import Entry, Maintenance, Verified, criteria_of
from .opening import KeptUnder
from .options import take_options
from .putting import GivenResponse, Put, core_given, put
from .reading import StoredResponse
from .selecting import Wanted, wanted
from .session_cache import SessionCache

__all__ = ["AsyncStoredResponses", "StoredResponses", "Entry", "Put", "StoredResponse", "Verified"]

Taking = Callable[[Any], GivenResponse | Awaitable[GivenResponse]]
"""Takes the response of a client's own that is to be put in, which it reads."""


class _StoredResponses(FixedSettings):
    """The common part of both."""

    _theirs = OF_CACHE

    def __init__(self, cache: SessionCache, ask: RequestMaker, take: Taking) -> None:
        engine = self._engine = cache.engine
        self._work = Maintenance(engine, ask)
        self._cache = cache
        self._ask = ask
        self._take = take
        self._made = True

    @property
    def store(self) -> Any:
        """The store, as the session was given it."""
        return getattr(self._engine.store, "store", self._engine.store)

    def kept_under(self) -> KeptUnder:
        """The store, the secret and the settings of this session."""
        return KeptUnder(self.store, self._engine.sealer, self._engine.policy)

    @property
    def stats(self) -> Stats:
        """The counters of this session."""
        return self._engine.stats

    def __bool__(self) -> bool:
        # One that is empty is there all the same.
        return True

    async def _put(self, request: Any, response: Any, body: bytes | None, keywords: dict[str, Any]) -> Put:
        options = take_options(keywords)
        asked = await awaited(self._ask(request, str(keywords.pop("method", "GET")), keywords))
        given = core_given(response, body)
        if given is None:
            given = await awaited(self._take(response))
        return await put(self._cache, replace(asked, options=options), given)


class StoredResponses(_StoredResponses):
    """The stored responses of a blocking session."""

    def contains(self, request: Any = None, method: str = "GET", **keywords: Any) -> bool:
        """Whether the session would answer a request from the store at this moment.

        :param request: a URL (text, or an object such as yarl's), or a request or response of the client. A URL may
            be given as ``url=`` too.
        :param method: of the request for a URL.
        :param keywords: what the session's own ``request`` takes beside a URL: ``headers=``, ``params=``, ``json=``,
            ``expire_after=``…
        :raises StoreError: the store is in trouble.
        """
        options = take_options(keywords)
        return do(self._work.contains(named(request, keywords), method, keywords, options))

    def __contains__(self, request: object) -> bool:
        return self.contains(request)

    def __len__(self) -> int:
        return self.size().entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries())

    def get(self, request: Any = None, method: str = "GET", **keywords: Any) -> StoredResponse | None:
        """The stored response that a request would be answered from, or validated by; None where there is none.

        It is looked at, and not used: status, fields, body and times, whether it is fresh or stale.

        :param request: as ``contains`` takes it, or an entry.
        :raises BadSignature: its body is not what was signed.
        :raises StoreError: the store is in trouble.
        """
        take_options(keywords)
        return do(self._work.get(named(request, keywords), method, keywords))

    def entries(self) -> list[Entry]:
        """Every stored response that can be opened."""
        return do(self._work.entries())

    def copy_to(self, cache: Any, *, secret_key: SecretKey | Ungiven = UNGIVEN) -> int:
        """Store everything that can be opened in another store too, sealed anew; how many that were.

        What is there already, and as new, stays. Responses of users who are told apart, and of those that ``Vary``
        selects, come along only where the other store is empty.

        :param cache: what ``cache=`` of a session takes.
        :param secret_key: the secret of the other store.
        """
        return copied(self.kept_under(), cache, secret_key)

    def urls(self) -> list[str]:
        """The URLs stored, redacted, each once, sorted."""
        return sorted({entry.url for entry in self.entries()})

    def filter(
        self,
        keep: Wanted | None = None,
        *,
        expired: bool | None = None,
        older_than: float | timedelta | None = None,
        tags: Iterable[str] = (),
    ) -> list[Entry]:
        """The stored responses of which all of this is true.

        :param keep: a function of an entry.
        :param expired: True for those that are stale by the settings that they were kept under, False for the others.
        :param older_than: received longer ago; seconds or a timedelta.
        :param tags: stored with any of these tags.
        """
        is_wanted = wanted(self._engine.clock(), keep, expired, older_than, tags)
        return [entry for entry in self.entries() if is_wanted(entry)]

    def size(self) -> Size:
        """How much the store holds."""
        return do(awaited(self._engine.store.size()))

    def delete(
        self,
        *of: Any,
        urls: Iterable[Any] = (),
        requests: Iterable[Any] = (),
        expired: bool = False,
        older_than: float | timedelta | None = None,
        invalid: bool = False,
        tags: Iterable[str] = (),
    ) -> int:
        """Remove what matches any of these; how many there were.

        :param of: URLs, as in ``urls``; or what ``entries``, ``get`` and a loop over the cache give, each for itself.
        :param urls: all stored responses of these URLs, of every user; each as ``contains`` takes it.
        :param requests: what is stored for these requests, and for no other user or body; each a URL, or a request or
            response of the client.
        :param expired: those that are stale by the settings that they were kept under.
        :param older_than: those received longer ago; seconds or a timedelta.
        :param invalid: those that cannot be opened: broken, foreign, unsigned or forged.
        :param tags: those stored with any of these tags.
        :raises SettingError: for nothing to go by.
        :raises StoreError: the store is in trouble.
        """
        return do(self._work.delete(criteria_of(of, urls, requests, expired, older_than, invalid, tags)))

    def put(self, request: Any, response: Any, body: bytes | None = None, **keywords: Any) -> Put:
        """Store a response that did not come by this session: judged and signed like any other.

        :param request: what it answers, as ``contains`` takes it; a URL stands for a GET.
        :param response: one of the client's own, which is read, or ``Received`` of ``sansio_cache.messages``.
        :param body: the content of a ``Received``, as its Content-Encoding says.
        :param keywords: ``expire_after=`` and ``tags=``, and what a request for a URL takes.
        :return: whether it is stored, and why not (the words of Cache-Status).
        :raises SettingError: for what is no response, and in a session that stores nothing.
        """
        return do(self._put(request, response, body, keywords))

    def clear(self) -> None:
        """Remove everything, and the mark that the store is signed."""
        do(self._work.clear())

    def verify(self) -> Verified:
        """Open every record's head and count what is wrong. Bodies are verified whenever they are read."""
        return do(self._work.verify())

    def resign(self, *, unsign: bool = False, sign_unsigned: bool = False) -> int:
        """Seal with the newest key what an older one sealed; how many there were.

        :param unsign: remove signatures and the store's mark instead.
        :param sign_unsigned: sign what was kept before there was a secret, too: by saying so you vouch for it.
        :raises SettingError: there is no secret, or both are asked for.
        """
        return do(self._work.resign(unsign=unsign, sign_unsigned=sign_unsigned))


class AsyncStoredResponses(_StoredResponses):
    """The stored responses of an awaiting session; see :class:`StoredResponses`."""

    def contains(self, request: Any = None, method: str = "GET", **keywords: Any) -> Awaitable[bool]:
        """See :meth:`StoredResponses.contains`."""
        options = take_options(keywords)
        return self._work.contains(named(request, keywords), method, keywords, options)

    def __contains__(self, request: object) -> bool:
        raise TypeError("the cache of an awaiting session is asked with: await session.cache.contains(url)")

    def __len__(self) -> int:
        raise TypeError("the cache of an awaiting session is counted with: (await session.cache.size()).entries")

    def __iter__(self) -> Iterator[Entry]:
        raise TypeError("the cache of an awaiting session is gone through with: async for entry in session.cache")

    async def __aiter__(self) -> AsyncIterator[Entry]:
        for entry in await self.entries():
            yield entry

    def get(self, request: Any = None, method: str = "GET", **keywords: Any) -> Awaitable[StoredResponse | None]:
        """See :meth:`StoredResponses.get`."""
        take_options(keywords)
        return self._work.get(named(request, keywords), method, keywords)

    def entries(self) -> Awaitable[list[Entry]]:
        """See :meth:`StoredResponses.entries`."""
        return self._work.entries()

    async def copy_to(self, cache: Any, *, secret_key: SecretKey | Ungiven = UNGIVEN) -> int:
        """See :meth:`StoredResponses.copy_to`."""
        await self._engine.flush()
        return await in_thread(partial(copied, self.kept_under(), cache, secret_key))

    async def urls(self) -> list[str]:
        """See :meth:`StoredResponses.urls`."""
        return sorted({entry.url for entry in await self.entries()})

    async def filter(
        self,
        keep: Wanted | None = None,
        *,
        expired: bool | None = None,
        older_than: float | timedelta | None = None,
        tags: Iterable[str] = (),
    ) -> list[Entry]:
        """See :meth:`StoredResponses.filter`."""
        is_wanted = wanted(self._engine.clock(), keep, expired, older_than, tags)
        return [entry for entry in await self.entries() if is_wanted(entry)]

    async def size(self) -> Size:
        """See :meth:`StoredResponses.size`."""
        return await awaited(self._engine.store.size())

    def delete(
        self,
        *of: Any,
        urls: Iterable[Any] = (),
        requests: Iterable[Any] = (),
        expired: bool = False,
        older_than: float | timedelta | None = None,
        invalid: bool = False,
        tags: Iterable[str] = (),
    ) -> Awaitable[int]:
        """See :meth:`StoredResponses.delete`."""
        return self._work.delete(criteria_of(of, urls, requests, expired, older_than, invalid, tags))

    def put(self, request: Any, response: Any, body: bytes | None = None, **keywords: Any) -> Awaitable[Put]:
        """See :meth:`StoredResponses.put`."""
        return self._put(request, response, body, keywords)

    def clear(self) -> Awaitable[None]:
        """See :meth:`StoredResponses.clear`."""
        return self._work.clear()

    def verify(self) -> Awaitable[Verified]:
        """See :meth:`StoredResponses.verify`."""
        return self._work.verify()

    def resign(self, *, unsign: bool = False, sign_unsigned: bool = False) -> Awaitable[int]:
        """See :meth:`StoredResponses.resign`."""
        return self._work.resign(unsign=unsign, sign_unsigned=sign_unsigned)


def copied(kept: KeptUnder, cache: Any, secret_key: SecretKey | Ungiven) -> int:
    """Store what a cache keeps in another one, too; how many responses that were."""
    from sansio_cache_adapters.importing.exporting import export_cache
    from sansio_cache_adapters.importing.loading import load_cache

    with TemporaryFile() as file:
        own: Any = kept.sealer if kept.sealer.signed else UNGIVEN  # as good as the secret that it was made from
        export_cache(kept.store, file, secret_key=own, namespace=kept.policy.namespace)
        file.seek(0)
        return load_cache(cache, file, secret_key=secret_key).imported
